/** `worker`: the long-running container. Everything that it stands on is loaded by it alone. */
import { createRedactor } from '../../../config/redact.ts';
import type { Config } from '../../../config/settings.ts';
import type { RedisConnections } from '../../../jobs/redis.ts';
import type { Clock } from '../../clock.ts';
import { SyncError } from '../../errors.ts';
import type { Warehouse } from '../../warehouse/warehouse.ts';
import { type Command, type CommandContext, defineCommand } from '../command.ts';

export const workerCommand: Command = defineCommand({
  name: 'worker',
  summary: 'the long-running container: scheduled jobs on Redis, and an HTTP face',
  description:
    'Pulls, pushes local edits, reconciles each night and backfills a new warehouse, by itself, until it is stopped; any number may run at once. The first SIGTERM drains it within ten seconds (exit 0), a second one kills it.',
  needs: ['api', 'warehouse', 'mirror', 'queue', 'worker'],
  json: false,
  tracesItself: true,
  async run(context) {
    const [{ runWorker }, { startHttpFace }, { createMetrics }] = await Promise.all([
      import('../../../jobs/worker.ts'),
      import('../../http/server.ts'),
      import('../../observe/metrics.ts'),
    ]);
    const { config, clock, log, signal, traces } = context;
    const metrics = createMetrics();
    const parts = await createParts(context);
    const face = await startHttpFace({
      address: config.httpAddress,
      hosts: config.httpHosts ?? [],
      token: await httpToken(config, clock),
      clock,
      ...parts.face,
      async metrics({ redisIsUp, warehouseIsUp, status }) {
        const oldestPendingMs = status === null ? undefined : await parts.oldestPendingMs();
        return metrics.render({ status, oldestPendingMs, redisIsUp, warehouseIsUp }, clock.now());
      },
    });
    log.info(`HTTP face at ${face.url}`);
    try {
      await runWorker({
        ...{ config, clock, log, signal },
        emit(event) {
          metrics.emit(event);
          traces?.emit(event);
        },
        tell: context.emit,
        traces,
        redact: createRedactor(config),
        onJob: metrics.jobDone,
        onRedis: parts.setRedis,
        onWarehouse: parts.setWarehouse,
        onQueues: (queues) => face.showQueues(Object.values(queues.all)),
      });
      return 0;
    } finally {
      await face.close();
    }
  },
});

/** What the face asks of Redis and the warehouse, before and after they are there. */
async function createParts({ clock }: CommandContext) {
  const [{ readStatus }, { readOldestPendingMs }] = await Promise.all([
    import('../../status.ts'),
    import('../../observe/oldestPending.ts'),
  ]);
  let redis: RedisConnections | null = null;
  let warehouse: Warehouse | null = null;
  return {
    setRedis(made: RedisConnections) {
      redis = made;
    },
    setWarehouse(made: Warehouse) {
      warehouse = made;
    },
    oldestPendingMs: async () =>
      warehouse === null ? undefined : readOldestPendingMs(warehouse).catch(() => undefined),
    face: {
      checkRedis: async () => (redis === null ? 'not connected yet' : redis.check()),
      async checkWarehouse() {
        if (warehouse === null) return 'not opened yet';
        await warehouse.read({ sql: 'SELECT 1 AS one', params: [] });
        return null;
      },
      async readStatus() {
        if (warehouse === null) throw new SyncError('WAREHOUSE_AWAY', 'the warehouse is not opened yet');
        return readStatus(warehouse, clock);
      },
    },
  };
}

/** @throws SyncError SETTINGS when the file that holds the token cannot be read. */
async function httpToken(config: Config, clock: Clock): Promise<(() => Promise<string>) | null> {
  const { httpToken: token, httpTokenFile } = config;
  if (token !== null) return async () => token;
  if (httpTokenFile === null) return null;
  const { createTokenSource } = await import('../../api/token.ts');
  const source = createTokenSource({ file: httpTokenFile }, clock);
  await source.current();
  return () => source.current();
}
