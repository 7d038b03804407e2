/** Hands a backfill to the workers, for a person or a script that does not want to wait for it. */

import type { Config } from '../config/settings.ts';
import { withTimeLimit } from '../src/abort.ts';
import { type AppOptions, withEngine } from '../src/app.ts';
import { SyncError } from '../src/errors.ts';
import { readIdentity } from '../src/ledger/identity.ts';
import { type SharedBackfill, shareBackfill } from './backfill.ts';
import { createQueues } from './queue.ts';
import { connectRedis } from './redis.ts';

const REDIS_WITHIN_MS = 5_000;

/**
 * Begins a backfill, or goes on with an unfinished one, and gives its windows to the workers.
 * @throws SyncError REDIS_AWAY; the backfill is not begun then.
 */
export async function enqueueBackfill(options: AppOptions, restart: boolean): Promise<SharedBackfill> {
  const { config, signal } = options;
  const redis = connectRedis(config.redisUrl, { onAway: () => undefined, onBack: () => undefined });
  try {
    await withTimeLimit(REDIS_WITHIN_MS, signal, redis.ready).catch(async () => {
      signal.throwIfAborted();
      throw new SyncError('REDIS_AWAY', `${redis.label} does not answer: ${await redis.check()}`);
    });
    return await withEngine(options, async (engine) => {
      const queues = createQueues(redis, await readIdentity(engine.warehouse));
      try {
        return await shareBackfill(engine, { queues, lanes: await countLanes(config, queues), restart });
      } finally {
        await queues.close();
      }
    });
  } finally {
    redis.close();
  }
}

async function countLanes(config: Config, queues: ReturnType<typeof createQueues>): Promise<number> {
  const workers = await queues.all.window.getWorkersCount().catch(() => 1);
  return Math.max(1, workers) * config.concurrency;
}
