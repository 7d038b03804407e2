/** `sync` and `pull`: one incremental cycle, and its first half. */
import { type CommandContext, defineCommand } from '../command.ts';
import { printSummary } from '../summary.ts';

async function runPullCommand(context: CommandContext, name: string): Promise<0> {
  const { withEngine } = await import('../../app.ts');
  const { runPull } = await import('../../sync.ts');
  printSummary(context, name, await withEngine(context, runPull));
  return 0;
}

export const syncCommand = defineCommand({
  name: 'sync',
  summary: 'one incremental cycle, for cron; starts with a backfill where there was none',
  needs: ['api', 'warehouse', 'mirror'],
  json: true,
  run: (context) => runPullCommand(context, 'sync'),
});

export const pullCommand = defineCommand({
  name: 'pull',
  summary: 'bring what changed at the source into the warehouse',
  needs: ['api', 'warehouse', 'mirror'],
  json: true,
  run: (context) => runPullCommand(context, 'pull'),
});
