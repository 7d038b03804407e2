/** `worker`: the long-running container. Everything that it stands on is loaded by it alone. */
import { createRedactor } from '../../../config/redact.ts';
import { type Command, defineCommand } from '../command.ts';

export const workerCommand: Command = defineCommand({
  name: 'worker',
  summary: 'the long-running container: scheduled jobs on Redis, and an HTTP face',
  description:
    'Pulls, pushes local edits and backfills a new warehouse, by itself, until it is stopped; any number may run at once. The first SIGTERM drains it within ten seconds (exit 0), a second one kills it.',
  needs: ['api', 'warehouse', 'mirror', 'queue', 'worker'],
  json: false,
  async run(context) {
    const { runWorker } = await import('../../../jobs/worker.ts');
    const { config, clock, emit, log, signal } = context;
    await runWorker({
      ...{ config, clock, emit, log, signal },
      redact: createRedactor(config),
      onJob: () => undefined,
      onRunning: () => undefined,
      onRedis: () => undefined,
    });
    return 0;
  },
});
