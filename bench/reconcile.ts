/**
 * What does it cost to compare a source and a mirror that agree? Against the bare sweep with the same pager, against a
 * backfill where every field is compared, and in memory as the number of clients grows.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ReconcileOneOptions } from './reconcileOne.ts';
import { median, output, perSecond, type Result, type Server, speed, startServer, table } from './table.ts';

const CLIENTS = Number(process.env.BENCH_CLIENTS ?? 1_000_000);
const PAIRS = Number(process.env.BENCH_PAIRS ?? 3);
const run = { pageSize: 1_000, concurrency: 4 };
const SCRIPT = fileURLToPath(new URL('reconcileOne.ts', import.meta.url));

async function measureOne(
  server: Server,
  warehouseUrl: string,
  what: ReconcileOneOptions['what'],
): Promise<Result> {
  const options: ReconcileOneOptions = { ...run, what, warehouseUrl, url: server.url, token: server.token };
  return JSON.parse(await output(['--import', 'tsx', SCRIPT, JSON.stringify(options)])) as Result;
}

/** Backfills, then measures each in turn, so that a machine whose speed drifts drifts for all. */
async function measureAll(clients: number, pairs: number) {
  const folder = mkdtempSync(join(tmpdir(), 'clients-mirror-bench-'));
  const warehouseUrl = `sqlite:${join(folder, 'clients.db')}`;
  const server = await startServer(clients);
  try {
    const backfill = await measureOne(server, warehouseUrl, 'backfill');
    await measureOne(server, warehouseUrl, 'sweep');
    const found = {
      backfill: [backfill],
      sweep: [] as Result[],
      plain: [] as Result[],
      deep: [] as Result[],
    };
    for (let pair = 0; pair < pairs; pair += 1) {
      for (const what of ['sweep', 'plain', 'deep'] as const) {
        found[what].push(await measureOne(server, warehouseUrl, what));
      }
    }
    return found;
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

const small = await measureAll(CLIENTS / 10, 1);
const large = await measureAll(CLIENTS, PAIRS);
const of = (results: readonly Result[]) => median(results.map(speed));
const peak = (results: readonly Result[]) => Math.max(...results.map(({ peakMb }) => peakMb));
const row = (name: string, what: 'backfill' | 'sweep' | 'plain' | 'deep', against: number | null) => [
  name,
  perSecond(of(large[what])),
  against === null ? '' : (of(large[what]) / against).toFixed(2),
  `${peak(small[what]).toFixed(0)} MB`,
  `${peak(large[what]).toFixed(0)} MB`,
];
console.log(`Reconcile of ${CLIENTS.toLocaleString('en-US')} clients that agree, SQLite, ${PAIRS} rounds\n`);
console.log(
  table(
    [
      'what',
      'clients/s',
      'ratio',
      `peak, ${(CLIENTS / 10).toLocaleString('en-US')}`,
      `peak, ${CLIENTS.toLocaleString('en-US')}`,
    ],
    [
      row('backfill', 'backfill', null),
      row('bare sweep', 'sweep', null),
      row('reconcile (to the sweep)', 'plain', of(large.sweep)),
      row('reconcile --deep (to the backfill)', 'deep', of(large.backfill)),
    ],
  ),
);
