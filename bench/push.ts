/**
 * How fast do edits go home, against the floor, and what does the capture trigger cost a user? The floor knows what
 * to send: it reads 15 ids a request, PATCHes side by side, reads 15 ids a request back, and writes nothing down.
 */
import { Agent, request as httpRequest } from 'node:http';
import { loadConfig } from '../config/load.ts';
import { withEngine } from '../src/app.ts';
import { systemClock } from '../src/clock.ts';
import { runBackfill, runPush } from '../src/sync.ts';
import { startPostgres } from '../test/support/postgresServer.ts';
import { freshWarehouse, median, type Server, startServer, table } from './table.ts';
import { openUser } from './user.ts';

const EDITS = Number(process.env.BENCH_EDITS ?? 2_000);
const CLIENTS = EDITS * 5;
const PAIRS = Number(process.env.BENCH_PAIRS ?? 3);
/** A short measurement: many of it. */
const CAPTURE_PAIRS = 7;
const CONCURRENCY = 8;
const IDS_PER_READ = 15;

const postgres = await startPostgres();
const rows: string[][] = [];
try {
  for (const latencyMs of [0, 50]) {
    for (const [name, url] of [
      ['SQLite', null],
      ['Postgres', postgres.url],
    ] as const) {
      const server = await startServer(CLIENTS, latencyMs);
      try {
        rows.push([name, `${latencyMs} ms`, ...(await pushRow(server, url))]);
      } finally {
        await server.stop();
      }
    }
  }
  console.log(`${EDITS.toLocaleString('en-US')} edits, concurrency ${CONCURRENCY}, ${PAIRS} pairs\n`);
  console.log(
    table(
      ['warehouse', 'latency', 'clients-mirror', 'floor', 'ratio', 'writes per edit', 'reads per edit'],
      rows,
    ),
  );
  console.log('\nA user’s UPDATE of 10,000 rows, with the capture trigger and without\n');
  const costs = [
    ['SQLite', ...(await captureRow(null))],
    ['Postgres', ...(await captureRow(postgres.url))],
  ];
  console.log(table(['warehouse', 'with', 'without', 'times'], costs));
} finally {
  await postgres.stop();
}

