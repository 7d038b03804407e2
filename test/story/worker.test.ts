/** The worker as a whole program: it mirrors a new warehouse by itself, keeps it current, and leaves when asked. */
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SimulatorOptions } from '../../src/simulator/simulator.ts';
import type { RunningCli } from '../support/cli.ts';
import { ENGINES, type EngineName, type Mirror, startMirror } from '../support/mirror.ts';
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

async function begin(engine: EngineName, options: SimulatorOptions): Promise<void> {
  mirror = await startMirror(engine, options);
}

function work(more: Readonly<Record<string, string>> = {}): RunningCli {
  const settings = {
    REDIS_URL: redis.url,
    HTTP_ADDRESS: '127.0.0.1:0',
    MIRROR_PULL_SECONDS: '1',
    MIRROR_PUSH_SECONDS: '1',
    ...more,
  };
  const worker = mirror.start(['worker'], settings);
  workers.push(worker);
  return worker;
}

function faceOf(worker: RunningCli): string {
  return /HTTP face at (\S+)/.exec(worker.output().stderr)?.[1] ?? '';
}

async function readiness(worker: RunningCli): Promise<{ status: number; body: unknown }> {
  const answer = await fetch(`${faceOf(worker)}/readyz`);
  return { status: answer.status, body: await answer.json() };
}

