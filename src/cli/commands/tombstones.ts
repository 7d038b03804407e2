/** `tombstones list|recheck|purge`: clients deleted at the source. */
import { int } from '../../../config/kinds.ts';
import { SyncError } from '../../errors.ts';
import { readTombstones } from '../../ledger/tombstones.ts';
import { defineCommand } from '../command.ts';
import { readAll, withMirror } from '../mirror.ts';
import { plural } from '../summary.ts';
import { showTime } from '../values.ts';

const PAGE = 1_000;
const DAYS_MAX = 36_500;

export const tombstonesList = defineCommand({
  name: 'tombstones list',
  summary: 'the clients, each with when it was seen gone and by which run',
  needs: ['warehouse'],
  json: true,
  async run(context) {
    const rows = await withMirror(context, (warehouse) =>
      readAll((after) => readTombstones(warehouse, { run: null, after, limit: PAGE })),
    );
    const lines = rows.map(
      ({ id, deletedAt, run }) =>
        `${id}  ${showTime(deletedAt)}  ${run === null ? 'by a pull' : `run ${run}`}`,
    );
    context.print(rows, lines.length === 0 ? 'no client is deleted at the source' : lines.join('\n'));
    return 0;
  },
});

export const tombstonesRecheck = defineCommand({
  name: 'tombstones recheck',
  summary: 'ask the source again for what a run took for deleted; who is there is live again',
  arguments: { run: { help: 'number of the run as `tombstones list` prints it, or all', required: true } },
  needs: ['api', 'warehouse', 'mirror'],
  json: true,
  async run(context, { args }) {
    const run = args.run === 'all' ? null : Number(args.run);
    if (run !== null && !(Number.isSafeInteger(run) && run > 0)) {
      throw new SyncError('USAGE', `RUN is a number or all, not ${JSON.stringify(args.run)}`, { hint: '' });
    }
    const { withEngine } = await import('../../app.ts');
    const { recheckTombstones } = await import('../../reconcile/tombstones.ts');
    const result = await withEngine(context, (engine) => recheckTombstones(engine, run));
    const lines = [
      `${plural(result.checked, 'client')} asked for, ${result.returned.length} live again`,
      ...result.returned.map((id) => `  ${id}  live again`),
      ...result.waiting.map((id) => `  ${id}  is at the source; waits on the to-do list`),
    ];
    context.print(result, lines.join('\n'));
    return 0;
  },
});

export const tombstonesPurge = defineCommand({
  name: 'tombstones purge',
  summary: 'forget clients deleted at the source: their rows go',
  options: {
    olderThan: { help: 'days since they were seen gone; required', kind: int(0, DAYS_MAX), value: 'DAYS' },
  },
  needs: ['warehouse'],
  json: true,
  async run(context, { flags }) {
    if (flags.olderThan === undefined) {
      throw new SyncError('USAGE', 'tombstones purge needs --older-than DAYS', { hint: '' });
    }
    const { olderThan } = flags;
    const { purgeTombstones } = await import('../../reconcile/tombstones.ts');
    const purged = await withMirror(context, (warehouse) =>
      purgeTombstones(warehouse, context.clock.now(), olderThan),
    );
    context.print({ purged }, `${plural(purged, 'client')} purged`);
    return 0;
  },
});
