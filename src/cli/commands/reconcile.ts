/** `reconcile`: proves deletions, mends drift and certifies that the mirror equals the source. */

import { int } from '../../../config/kinds.ts';
import { SyncError } from '../../errors.ts';
import { tellCertificate } from '../../ledger/certificates.ts';
import type { Finding } from '../../ledger/findings.ts';
import { countText } from '../../observe/numbers.ts';
import type { ReconcileReport } from '../../reconcile/reconcile.ts';
import type { SampleReport } from '../../reconcile/sample.ts';
import { defineCommand } from '../command.ts';
import { plural } from '../summary.ts';

const SAMPLE_MAX = 100_000;

export const reconcileCommand = defineCommand({
  name: 'reconcile',
  summary:
    'compare every client with the source: delete what is gone there, mend what drifted, certify the rest',
  description: [
    'Reads every id and stamp and compares them with the mirror. What differs is read again; a client that the lists',
    'leave out is asked for by id, and only a 404 (or another owner) sets _deleted_at: its values stay. Of a client',
    'that was made or changed within the lookback the source must say it twice, a lookback apart.',
    'Where more than a tenth of the clients, and more than 10, seem deleted it stops before deleting any.',
  ].join(' '),
  options: {
    dryRun: { help: 'print what would be done, and change nothing' },
    sample: {
      help: 'compare N random clients field by field, and change nothing',
      kind: int(1, SAMPLE_MAX),
      value: 'N',
    },
    deep: { help: 'compare every field, not ids and stamps alone' },
    allowMassDelete: { help: 'take even a large part of all clients for deleted, each proved by id' },
  },
  needs: ['api', 'warehouse', 'mirror'],
  json: true,
  async run(context, { flags }) {
    const { withEngine } = await import('../../app.ts');
    const { sample, ...choice } = flags;
    if (sample !== undefined) {
      if (choice.deep || choice.dryRun || choice.allowMassDelete) {
        throw new SyncError('USAGE', '--sample stands alone', { hint: '' });
      }
      const { compareSample } = await import('../../reconcile/sample.ts');
      const report = await withEngine(context, (engine) => compareSample(engine, sample));
      context.print(report, renderSample(report));
      return report.findings.length === 0 ? 0 : 1;
    }
    const { runReconcile } = await import('../../sync.ts');
    const report = await withEngine(context, (engine) => runReconcile(engine, choice));
    context.print(report, flags.dryRun ? renderDry(report) : render(report));
    return 0;
  },
});

/** Lines that name a client; more are counted. */
const NAMED_MAX = 20;

function render(report: ReconcileReport): string {
  const { certificate, findings, unnamed } = report;
  const { mended, deleted, unfit } = certificate;
  const did = [
    deleted > 0 ? `${plural(deleted, 'client')} deleted at the source (\`tombstones list\`)` : '',
    mended.missing > 0 ? `${plural(mended.missing, 'missing client')} added` : '',
    mended.stale > 0 ? `${plural(mended.stale, 'client')} mended` : '',
    unfit > 0 ? `${plural(unfit, 'client')} in quarantine` : '',
  ].filter((part) => part !== '');
  const head = `reconcile done (run ${report.run}): ${tellCertificate(certificate)}`;
  return [head, ...did, ...named(findings, unnamed)].join('\n');
}

function renderDry({ certificate, findings, unnamed, guard }: ReconcileReport): string {
  const head = `reconcile would find: ${tellCertificate(certificate)}`;
  const stop = guard === null ? [] : [`it would stop: ${guard}`];
  return [head, ...stop, ...named(findings, unnamed)].join('\n');
}

function renderSample({ clients, findings }: SampleReport): string {
  const equal = findings.length === 0 ? 'every field equal' : `${findings.length} at odds`;
  const lines = named(findings.map((one) => ({ ...one, outcome: null })));
  return [`${plural(clients, 'random client')} compared: ${equal}`, ...lines].join('\n');
}

const WORDS: Readonly<Record<Finding['what'], string>> = {
  missing: 'missing in the mirror',
  stale: 'another version than at the source',
  differs: 'differs under equal stamps',
  returned: 'back at the source',
  absent: "not in the source's lists",
};

const ENDS: Readonly<Record<NonNullable<Finding['outcome']>, string>> = {
  mended: 'mended',
  deleted: 'deleted at the source',
  agreed: 'agrees by now',
  waiting: 'waits on the to-do list',
  unfit: 'in quarantine',
};

/** @param unnamed how many there are beyond these. */
function named(findings: readonly Finding[], unnamed = 0): string[] {
  const lines = findings.slice(0, NAMED_MAX).map(({ id, what, fields, outcome }) => {
    const which = fields.length === 0 ? '' : ` (${fields.join(', ')})`;
    return `  ${id}  ${WORDS[what]}${which}${outcome === null ? '' : `: ${ENDS[outcome]}`}`;
  });
  const more = findings.length - lines.length + unnamed;
  return more > 0 ? [...lines, `  and ${countText(more)} more`] : lines;
}
