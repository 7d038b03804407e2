/** The pages of the HTTP face: what `status` shows, and the login. Text in, HTML out; no script, nothing from afar. */
import { createHash } from 'node:crypto';
import { tellCertificate } from '../ledger/certificates.ts';
import { needsAttention, type Status } from '../status.ts';

const STYLE = `:root { color-scheme: light dark; --line: #8884; --soft: #8881; --bad: #c0392b; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.25rem; } h2 { font-size: 1rem; margin-top: 2rem; }
nav a { margin-right: 1rem; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: .75rem; margin: 0; }
dl div { background: var(--soft); border: 1px solid var(--line); border-radius: .5rem; padding: .5rem .75rem; }
dt { font-size: .8rem; opacity: .75; } dd { margin: 0; font-size: 1.1rem; overflow-wrap: anywhere; }
.attention { border-left: .25rem solid var(--bad); padding: .25rem 1rem; background: var(--soft); }
.table { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
td.number, th.number { text-align: right; } td.words { white-space: normal; }
form { display: grid; gap: .75rem; max-width: 24rem; } input, button { font: inherit; padding: .4rem .6rem; }
.bad { color: var(--bad); }`;

/** Only this style, and forms that come back to us. */
export const PAGE_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

const REFRESH_SECONDS = 15;

export interface PageState {
  /** null while the warehouse does not answer. */
  readonly status: Status | null;
  /** `ok`, or in words what is wrong. */
  readonly redis: string;
  readonly warehouse: string;
}

export function renderStatusPage({ status, redis, warehouse }: PageState): string {
  const parts = [
    '<nav><a href="/queues">queues</a><a href="/metrics">metrics</a></nav>',
    '<h1>clients-mirror</h1>',
    status === null
      ? '<p class="attention">The warehouse does not answer; the figures come back with it.</p>'
      : `${renderAttention(needsAttention(status))}${renderFigures(status)}${renderRuns(status)}`,
    `<h2>Stands on</h2><dl>${figure('Redis', redis)}${figure('warehouse', warehouse)}</dl>`,
  ];
  return page('clients-mirror', parts.join('\n'), `<meta http-equiv="refresh" content="${REFRESH_SECONDS}">`);
}

export function renderLogin(wrong: boolean): string {
  const said = wrong ? '<p class="bad" role="alert">That is not the token.</p>' : '';
  return page(
    'Log in',
    `<h1>clients-mirror</h1>${said}
<form method="post" action="/login">
<label for="token">Token (HTTP_TOKEN of this worker)</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button>Log in</button>
</form>`,
    '',
  );
}

function renderAttention(lines: readonly string[]): string {
  if (lines.length === 0) return '<p>Nothing needs a person.</p>';
  const items = lines.map((line) => `<li>${escapeHtml(line)}</li>`).join('');
  return `<div class="attention" role="status"><strong>Needs a person</strong><ul>${items}</ul></div>`;
}

function renderFigures(status: Status): string {
  const { clients, lagSeconds } = status;
  const figures: readonly (readonly [string, string])[] = [
    ['clients', count(clients.live)],
    ['deleted at the source', count(clients.deleted)],
    ['cursor', status.cursor ?? 'none yet'],
    ['lag', lagSeconds === null ? 'none yet' : `${count(lagSeconds)} s`],
    ['backfill', status.backfill],
    ['edits pending', count(status.pending)],
    ['conflicts', count(status.conflicts)],
    ['dead letters', count(status.deadLetters)],
    ['quarantined', count(status.quarantined)],
    ['to be read again', count(status.refetch)],
    ['certificate', status.certificate === null ? 'none yet' : tellCertificate(status.certificate)],
  ];
  return `<h2>How it stands</h2><dl>${figures.map(([name, value]) => figure(name, value)).join('')}</dl>`;
}

function renderRuns({ lastRuns }: Status): string {
  if (lastRuns.length === 0) return '<h2>Last runs</h2><p>None yet.</p>';
  const rows = lastRuns.map(
    (
      run,
    ) => `<tr><td>${escapeHtml(run.kind)}</td><td${run.state === 'failed' ? ' class="bad"' : ''}>${escapeHtml(run.state)}</td>
<td>${escapeHtml(seconds(run.startedAt))}</td><td>${escapeHtml(run.finishedAt === null ? '–' : seconds(run.finishedAt))}</td>
<td class="number">${count(run.rows)}</td><td class="number">${count(run.requests)}</td>
<td class="words">${escapeHtml(run.error ?? '')}</td></tr>`,
  );
  return `<h2>Last runs</h2><div class="table"><table><thead><tr><th>run</th><th>state</th><th>began</th><th>ended</th>
<th class="number">rows</th><th class="number">requests</th><th>error</th></tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
}

function figure(name: string, value: string): string {
  return `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd></div>`;
}

function page(title: string, body: string, head: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">${head}
<title>${escapeHtml(title)}</title><style>${STYLE}</style></head>
<body><main>${body}</main></body></html>
`;
}

function seconds(instant: string): string {
  return `${instant.slice(0, 10)} ${instant.slice(11, 19)}`;
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