/** Runs SQL as the mirror's user does. */
async function edit(sql: string): Promise<void> {
  const client = new Client({ connectionString: mirror.warehouseUrl });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

describe.each(ENGINES)('worker on %s', (engine) => {
  it('mirrors a new warehouse by itself, keeps it current, and drains on SIGTERM', async () => {
    await begin(engine, { clients: 1_200, pageCap: 100 });
    const worker = work();
    await eventually(() => backfillsDone(mirror, 1));
    await eventually(() => equality(mirror));
    const [first] = mirror.simulator.source.all();
    mirror.simulator.source.update(first?.id ?? '', { fax: 'changed there' });
    await eventually(() => equality(mirror));
    expect(await readiness(worker)).toEqual({
      status: 200,
      body: { ready: true, redis: 'ok', warehouse: 'ok' },
    });
    const metrics = await (await fetch(`${faceOf(worker)}/metrics`)).text();
    for (const line of [
      'mirror_clients{state="live"} 1200',
      'mirror_rows_total{kind="backfill",what="written"} 1200',
      'mirror_requests_total{method="GET",status="200"}',
      'mirror_run_duration_seconds_count{job="pull",outcome="done"}',
      'mirror_lag_seconds ',
      'mirror_edits_pending 0',
    ]) {
      expect(metrics).toContain(line);
    }
    const startedMs = Date.now();
    worker.child.kill('SIGTERM');
    expect(await worker.done).toMatchObject({ exit: 0, signal: null });
    expect(Date.now() - startedMs).toBeLessThan(10_000);
  });
});

describe('worker', () => {
  it('pushes an edit in Postgres at once', async () => {
    await begin('postgres', { clients: 50 });
    await mirror.ok(['backfill']);
    // Without NOTIFY the next look would be minutes away.
    const worker = work({ MIRROR_PUSH_SECONDS: '300' });
    await worker.until('worker runs');
    await delay(1_500);
    const [row] = mirror.simulator.source.all();
    await edit(`UPDATE clients SET fax = 'edited here' WHERE id = '${row?.id}'`);
    await eventually(async () => mirror.simulator.source.get(row?.id ?? '')?.fax === 'edited here', 10_000);
  });

  it('waits for a Redis that is away, says so, goes on by itself after a restart and a flush, and leaves without it', async () => {
    await begin('sqlite', { clients: 400 });
    await redis.kill();
    const worker = work();
    await worker.until('Redis is away');
    await eventually(async () => (await readiness(worker)).status === 503);
    expect(await readiness(worker)).toMatchObject({ body: { ready: false, redis: 'away' } });
    await redis.start();
    await eventually(() => equality(mirror));
    await eventually(() => backfillsDone(mirror, 1));

    const { source } = mirror.simulator;
    const [first, second] = source.all();
    await redis.client.flushall();
    source.update(first?.id ?? '', { fax: 'after the flush' });
    await eventually(() => equality(mirror));

    await redis.kill();
    await eventually(async () => (await readiness(worker)).status === 503);
    source.update(second?.id ?? '', { fax: 'while Redis was away' });
    await redis.start();
    await eventually(() => equality(mirror));
    expect((await readiness(worker)).status).toBe(200);
    expect(await backfillsDone(mirror, 1)).toBe(true);

    await redis.kill();
    await eventually(async () => (await readiness(worker)).status === 503);
    const startedMs = Date.now();
    worker.child.kill('SIGTERM');
    expect(await worker.done).toMatchObject({ exit: 0, signal: null });
    expect(Date.now() - startedMs).toBeLessThan(10_000);
  });

  it('aborts on the second signal', async () => {
    await begin('sqlite', { clients: 50, latencyMs: 3_000 });
    const worker = work();
    await worker.until('worker runs');
    worker.child.kill('SIGTERM');
    await delay(300);
    worker.child.kill('SIGTERM');
    expect(await worker.done).toMatchObject({ exit: null, signal: 'SIGTERM' });
  });

  it('is one scheduler a job, however often it is started', async () => {
    await begin('sqlite', { clients: 1 });
    // WORKER_RESTARTS=200 for a longer night.
    const restarts = Number(process.env.WORKER_RESTARTS ?? 20);
    for (let started = 0; started < restarts; started += 10) {
      const both = Array.from({ length: Math.min(10, restarts - started) }, () => work());
      await Promise.all(both.map((one) => one.until('worker runs')));
      await eventually(async () => (await redis.client.keys('*:pull:repeat')).length === 1);
      for (const one of both) one.child.kill('SIGTERM');
      await Promise.all(both.map(({ done }) => done));
    }
    for (const name of ['pull', 'push']) {
      const [key = ''] = await redis.client.keys(`*:${name}:repeat`);
      expect(await redis.client.zrange(key, '0', '-1')).toEqual([name]);
      const [delayed = ''] = await redis.client.keys(`*:${name}:delayed`);
      const [waiting = ''] = await redis.client.keys(`*:${name}:wait`);
      const jobs =
        (delayed === '' ? 0 : Number(await redis.client.zcard(delayed))) +
        (waiting === '' ? 0 : Number(await redis.client.llen(waiting)));
      expect(jobs).toBe(1);
    }
  }, 1_200_000);

  it('keeps few jobs in Redis, and warns of one that evicts them', async () => {
    await redis.client.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await begin('sqlite', { clients: 1 });
    const worker = work();
    await worker.until('maxmemory-policy allkeys-lru');
    await worker.until('worker runs');
    await eventually(() => backfillsDone(mirror, 1));
    const { client } = redis;
    await eventually(async () => (await client.keys('*:push:completed')).length === 1);
    const [completed = ''] = await client.keys('*:push:completed');
    expect(completed).not.toBe('');
    await eventually(async () => (await client.zcard(completed)) >= 3);
    const [meta = ''] = await client.keys('*:push:meta');
    expect(await client.hget(meta, 'opts.maxLenEvents')).toBe('1000');
  });
});

describe('backfill --enqueue', () => {
  it('hands a new backfill to the workers and does not wait for it', async () => {
    await begin('postgres', { clients: 3_000, pageCap: 200 });
    const both = [work(), work()];
    await Promise.all(both.map((one) => one.until('worker runs')));
    await eventually(() => backfillsDone(mirror, 1));
    await mirror.read('SELECT 1 AS one');
    const { stdout } = await mirror.ok(['backfill', '--enqueue', '--json'], { REDIS_URL: redis.url });
    expect(JSON.parse(stdout)).toMatchObject({ backfillId: 2 });
    await eventually(() => backfillsDone(mirror, 2));
    expect(await mirror.differences()).toEqual([]);
  });

  it('ends with 1 and words when Redis is away', async () => {
    await begin('sqlite', { clients: 1 });
    await redis.kill();
    const { exit, stderr } = await mirror.run(['backfill', '--enqueue'], { REDIS_URL: redis.url });
    expect(exit).toBe(1);
    expect(stderr).toContain('REDIS_URL');
    expect(await mirror.read('SELECT id FROM mirror_backfills')).toEqual([]);
  });
});
