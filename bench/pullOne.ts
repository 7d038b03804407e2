/**
 * One measured pull into a mirror that is there, in a process of its own. Arguments as JSON: {what, warehouseUrl, url, token,
 * pageSize, since}. Prints its figures as JSON.
 */
import { loadConfig } from '../config/load.ts';
import { withEngine } from '../src/app.ts';
import { systemClock } from '../src/clock.ts';
import { runBackfill, runPull } from '../src/sync.ts';
import { type Measured, postgresStore, runPullFloor, sqliteStore } from './floor.ts';

export interface PullOneOptions {
  readonly what: 'backfill' | 'ours' | 'floor';
  readonly warehouseUrl: string;
  readonly url: string;
  readonly token: string;
  readonly pageSize: number;
  /** Before the first change, for the floor, which keeps no place. */
  readonly since: string;
}

const options = JSON.parse(process.argv[2] ?? '{}') as PullOneOptions;
const before = process.cpuUsage();
const measured = options.what === 'floor' ? await floor() : await ours();
const { user, system } = process.cpuUsage(before);
console.log(JSON.stringify({ ...measured, cpuMs: (user + system) / 1000 }));

async function ours(): Promise<Measured> {
  const env = {
    CLIENTS_API_URL: options.url,
    CLIENTS_API_TOKEN: options.token,
    WAREHOUSE_URL: options.warehouseUrl,
    MIRROR_PAGE_SIZE: String(options.pageSize),
    // No look back: each pull reads what was changed since the last, and nothing else.
    MIRROR_LOOKBACK_SECONDS: '0',
  };
  const config = loadConfig({ env, needs: ['api', 'warehouse', 'mirror'] });
  const app = { config, clock: systemClock, emit: () => undefined, signal: new AbortController().signal };
  return await withEngine(app, async (engine) => {
    const began = performance.now();
    const run = options.what === 'ours' ? runPull(engine) : runBackfill(engine, { restart: false });
    const { rows } = await run;
    return { rows, ms: performance.now() - began };
  });
}

async function floor(): Promise<Measured> {
  if (options.warehouseUrl.startsWith('sqlite:')) {
    const { default: Database } = await import('better-sqlite3');
    const db = new Database(options.warehouseUrl.slice('sqlite:'.length));
    db.pragma('synchronous = NORMAL');
    return await runPullFloor(options, sqliteStore(db, 'clients', true, true));
  }
  const { default: pg } = await import('pg');
  const pool = new pg.Pool({ connectionString: options.warehouseUrl, max: 1, options: '-c mirror.own=on' });
  const result = await runPullFloor(options, postgresStore(pool, 'clients', true, true));
  await pool.end();
  return result;
}