async function pushRow(server: Server, postgresUrl: string | null): Promise<string[]> {
  const { warehouseUrl, remove } = await freshWarehouse(postgresUrl);
  const user = await openUser(warehouseUrl);
  try {
    await engine(server, warehouseUrl, (parts) => runBackfill(parts, { restart: false }));
    const ids = (await user.rows(`SELECT id FROM clients ORDER BY id LIMIT ${EDITS}`)).map((row) =>
      String(row.id),
    );
    const [ours, floors]: [number[], number[]] = [[], []];
    let requests = { writes: 0, reads: 0 };
    for (let pair = 0; pair < PAIRS; pair += 1) {
      floors.push(await timed(() => floorPush(server, ids, `floor ${pair}`)));
      // What the floor changed is brought in first, so that both begin with a source that agrees.
      await engine(server, warehouseUrl, (parts) => runBackfill(parts, { restart: true }));
      const list = ids.map((id) => `'${id}'`).join(', ');
      await user.rows(`UPDATE clients SET fax = 'ours ${pair}' WHERE id IN (${list})`);
      requests = { writes: 0, reads: 0 };
      const count = (method: string) => {
        requests[method === 'GET' ? 'reads' : 'writes'] += 1;
      };
      ours.push(
        await engine(
          server,
          warehouseUrl,
          (parts) => timed(() => runPush(parts, { allowMassEdit: false })),
          count,
        ),
      );
      const [left] = await user.rows('SELECT count(*) AS count FROM clients WHERE _base IS NOT NULL');
      if (Number(left?.count) !== 0) throw new Error(`${left?.count} edits did not arrive`);
    }
    const perSecond = (all: readonly number[]) => `${Math.round(EDITS / median(all))}/s`;
    const ratio = median(ours.map((seconds, index) => (floors[index] ?? 0) / seconds)).toFixed(2);
    const perEdit = (count: number) => (count / EDITS).toFixed(2);
    return [perSecond(ours), perSecond(floors), ratio, perEdit(requests.writes), perEdit(requests.reads)];
  } finally {
    await user.close();
    remove();
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

type Parts = Parameters<Parameters<typeof withEngine>[1]>[0];

function engine<T>(
  server: Server,
  warehouseUrl: string,
  work: (parts: Parts) => Promise<T>,
  count?: (method: string) => void,
): Promise<T> {
  const env = {
    CLIENTS_API_URL: server.url,
    CLIENTS_API_TOKEN: server.token,
    WAREHOUSE_URL: warehouseUrl,
    MIRROR_CONCURRENCY: String(CONCURRENCY),
  };
  const config = loadConfig({ env, needs: ['api', 'warehouse', 'mirror'] });
  const emit = (event: { type: string; method?: string }) => {
    if (event.type === 'requestDone') count?.(event.method ?? '');
  };
  return withEngine({ config, clock: systemClock, emit, signal: new AbortController().signal }, work);
}

async function floorPush(server: Server, ids: readonly string[], value: string): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY });
  const batches: string[][] = [];
  for (let at = 0; at < ids.length; at += IDS_PER_READ) batches.push(ids.slice(at, at + IDS_PER_READ));
  const read = async (batch: readonly string[]) => {
    const filter = encodeURIComponent(batch.map((id) => `id eq ${id}`).join(' or '));
    return (await call(agent, server, {
      method: 'GET',
      path: `/clients?$filter=${filter}&$top=${batch.length}`,
    })) as Record<string, unknown>[];
  };
  const found = (await inLanes(batches, read)).flat();
  await inLanes(found, ({ id, email, firstName, lastName }) =>
    call(agent, server, {
      method: 'PATCH',
      path: `/clients/${String(id)}`,
      body: { email, firstName, lastName, fax: value },
    }),
  );
  await inLanes(batches, read);
  agent.destroy();
}

async function inLanes<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const open = items.entries();
  const lane = async () => {
    for (const [index, item] of open) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, lane));
  return results;
}

interface Call {
  readonly method: 'GET' | 'PATCH';
  readonly path: string;
  readonly body?: unknown;
}

function call(agent: Agent, { url, token }: Server, { method, path, body }: Call): Promise<unknown> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const sent = httpRequest(url + path, { agent, method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString())));
    });
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function captureRow(postgresUrl: string | null): Promise<string[]> {
  const server = await startServer(10_000);
  const { warehouseUrl, remove } = await freshWarehouse(postgresUrl);
  const user = await openUser(warehouseUrl);
  try {
    await engine(server, warehouseUrl, (parts) => runBackfill(parts, { restart: false }));
    const times: Record<'with' | 'without', number[]> = { with: [], without: [] };
    for (let pair = 0; pair < CAPTURE_PAIRS; pair += 1) {
      // In turn, and each into a table just written anew: free space in its pages is worth more than the trigger costs.
      for (const how of pair % 2 === 0 ? (['with', 'without'] as const) : (['without', 'with'] as const)) {
        await user.triggers(false);
        await user.rows('UPDATE clients SET _base = NULL, _edited_at = NULL, _edits = 0');
        await user.rewrite();
        await user.triggers(how === 'with');
        times[how].push(await timed(() => user.rows(`UPDATE clients SET fax = '${how} ${pair}'`)));
      }
    }
    const ms = (all: readonly number[]) => `${Math.round(median(all) * 1000)} ms`;
    const ratio = median(times.with.map((seconds, index) => seconds / (times.without[index] ?? 1)));
    return [ms(times.with), ms(times.without), ratio.toFixed(1)];
  } finally {
    await user.close();
    remove();
    await server.stop();
  }
}
