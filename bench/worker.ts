/**
 * What does the road over Redis cost? A backfill by one worker against the plain command, three workers against
 * one at 200 ms a request, and the way of a local edit in Postgres to its PATCH. Both sides read clients that are in
 * the mirror already, from the first page to the end of the catch-up pull. How busy all cores were stands beside each
 * speed: near 100 % it says what the machine can do, and no more what latency costs.
 */
import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { systemClock } from '../src/clock.ts';
import { openWarehouse } from '../src/warehouse/open.ts';
import type { Warehouse } from '../src/warehouse/warehouse.ts';
import { type RunningCli, runCli, startCli } from '../test/support/cli.ts';
import { startPostgres } from '../test/support/postgresServer.ts';
import { startRedis, type TestRedis } from '../test/support/redis.ts';
import { freshWarehouse, median, perSecond, type Server, startServer, table } from './table.ts';

const CLIENTS = Number(process.env.BENCH_CLIENTS ?? 200_000);
const PAIRS = Number(process.env.BENCH_PAIRS ?? 3);
/** Small enough that requests are waited for, and not the two cores of the bench's machine. */
const FAR_PAGE = Number(process.env.BENCH_PAGE ?? 250);
const EDITS = Number(process.env.BENCH_EDITS ?? 50);

type Env = Readonly<Record<string, string>>;

function envOf(server: Server, redis: TestRedis, warehouseUrl: string, concurrency: number): Env {
  return {
    CLIENTS_API_URL: server.url,
    CLIENTS_API_TOKEN: server.token,
    WAREHOUSE_URL: warehouseUrl,
    REDIS_URL: redis.url,
    MIRROR_CONCURRENCY: String(concurrency),
    MIRROR_RECONCILE_CRON: '',
    HTTP_ADDRESS: '127.0.0.1:0',
  };
}

/** Milliseconds of the newest finished backfill; null: there is none. */
async function lastBackfill(warehouse: Warehouse): Promise<{ id: number; ms: number } | null> {
  const sql =
    "SELECT id, started_at, finished_at FROM mirror_backfills WHERE state = 'done' ORDER BY id DESC LIMIT 1";
  const [row] = await warehouse.read({ sql, params: [] });
  if (row === undefined) return null;
  const at = (name: string) => Date.parse(String(row[name]).replace(/(\.\d{3})\d*Z/, '$1Z'));
  return { id: Number(row.id), ms: at('finished_at') - at('started_at') };
}

async function finished(warehouse: Warehouse, id: number): Promise<number> {
  for (;;) {
    const last = await lastBackfill(warehouse);
    if (last !== null && last.id >= id) return last.ms;
    await delay(500);
  }
}

async function must(args: readonly string[], env: Env): Promise<void> {
  const { exit, stderr } = await runCli(args, { env });
  if (exit !== 0) throw new Error(stderr);
}

async function stop(workers: readonly RunningCli[]): Promise<void> {
  for (const { child } of workers) child.kill('SIGTERM');
  await Promise.all(workers.map(({ done }) => done));
}

async function startWorkers(count: number, env: Env): Promise<RunningCli[]> {
  const workers = Array.from({ length: count }, () => startCli(['worker'], { env }));
  await Promise.all(workers.map((worker) => worker.until('worker runs')));
  return workers;
}

/** Milliseconds that all cores together have worked, and were there, since the machine started. */
function coreTimes(): { readonly busyMs: number; readonly allMs: number } {
  const times = cpus().map(({ times: { user, nice, sys, irq, idle } }) => ({
    busy: user + nice + sys + irq,
    idle,
  }));
  const busyMs = times.reduce((sum, { busy }) => sum + busy, 0);
  return { busyMs, allMs: times.reduce((sum, { idle }) => sum + idle, busyMs) };
}

interface Speed {
  readonly perSecond: number;
  /** Share of all cores that worked meanwhile, for us or for others. */
  readonly busy: number;
}

