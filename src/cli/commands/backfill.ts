/** `backfill`: mirrors every client. */
import { defineCommand } from '../command.ts';
import { printSummary } from '../summary.ts';

export const backfillCommand = defineCommand({
  name: 'backfill',
  summary: 'mirror every client; resumable after any stop, safe to run again',
  description:
    'Reads every client of the source in windows that run side by side. A backfill that was stopped, however it was, goes on where it stood; several may run at once and share the work. A changed MIRROR_OWNER_ID or MIRROR_EXCLUDE_FIELDS is adopted.',
  options: { restart: { help: 'drop unfinished progress and begin anew' } },
  needs: ['api', 'warehouse', 'mirror'],
  json: true,
  async run(context, { flags }) {
    const { withEngine } = await import('../../app.ts');
    const { runBackfill } = await import('../../sync.ts');
    const summary = await withEngine(context, (engine) => runBackfill(engine, { restart: flags.restart }));
    printSummary(context, 'backfill', summary);
    return 0;
  },
});
