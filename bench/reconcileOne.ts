/**
 * One measured run over a warehouse that is there, in a process of its own. Arguments as JSON: {what, warehouseUrl, url,
 * token, pageSize, concurrency}. Prints its figures as JSON.
 */
import { loadConfig } from '../config/load.ts';
import { ahead, readInOrder } from '../src/api/readInOrder.ts';
import { withEngine } from '../src/app.ts';
import { systemClock } from '../src/clock.ts';
import { readQuantiles } from '../src/ledger/mirrored.ts';
import { planSpans } from '../src/reconcile/sweep.ts';
import type { Engine } from '../src/rows/engine.ts';
import { runBackfill, runReconcile } from '../src/sync.ts';

export interface ReconcileOneOptions {
  /** sweep: the pager alone, over the same spans, with nothing compared. */
  readonly what: 'backfill' | 'sweep' | 'plain' | 'deep';
  readonly warehouseUrl: string;
  readonly url: string;
  readonly token: string;
  readonly pageSize: number;
  readonly concurrency: number;
}

const options = JSON.parse(process.argv[2] ?? '{}') as ReconcileOneOptions;
const env = {
  CLIENTS_API_URL: options.url,
  CLIENTS_API_TOKEN: options.token,
  WAREHOUSE_URL: options.warehouseUrl,
  MIRROR_PAGE_SIZE: String(options.pageSize),
  MIRROR_CONCURRENCY: String(options.concurrency),
};
const config = loadConfig({ env, needs: ['api', 'warehouse', 'mirror'] });
const app = { config, clock: systemClock, emit: () => undefined, signal: new AbortController().signal };
const began = performance.now();
const before = process.cpuUsage();
const rows = await withEngine(app, work);
const ms = performance.now() - began;
const { user, system } = process.cpuUsage(before);
const peakMb = process.resourceUsage().maxRSS / 1024;
console.log(JSON.stringify({ rows, ms, cpuMs: (user + system) / 1000, peakMb }));

async function work(engine: Engine & Parameters<Parameters<typeof withEngine>[1]>[0]): Promise<number> {
  if (options.what === 'backfill') return (await runBackfill(engine, { restart: false })).rows;
  if (options.what === 'sweep') return sweep(engine);
  const choice = { deep: options.what === 'deep', dryRun: false, allowMassDelete: false };
  const { certificate, written } = await runReconcile(engine, choice);
  if (written > 0) throw new Error(`source and mirror were to agree, ${written} rows were written`);
  return certificate.clients;
}

async function sweep(engine: Engine): Promise<number> {
  const open = planSpans(await readQuantiles(engine.warehouse, options.concurrency * 4));
  let count = 0;
  const lane = async (): Promise<void> => {
    for (let span = open.shift(); span !== undefined; span = open.shift()) {
      const range = { key: 'createdOn', lane: span.lane, from: span.low, to: span.high, also: null } as const;
      const pages = ahead((signal) =>
        readInOrder(engine.source.stamps, range, { top: options.pageSize, signal }),
      );
      for await (const page of pages) count += page.rows.length;
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, lane));
  return count;
}
