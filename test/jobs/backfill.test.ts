/** A backfill handed to the workers on a real Redis, and what may befall Redis meanwhile. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { loadConfig } from '../../config/load.ts';
import { type SharedBackfill, shareBackfill } from '../../jobs/backfill.ts';
import { createQueues, type Queues } from '../../jobs/queue.ts';
import { connectRedis, type RedisConnections } from '../../jobs/redis.ts';
import { withEngine } from '../../src/app.ts';
import { systemClock } from '../../src/clock.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let folder: string;
let simulator: Simulator;
let server: TestRedis;
let redis: RedisConnections;
let queues: Queues;
const { signal } = new AbortController();

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'clients-mirror-'));
  simulator = await startSimulator({ clients: 100, seed: 1 });
  server = await startRedis();
  redis = connectRedis(server.url, { onAway: () => undefined, onBack: () => undefined });
  await redis.ready(signal);
  queues = createQueues(redis, 'one');
});
afterEach(async () => {
  await queues.close();
  redis.close();
  await server.close();
  await simulator.close();
  rmSync(folder, { recursive: true });
});

function share(): Promise<SharedBackfill> {
  const env = {
    CLIENTS_API_URL: simulator.url,
    CLIENTS_API_TOKEN: simulator.token,
    WAREHOUSE_URL: `sqlite:${join(folder, 'clients.db')}`,
  };
  const config = loadConfig({ env, needs: ['api', 'warehouse', 'mirror'] });
  return withEngine({ config, clock: systemClock, emit: () => undefined, signal }, (engine) =>
    shareBackfill(engine, { queues, lanes: 2, restart: false }),
  );
}

/** Jobs that wait: windows, and the parent behind them. */
async function waiting(): Promise<{ windows: number; parents: number }> {
  const { window, backfill } = queues.all;
  return {
    windows: await window.getJobCountByTypes('waiting'),
    parents: await backfill.getJobCountByTypes('waiting-children'),
  };
}

it('puts a job behind each open window, once, and the parent behind them', async () => {
  const { windowsOpen, windowsAdded } = await share();
  expect(windowsOpen).toBeGreaterThan(1);
  expect(windowsAdded).toBe(windowsOpen);
  expect(await waiting()).toEqual({ windows: windowsOpen, parents: 1 });
  expect(await share()).toMatchObject({ windowsOpen, windowsAdded: 0 });
  expect(await waiting()).toEqual({ windows: windowsOpen, parents: 1 });
});

it('puts all of them back that a flush took, also one between its look at the parent and its windows', async () => {
  const { windowsOpen } = await share();
  const { backfill } = queues.all;
  const getJob = backfill.getJob.bind(backfill);
  backfill.getJob = async (id) => {
    const job = await getJob(id);
    backfill.getJob = getJob;
    await server.client.flushall();
    return job;
  };
  expect(await share()).toMatchObject({ windowsOpen, windowsAdded: windowsOpen });
  expect(await waiting()).toEqual({ windows: windowsOpen, parents: 1 });
});
