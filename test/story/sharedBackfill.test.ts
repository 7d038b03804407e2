/** A backfill that many processes share, and what may befall them meanwhile. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { RunningCli } from '../support/cli.ts';
import { type Mirror, startMirror } from '../support/mirror.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { backfillsDone, eventually } from '../support/story.ts';

let mirror: Mirror;
let redis: TestRedis;
let workers: RunningCli[] = [];

afterEach(async () => {
  for (const { child } of workers) child.kill('SIGKILL');
  await Promise.all(workers.map(({ done }) => done));
  workers = [];
  await mirror.close();
  await redis.close();
});

function work(more: Readonly<Record<string, string>>): RunningCli {
  const fixed = { REDIS_URL: redis.url, HTTP_ADDRESS: '127.0.0.1:0', MIRROR_PULL_SECONDS: '1' };
  const worker = mirror.start(['worker'], { ...fixed, ...more });
  workers.push(worker);
  return worker;
}

describe('a backfill shared by three workers', () => {
  it('is equal to the source: one killed, one paused beyond its leases and woken, Redis flushed', async () => {
    redis = await startRedis();
    mirror = await startMirror('postgres', { clients: 50_000, pageCap: 500, latencyMs: 250 });
    const env = { MIRROR_CONCURRENCY: '2', MIRROR_PAGE_SIZE: '500' };
    const [killed, paused] = [work(env), work(env), work(env)];
    await Promise.all(workers.map((one) => one.until('worker runs')));
    const rowsAbove = (count: number) => async () => {
      const [row] = await mirror.read('SELECT count(*) AS n FROM clients');
      return Number(row?.n) > count || Number(row?.n);
    };
    await eventually(rowsAbove(3_000));
    paused?.child.kill('SIGSTOP');
    killed?.child.kill('SIGKILL');
    await eventually(rowsAbove(8_000));
    await redis.client.flushall();
    const stale = await mirror.read(
      "SELECT name, holder, fence FROM mirror_leases WHERE name LIKE 'window:%' AND holder IS NOT NULL",
    );
    expect(stale.length).toBeGreaterThan(0);
    // The paused worker's windows are waited for until its leases run out.
    await eventually(() => backfillsDone(mirror, 1), 120_000);
    expect(await mirror.differences()).toEqual([]);
    const [before] = await mirror.read('SELECT sum(_revision) AS revisions FROM clients');
    paused?.child.kill('SIGCONT');
    const face = /HTTP face at (\S+)/.exec(paused?.output().stderr ?? '')?.[1];
    await eventually(async () => (await fetch(`${face}/readyz`)).status === 200);
    await delay(1_500);
    // It was woken with pages in its hands, and none of them got in: any write would have raised a revision.
    expect((await mirror.read('SELECT sum(_revision) AS revisions FROM clients'))[0]).toEqual(before);
  }, 200_000);
});
