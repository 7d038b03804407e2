/** `sync` and `pull`: one incremental cycle, and its first half. */
import { defineCommand } from '../command.ts';
import { printSummary } from '../summary.ts';

export const syncCommand = defineCommand({
  name: 'sync',
  summary: 'one incremental cycle, for cron: pulls what changed, then pushes local edits',
  description: 'Starts with a backfill where there was none.',
  needs: ['api', 'warehouse', 'mirror'],
  json: true,
  async run(context) {
    const { withEngine } = await import('../../app.ts');
    const { runSync } = await import('../../sync.ts');
    printSummary(context, 'sync', await withEngine(context, runSync));
    return 0;
  },
});

export const pullCommand = defineCommand({
  name: 'pull',
  summary: 'bring what changed at the source into the warehouse',
  needs: ['api', 'warehouse', 'mirror'],
  json: true,
  async run(context) {
    const { withEngine } = await import('../../app.ts');
    const { runPull } = await import('../../sync.ts');
    printSummary(context, 'pull', await withEngine(context, runPull));
    return 0;
  },
});
