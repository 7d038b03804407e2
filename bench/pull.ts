/**
 * How fast does a pull carry changed clients over, against the floor? Each change is carried into two mirrors, one by us
 * and one by the floor, in turn; both are held against each other at the end.
 */
import { systemClock } from '../src/clock.ts';
import { openWarehouse } from '../src/warehouse/open.ts';
import { startPostgres } from '../test/support/postgresServer.ts';
import type { PullOneOptions } from './pullOne.ts';
import { freshWarehouse, median, perSecond, runOne, startServer, table } from './table.ts';

const CLIENTS = Number(process.env.BENCH_CLIENTS ?? 100_000);
const CHANGED = Number(process.env.BENCH_CHANGED ?? CLIENTS);
const PAIRS = Number(process.env.BENCH_PAIRS ?? 4);

interface One {
  readonly rows: number;
  readonly ms: number;
  readonly cpuMs: number;
}

const server = await startServer(CLIENTS);
const postgres = await startPostgres();
try {
  const rows: string[][] = [];
  for (const [name, url] of [
    ['SQLite', null],
    ['Postgres', postgres.url],
  ] as const) {
    rows.push([name, ...(await measurePairs(url))]);
  }
  console.log(
    `A pull of ${CHANGED.toLocaleString('en-US')} changed clients of ${CLIENTS.toLocaleString('en-US')}, ${PAIRS} pairs, pages of 1,000\n`,
  );
  console.log(table(['warehouse', 'clients-mirror', 'floor', 'ratio', 'ratio by processor time'], rows));
} finally {
  await server.stop();
  await postgres.stop();
}

async function measurePairs(postgresUrl: string | null): Promise<string[]> {
  const mirrors = {
    ours: await freshWarehouse(postgresUrl, 'clients_mirror_bench'),
    floor: await freshWarehouse(postgresUrl, 'clients_mirror_floor'),
  };
  const run = async (
    what: PullOneOptions['what'],
    whose: keyof typeof mirrors,
    since: string,
  ): Promise<One> => {
    const { warehouseUrl } = mirrors[whose];
    const { url, token } = server;
    const options: PullOneOptions = { what, warehouseUrl, url, token, pageSize: 1_000, since };
    return (await runOne('pullOne', options)) as One;
  };
  try {
    for (const whose of ['ours', 'floor'] as const) await run('backfill', whose, '');
    const [ours, floors]: [One[], One[]] = [[], []];
    for (let pair = 0; pair < PAIRS; pair += 1) {
      const since = new Date().toISOString();
      await server.change(CHANGED);
      const first = async () => floors.push(await run('floor', 'floor', since));
      if (pair % 2 === 0) await first();
      ours.push(await run('ours', 'ours', since));
      if (pair % 2 === 1) await first();
    }
    const contents = [
      await contentsOf(mirrors.ours.warehouseUrl),
      await contentsOf(mirrors.floor.warehouseUrl),
    ];
    if (contents[0] !== contents[1]) throw new Error('the two mirrors differ');
    const speeds = (all: readonly One[]) => all.map(({ rows, ms }) => (rows / ms) * 1_000);
    const ratio = (of: (one: One) => number) =>
      median(ours.map((one, pair) => of(floors[pair] as One) / of(one))).toFixed(2);
    return [
      perSecond(median(speeds(ours))),
      perSecond(median(speeds(floors))),
      ratio(({ ms }) => ms),
      ratio(({ cpuMs }) => cpuMs),
    ];
  } finally {
    mirrors.ours.remove();
    mirrors.floor.remove();
  }
}

/** What was changed, of all clients, as one text. */
async function contentsOf(url: string): Promise<string> {
  const warehouse = await openWarehouse({ url, schema: 'public', clock: systemClock });
  const rows = await warehouse.read({
    sql: 'SELECT id, fax, updated_on FROM clients ORDER BY id',
    params: [],
  });
  await warehouse.close();
  return JSON.stringify(rows);
}
