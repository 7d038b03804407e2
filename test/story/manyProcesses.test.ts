/** Workers, a cron line and a person at once: each cycle is done once, and who comes second is told so. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningCli } from '../support/cli.ts';
import { type Mirror, startMirror } from '../support/mirror.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { backfillsDone, equality, eventually } from '../support/story.ts';

let mirror: Mirror;
let redis: TestRedis;
let workers: RunningCli[] = [];

beforeEach(async () => {
  redis = await startRedis();
});
afterEach(async () => {
  for (const { child } of workers) child.kill('SIGKILL');
  await Promise.all(workers.map(({ done }) => done));
  workers = [];
  await mirror.close();
  await redis.close();
});

function work(more: Readonly<Record<string, string>> = {}): RunningCli {
  const fixed = { REDIS_URL: redis.url, HTTP_ADDRESS: '127.0.0.1:0', MIRROR_CONCURRENCY: '2' };
  const worker = mirror.start(['worker'], {
    ...fixed,
    MIRROR_PULL_SECONDS: '1',
    MIRROR_PUSH_SECONDS: '1',
    ...more,
  });
  workers.push(worker);
  return worker;
}

describe('many processes on one mirror', () => {
  it('share a backfill, do each cycle once, and leave the mirror equal', async () => {
    mirror = await startMirror('postgres', { clients: 6_000, pageCap: 200, latencyMs: 20 });
    // MANY_WORKERS=10 for a machine with memory and time.
    for (let count = Number(process.env.MANY_WORKERS ?? 4); count > 0; count -= 1) work();
    const person = mirror.start(['backfill', '--concurrency', '2']);
    const cron = mirror.start(['sync']);
    expect([0, 75]).toContain((await person.done).exit);
    expect([0, 75]).toContain((await cron.done).exit);
    // One for all; a person whose process comes up when it is over already begins another.
    await eventually(async () => {
      const states = (await mirror.read('SELECT state FROM mirror_backfills')).map(({ state }) => state);
      return [1, 2].includes(states.length) && states.every((state) => state === 'done') ? true : states;
    });
    await eventually(() => equality(mirror));

    // While workers pull each second, a cron line that meets one ends with 75, and else does the cycle itself.
    const { source } = mirror.simulator;
    const exits: (number | null)[] = [];
    for (const row of source.all().slice(0, 4)) {
      source.update(row.id, { fax: `round ${exits.length}` });
      exits.push((await mirror.run(['sync'])).exit);
    }
    expect(exits.every((exit) => exit === 0 || exit === 75)).toBe(true);
    await eventually(() => equality(mirror));
    const runs = await mirror.read(
      "SELECT count(*) AS n FROM mirror_runs WHERE kind = 'pull' AND state = 'failed'",
    );
    expect(Number(runs[0]?.n)).toBe(0);
  }, 120_000);

  it('pulls and pushes at their pace, never two at a time, and Redis does not grow', async () => {
    // WORKER_HOUR=1: the cycles of an hour, and more pulls than one has, a second each.
    const wholeSeconds = process.env.WORKER_HOUR === '1' ? 300 : 12;
    mirror = await startMirror('sqlite', { clients: 20, latencyMs: 150 });
    work();
    work();
    await eventually(() => backfillsDone(mirror, 1));
    const runs = async (kind: string): Promise<number> => {
      const [row] = await mirror.read(`SELECT sum(count) AS n FROM mirror_runs WHERE kind = '${kind}'`);
      return Number(row?.n);
    };
    await eventually(async () => (await runs('pull')) >= 2);
    mirror.simulator.requests.clear();
    const [before, startedMs] = [await Promise.all([runs('pull'), runs('push')]), Date.now()];
    const keys: number[] = [];
    const { source } = mirror.simulator;
    while (Date.now() - startedMs < wholeSeconds * 1000) {
      await delay(2_000);
      source.update(source.all()[0]?.id ?? '', { fax: `after ${keys.length}` });
      keys.push(await redis.client.dbsize());
    }
    const [after, seconds] = [
      await Promise.all([runs('pull'), runs('push')]),
      (Date.now() - startedMs) / 1000,
    ];
    // One a second, as many as the clock says, whatever the number of workers.
    for (const [index, kind] of ['pull', 'push'].entries()) {
      const made = (after[index] ?? 0) - (before[index] ?? 0);
      expect(made, kind).toBeGreaterThanOrEqual(Math.floor(seconds) - 3 - Math.floor(seconds / 50));
      expect(made, kind).toBeLessThanOrEqual(Math.ceil(seconds) + 2);
    }
    // A pull has one request for each of its two streams.
    expect(mirror.simulator.requests.runningMax).toBeLessThanOrEqual(2);
    // Finished jobs are kept, fifty of a kind; then it stays as it is.
    expect(Math.max(...keys)).toBeLessThan(200);
    const full = keys.slice(Math.ceil(60 / 2));
    if (full.length > 0) expect(Math.max(...full) - Math.min(...full)).toBeLessThan(10);
    await eventually(() => equality(mirror));
    const failed = await mirror.read('SELECT count(*) AS n FROM mirror_runs WHERE error IS NOT NULL');
    expect(Number(failed[0]?.n)).toBe(0);
  }, 400_000);
});
