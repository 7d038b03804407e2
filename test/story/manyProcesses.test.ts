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
    for (let count = 0; count < 4; count += 1) work();
    const person = mirror.start(['backfill', '--concurrency', '2']);
    const cron = mirror.start(['sync']);
    expect([0, 75]).toContain((await person.done).exit);
    expect([0, 75]).toContain((await cron.done).exit);
    await eventually(() => backfillsDone(mirror, 1));
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

  it('pulls at its pace, never two at a time, and Redis does not grow', async () => {
    mirror = await startMirror('sqlite', { clients: 20 });
    work();
    work();
    await eventually(() => backfillsDone(mirror, 1));
    const pulls = async (): Promise<number> => {
      const [row] = await mirror.read("SELECT sum(count) AS n FROM mirror_runs WHERE kind = 'pull'");
      return Number(row?.n);
    };
    await eventually(async () => (await pulls()) >= 2);
    const [before, startedMs] = [await pulls(), Date.now()];
    await delay(12_000);
    const [made, seconds] = [(await pulls()) - before, (Date.now() - startedMs) / 1000];
    // One a second, as many as the clock says, whatever the number of workers.
    expect(made).toBeGreaterThanOrEqual(Math.floor(seconds) - 3);
    expect(made).toBeLessThanOrEqual(Math.ceil(seconds) + 2);
    expect(await redis.client.dbsize()).toBeLessThan(400);
    const open = await mirror.read(
      "SELECT count(*) AS n FROM mirror_runs WHERE kind = 'pull' AND error IS NOT NULL",
    );
    expect(Number(open[0]?.n)).toBe(0);
  }, 90_000);
});
