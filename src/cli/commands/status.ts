/** `status`: how the mirror stands, and with --check whether a person is needed. */
import { tellCertificate } from '../../ledger/certificates.ts';
import { tellDrift } from '../../ledger/drift.ts';
import { countText } from '../../observe/numbers.ts';
import type { Status } from '../../status.ts';
import { defineCommand } from '../command.ts';
import { withMirror } from '../mirror.ts';
import { plural } from '../summary.ts';
import { showTime } from '../values.ts';

export const statusCommand = defineCommand({
  name: 'status',
  summary: 'cursor, lag, counts and last runs; --check exits 1 when something needs a person',
  options: { check: { help: 'exit 1 when something needs a person' } },
  needs: ['warehouse'],
  json: true,
  async run(context, { flags }) {
    const { needsAttention, readStatus } = await import('../../status.ts');
    const status = await withMirror(context, (warehouse) => readStatus(warehouse, context.clock));
    const attention = needsAttention(status);
    context.print({ ...status, attention }, renderStatus(status, attention));
    return flags.check && attention.length > 0 ? 1 : 0;
  },
});

function renderStatus(status: Status, attention: readonly string[]): string {
  const { clients } = status;
  const lines: [string, string][] = [
    ['clients', `${plural(clients.live, 'client')} live, ${countText(clients.deleted)} deleted`],
    ['cursor', status.cursor ?? 'none yet'],
    [
      'lag',
      status.lagSeconds === null
        ? 'not pulled yet'
        : `${plural(status.lagSeconds, 'second')} since the last complete pull began`,
    ],
    [
      'edits',
      `${status.pending} pending, ${status.conflicts} in conflict, ${status.deadLetters} dead letters`,
    ],
    ['quarantine', plural(status.quarantined, 'row')],
    ['to refetch', plural(status.refetch, 'client')],
    ['certified', status.certificate === null ? 'not reconciled yet' : tellCertificate(status.certificate)],
  ];
  const { lateness } = status;
  if (lateness !== null) {
    lines.push([
      'lateness',
      `${plural(lateness.count, 'row')} visible late: half within ${lateness.medianSeconds} s, 99 % within ${lateness.p99Seconds} s, at most ${lateness.maxSeconds.toFixed(1)} s`,
    ]);
  }
  for (const drift of status.drift) lines.push(['drift', `${tellDrift(drift)} (${showTime(drift.at)})`]);
  for (const run of status.lastRuns) {
    const times = run.count > 1 ? ` (idle ${run.count} times)` : '';
    const error = run.error === null ? '' : `: ${run.error}`;
    lines.push([
      `last ${run.kind}`,
      `${run.state} at ${showTime(run.finishedAt ?? run.startedAt)}, ${plural(run.rows, 'row')} in ${plural(run.requests, 'request')}${times}${error}`,
    ]);
  }
  for (const line of attention) lines.push(['attention', line]);
  const width = Math.max(...lines.map(([name]) => name.length));
  return lines.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
}