/** A second backfill, by so many workers; 0: by the plain command. */
async function speedOf(workers: number, env: Env): Promise<Speed> {
  const url = env.WAREHOUSE_URL ?? '';
  const warehouse = await openWarehouse({ url, schema: 'public', clock: systemClock });
  try {
    if ((await lastBackfill(warehouse)) === null) await must(['backfill'], env);
    const id = ((await lastBackfill(warehouse))?.id ?? 0) + 1;
    const running = await startWorkers(workers, env);
    // All of them are known to Redis before the windows are cut.
    if (workers > 0) await delay(1_000);
    const before = coreTimes();
    await must(workers === 0 ? ['backfill'] : ['backfill', '--enqueue'], env);
    const ms = await finished(warehouse, id);
    const after = coreTimes();
    await stop(running);
    const busy = (after.busyMs - before.busyMs) / (after.allMs - before.allMs);
    return { perSecond: (CLIENTS / ms) * 1000, busy };
  } finally {
    await warehouse.close();
  }
}

async function compare(env: Env, first: number, second: number): Promise<readonly string[]> {
  const pairs: (readonly [Speed, Speed])[] = [];
  for (let pair = 0; pair < PAIRS; pair += 1) {
    pairs.push([await speedOf(first, env), await speedOf(second, env)]);
  }
  const cells = ([0, 1] as const).map((index) => {
    const speeds = pairs.map((pair) => pair[index]);
    const busy = Math.round(100 * median(speeds.map((speed) => speed.busy)));
    return `${perSecond(median(speeds.map((speed) => speed.perSecond)))} (cores ${busy} %)`;
  });
  return [...cells, median(pairs.map(([a, b]) => b.perSecond / a.perSecond)).toFixed(2)];
}

/** Milliseconds from the commit of an edit until the source shows it. */
async function editTimes(env: Env): Promise<readonly number[]> {
  const url = env.WAREHOUSE_URL ?? '';
  const workers = await startWorkers(1, env);
  const user = new Client({ connectionString: url });
  await user.connect();
  const { rows } = await user.query<{ id: string }>(`SELECT id FROM clients LIMIT ${EDITS}`);
  const times: number[] = [];
  await delay(1_500);
  for (const [index, { id }] of rows.entries()) {
    await user.query('UPDATE clients SET fax = $1 WHERE id = $2', [`bench ${index}`, id]);
    const startedMs = performance.now();
    while ((await faxOf(env, id)) !== `bench ${index}`) await delay(5);
    times.push(performance.now() - startedMs);
  }
  await user.end();
  await stop(workers);
  return times;
}

async function faxOf(env: Env, id: string): Promise<unknown> {
  const headers = { authorization: `Bearer ${env.CLIENTS_API_TOKEN}` };
  const answer = await fetch(`${env.CLIENTS_API_URL}/clients/${id}`, { headers });
  return ((await answer.json()) as { fax: unknown }).fax;
}

const redis = await startRedis();
const postgres = await startPostgres();
const [near, far] = [await startServer(CLIENTS), await startServer(CLIENTS, 200)];
try {
  const sqlite = await freshWarehouse(null);
  const plain = await compare(envOf(near, redis, sqlite.warehouseUrl, 4), 0, 1);
  sqlite.remove();
  const shared = await freshWarehouse(postgres.url);
  const env = envOf(far, redis, shared.warehouseUrl, 2);
  const three = await compare({ ...env, MIRROR_PAGE_SIZE: String(FAR_PAGE) }, 1, 3);
  console.log(`Second backfill of ${CLIENTS.toLocaleString('en-US')} clients, ${PAIRS} pairs\n`);
  console.log(
    table(
      ['question', 'first', 'second', 'ratio', 'wanted'],
      [
        ['plain command, one worker (SQLite, concurrency 4)', ...plain, '0.90'],
        [`one worker, three (Postgres, 200 ms, concurrency 2 each, pages of ${FAR_PAGE})`, ...three, '2.00'],
      ],
    ),
  );
  const times = await editTimes({ ...env, CLIENTS_API_URL: near.url, CLIENTS_API_TOKEN: near.token });
  console.log(
    `\nAn edit in Postgres is at the source after ${Math.round(median(times))} ms (median of ${EDITS}).`,
  );
} finally {
  await near.stop();
  await far.stop();
  await postgres.stop();
  await redis.close();
}
