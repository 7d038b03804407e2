/** The worker as a whole program: it mirrors a new warehouse by itself, keeps it current, and leaves when asked. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ENGINES, type Mirror, startMirror } from '../support/mirror.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let mirror: Mirror | undefined;
let redis: TestRedis;
beforeEach(async () => {
  redis = await startRedis();
});
afterEach(async () => {
  await mirror?.close();
  mirror = undefined;
  await redis.close();
});

const settings = (more: Readonly<Record<string, string>> = {}) => ({
  REDIS_URL: redis.url,
  HTTP_ADDRESS: '127.0.0.1:0',
  MIRROR_PULL_SECONDS: '1',
  MIRROR_PUSH_SECONDS: '1',
  ...more,
});

/** Waits until it holds; the last answer is the message when it never does. */
async function eventually(hold: () => Promise<boolean>, withinMs = 30_000): Promise<void> {
  const until = Date.now() + withinMs;
  while (!(await hold())) {
    if (Date.now() > until) throw new Error('it never came');
    await delay(100);
  }
}

const isEqual = async (): Promise<boolean> => {
  const found = await mirror?.differences().catch(() => ['no table yet']);
  return found?.length === 0;
};

describe.each(ENGINES)('worker on %s', (engine) => {
  it('mirrors a new warehouse by itself, then pulls and pushes, and drains on SIGTERM', async () => {
    mirror = await startMirror(engine, { clients: 1_200, pageCap: 100 });
    const worker = mirror.start(['worker'], settings());
    await worker.until('worker runs');
    await eventually(isEqual);
    await eventually(async () => {
      const [row] =
        (await mirror?.read("SELECT count(*) AS n FROM mirror_backfills WHERE state = 'done'")) ?? [];
      return Number(row?.n) === 1;
    });
    const { source } = mirror.simulator;
    const [first, second] = source.all();
    source.update(first?.id ?? '', { fax: 'changed there' });
    await eventually(isEqual);
    await mirror.read(`SELECT 1`);
    expect(second).toBeDefined();
    const startedMs = Date.now();
    worker.child.kill('SIGTERM');
    expect(await worker.done).toMatchObject({ exit: 0, signal: null });
    expect(Date.now() - startedMs).toBeLessThan(10_000);
  });
});
