/** `backfill`: mirrors every client, here or, with --enqueue, by the workers. */
import { defineCommand } from '../command.ts';
import { plural, printSummary } from '../summary.ts';

export const backfillCommand = defineCommand({
  name: 'backfill',
  summary: 'mirror every client; resumable after any stop, safe to run again',
  description:
    'Reads every client of the source in windows that run side by side. A backfill that was stopped, however it was, goes on where it stood; several may run at once and share the work. A changed MIRROR_OWNER_ID or MIRROR_EXCLUDE_FIELDS is adopted.',
  options: {
    restart: { help: 'drop unfinished progress and begin anew' },
    enqueue: { help: 'hand it to the workers, and do not wait for it' },
  },
  needs: ['api', 'warehouse', 'mirror', 'queue'],
  json: true,
  async run(context, { flags }) {
    if (flags.enqueue) {
      const { enqueueBackfill } = await import('../../../jobs/enqueue.ts');
      const shared = await enqueueBackfill(context, flags.restart);
      const windows = plural(shared.windowsOpen, 'window');
      context.print(shared, `backfill ${shared.backfillId} is with the workers: ${windows} to read`);
      return 0;
    }
    const { withEngine } = await import('../../app.ts');
    const { runBackfill } = await import('../../sync.ts');
    const summary = await withEngine(context, (engine) => runBackfill(engine, { restart: flags.restart }));
    printSummary(context, 'backfill', summary);
    return 0;
  },
});
