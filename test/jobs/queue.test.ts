/** Schedulers and queues on a real Redis. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../config/load.ts';
import { createQueues, type Queues } from '../../jobs/queue.ts';
import { asRedisError, connectRedis, type RedisConnections } from '../../jobs/redis.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let server: TestRedis;
let redis: RedisConnections;
let queues: Queues;
const signal = new AbortController().signal;
const config = loadConfig({ env: {} });

beforeEach(async () => {
  server = await startRedis();
  redis = connectRedis(server.url, { onAway: () => undefined, onBack: () => undefined });
  await redis.ready(signal);
  queues = createQueues(redis, 'one');
});
afterEach(async () => {
  await queues.close();
  redis.close();
  await server.close();
});

async function schedulers(): Promise<unknown[]> {
  const all = await Promise.all(Object.values(queues.all).map((queue) => queue.getJobSchedulers()));
  return all.flat().map(({ key, every, pattern }) => [key, every === undefined ? pattern : Number(every)]);
}

describe('upsertSchedulers', () => {
  it('makes one scheduler a scheduled job, however many call it at once', async () => {
    await Promise.all(Array.from({ length: 20 }, () => queues.upsertSchedulers(config)));
    expect(await schedulers()).toEqual([
      ['pull', 60_000],
      ['push', 5_000],
      ['reconcile', '0 3 * * *'],
    ]);
    for (const name of ['pull', 'push', 'reconcile'] as const) {
      expect(await queues.all[name].getJobCountByTypes('waiting', 'delayed')).toBe(1);
    }
  });

  it('takes over a changed setting, and takes away what is to run never', async () => {
    await queues.upsertSchedulers(config);
    await queues.upsertSchedulers(
      loadConfig({ env: { MIRROR_PULL_SECONDS: '7', MIRROR_RECONCILE_CRON: '' } }),
    );
    expect(await schedulers()).toEqual([
      ['pull', 7_000],
      ['push', 5_000],
    ]);
    expect(await queues.all.pull.getJobCountByTypes('waiting', 'delayed')).toBe(1);
    expect(await queues.all.reconcile.getJobCountByTypes('waiting', 'delayed')).toBe(0);
  });

  it('puts back what a flush took, and a turn that was lost', async () => {
    await queues.upsertSchedulers(config);
    await server.client.flushall();
    await queues.upsertSchedulers(config);
    expect(await schedulers()).toHaveLength(3);
    const [job] = await queues.all.push.getJobs(['waiting', 'delayed']);
    await server.client.del(
      `${queues.prefix}:push:wait`,
      `${queues.prefix}:push:delayed`,
      `${queues.prefix}:push:${job?.id}`,
    );
    await queues.upsertSchedulers(config);
    expect(await queues.all.push.getJobCountByTypes('waiting', 'delayed')).toBe(1);
  });

  it('writes nothing where all is as it should be', async () => {
    await queues.upsertSchedulers(config);
    const [before] = await queues.all.push.getJobs(['waiting', 'delayed']);
    await queues.upsertSchedulers(config);
    const [after] = await queues.all.push.getJobs(['waiting', 'delayed']);
    expect(after?.id).toBe(before?.id);
  });
});

describe('pushSoon', () => {
  it('is one job for all who ask', async () => {
    await Promise.all(Array.from({ length: 50 }, () => queues.pushSoon()));
    expect(await queues.all.push.getJobCountByTypes('waiting', 'delayed')).toBe(1);
  });

  it('fails at once while Redis is away', async () => {
    await server.kill();
    const startedMs = Date.now();
    const error: unknown = await queues.pushSoon().catch((thrown: unknown) => thrown);
    expect(Date.now() - startedMs).toBeLessThan(2_000);
    // A job that meets it fails with words for a person, not with those of a bug.
    expect(asRedisError(error, redis.label)).toMatchObject({ code: 'REDIS_AWAY', retry: 'later' });
    expect(await redis.check()).not.toBeNull();
  });
});

describe('createQueues', () => {
  it('keeps the mirrors that share a Redis apart', async () => {
    const others = createQueues(redis, 'two');
    await queues.pushSoon();
    expect(await others.all.push.getJobCountByTypes('waiting')).toBe(0);
    await others.close();
  });
});
