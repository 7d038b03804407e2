/**
 * One measured backfill in a process of its own, so that memory is its own and no run warms another.
 * Arguments as JSON: {what, warehouseUrl, url, token, pageSize, concurrency}. Prints its figures as JSON.
 */
import { loadConfig } from '../config/load.ts';
import { withEngine } from '../src/app.ts';
import { systemClock } from '../src/clock.ts';
import { runBackfill } from '../src/sync.ts';
import { openWarehouse } from '../src/warehouse/open.ts';
import { postgresUpsert, runAfternoon, sqliteUpsert } from './afternoon.ts';
import { equalSpans, type Measured, postgresStore, type Row, runFloor, sqliteStore } from './floor.ts';
import { createSum, postgresColumns } from './sameRows.ts';

export interface OneOptions {
  /**
   * ours; floor: into the same table; bare: into a table with a primary key and nothing else; afternoon: what one
   * would write first, into the bare one; fetch: no warehouse.
   */
  readonly what: 'ours' | 'floor' | 'bare' | 'afternoon' | 'fetch';
  readonly warehouseUrl: string;
  readonly url: string;
  readonly token: string;
  readonly pageSize: number;
  readonly concurrency: number;
}

const options = JSON.parse(process.argv[2] ?? '{}') as OneOptions;
const measured = options.what === 'ours' ? await ours() : await floor();
const peakMb = process.resourceUsage().maxRSS / 1024;
console.log(JSON.stringify({ ...measured, peakMb, sum: String(await sumUp()) }));

async function ours(): Promise<Measured & { wholeMs: number; requests: number }> {
  const env = {
    CLIENTS_API_URL: options.url,
    CLIENTS_API_TOKEN: options.token,
    WAREHOUSE_URL: options.warehouseUrl,
    MIRROR_PAGE_SIZE: String(options.pageSize),
    MIRROR_CONCURRENCY: String(options.concurrency),
  };
  const config = loadConfig({ env, needs: ['api', 'warehouse', 'mirror'] });
  let [first, last, rows, requests] = [0, 0, 0, 0];
  const began = performance.now();
  const emit = (event: { type: string; rows?: number; kind?: string }) => {
    if (event.type === 'requestDone') requests += 1;
    if (event.type !== 'pageCommitted' || event.kind !== 'backfill') return;
    if (first === 0) first = performance.now();
    else rows += event.rows ?? 0;
    last = performance.now();
  };
  await withEngine({ config, clock: systemClock, emit, signal: new AbortController().signal }, (engine) =>
    runBackfill(engine, { restart: false }),
  );
  return { rows, ms: last - first, wholeMs: performance.now() - began, requests };
}

async function floor(): Promise<Measured> {
  const { warehouseUrl, concurrency } = options;
  const spans = equalSpans(Date.UTC(2026, 0, 2), concurrency);
  const run = (store: Parameters<typeof runFloor>[1]) => runFloor({ ...options, spans }, store);
  if (options.what === 'fetch') return run(() => undefined);
  const warehouse = await openWarehouse({ url: warehouseUrl, schema: 'public', clock: systemClock });
  await warehouse.close();
  const own = options.what === 'floor';
  const table = own ? 'clients' : 'bare';
  const isAfternoon = options.what === 'afternoon';
  if (warehouse.kind === 'sqlite') {
    const { default: Database } = await import('better-sqlite3');
    const db = new Database(warehouseUrl.slice('sqlite:'.length));
    if (!isAfternoon) db.pragma('synchronous = NORMAL');
    if (!own) {
      const columns = db.pragma('table_info(clients)') as { name: string; type: string }[];
      const bare = columns.filter(({ name }) => !name.startsWith('_'));
      const ddl = bare.map(({ name, type }) => (name === 'id' ? 'id TEXT PRIMARY KEY' : `${name} ${type}`));
      db.exec(`CREATE TABLE bare (${ddl.join(', ')})`);
    }
    return isAfternoon ? runAfternoon(options, sqliteUpsert(db)) : run(sqliteStore(db, table, own));
  }
  const { default: pg } = await import('pg');
  // The triggers must take the floor's rows for the mirror's own, as they take ours.
  const pool = new pg.Pool({ connectionString: warehouseUrl, max: concurrency, options: '-c mirror.own=on' });
  if (!own)
    await pool.query('CREATE TABLE bare AS SELECT * FROM clients; ALTER TABLE bare ADD PRIMARY KEY (id)');
  const result = isAfternoon
    ? await runAfternoon(options, postgresUpsert(pool))
    : await run(postgresStore(pool, table, own));
  await pool.end();
  return result;
}

/** What stands in the table; of `fetch` what the source holds. After all that is measured. */
async function sumUp() {
  if (options.what === 'fetch') {
    const source = createSum((field) => field.name);
    const spans = equalSpans(Date.UTC(2026, 0, 2), options.concurrency);
    await runFloor({ ...options, spans }, (rows) => rows.forEach(source.add));
    return source;
  }
  const sum = createSum((field) => field.column);
  const table = options.what === 'ours' || options.what === 'floor' ? 'clients' : 'bare';
  if (options.warehouseUrl.startsWith('sqlite:')) {
    const { default: Database } = await import('better-sqlite3');
    const db = new Database(options.warehouseUrl.slice('sqlite:'.length), { readonly: true });
    for (const row of db.prepare(`SELECT * FROM ${table}`).iterate()) sum.add(row as Row);
    db.close();
    return sum;
  }
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: options.warehouseUrl });
  await client.connect();
  for (let after = '00000000-0000-0000-0000-000000000000'; ; ) {
    const sql = `SELECT ${postgresColumns()} FROM ${table} WHERE id > $1 ORDER BY id LIMIT 10000`;
    const { rows } = await client.query<Row>(sql, [after]);
    rows.forEach(sum.add);
    if (rows.length === 0) break;
    after = String(rows.at(-1)?.id);
  }
  await client.end();
  return sum;
}
