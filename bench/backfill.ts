/**
 * How fast is a backfill, against the floor? Pairs of runs in turn, so that a machine whose speed drifts drifts for
 * both; the ratio is the median of the pairs'.
 */
import { startPostgres } from '../test/support/postgresServer.ts';
import { measure, median, perSecond, speed, startServer, table } from './table.ts';

const CLIENTS = Number(process.env.BENCH_CLIENTS ?? 100_000);
const PAIRS = Number(process.env.BENCH_PAIRS ?? 3);
/** Row by row it takes its time, and a fifth of it says the same. */
const AFTERNOON = CLIENTS / 5;
const run = { pageSize: 1_000, concurrency: 4 };

const server = await startServer(CLIENTS);
const small = await startServer(AFTERNOON);
const postgres = await startPostgres();
try {
  for (const one of [server, small]) await measure(one, { ...run, what: 'fetch', postgres: null });
  const alone = speed(await measure(server, { ...run, what: 'fetch', postgres: null }));
  const rows: string[][] = [];
  for (const [name, url] of [
    ['SQLite', null],
    ['Postgres', postgres.url],
  ] as const) {
    const ours: number[] = [];
    const floors: number[] = [];
    const bares: number[] = [];
    for (let pair = 0; pair < PAIRS; pair += 1) {
      floors.push(speed(await measure(server, { ...run, what: 'floor', postgres: url })));
      ours.push(speed(await measure(server, { ...run, what: 'ours', postgres: url })));
      bares.push(speed(await measure(server, { ...run, what: 'bare', postgres: url })));
    }
    const afternoon = speed(await measure(small, { ...run, what: 'afternoon', postgres: url }));
    const ratio = (other: readonly number[]) =>
      median(ours.map((value, index) => value / (other[index] ?? 1))).toFixed(2);
    rows.push([
      name,
      ...[ours, floors, bares].map((all) => perSecond(median(all))),
      ratio(floors),
      ratio(bares),
      perSecond(afternoon),
    ]);
  }
  console.log(
    `Backfill of ${CLIENTS.toLocaleString('en-US')} clients, ${PAIRS} pairs, pages of ${run.pageSize}, concurrency ${run.concurrency}\n`,
  );
  console.log(
    table(
      [
        'warehouse',
        'clients-mirror',
        'floor',
        'bare table',
        'ratio to floor',
        'ratio to bare',
        'in an afternoon',
      ],
      rows,
    ),
  );
  console.log(
    `\nIn an afternoon: axios, offset paging, one upsert a row, ${AFTERNOON.toLocaleString('en-US')} clients.`,
  );
  console.log('Each result was held against the source, row by row.');
  console.log(`\nFetching and parsing alone, with the server's share: ${perSecond(alone)}.`);
} finally {
  await server.stop();
  await small.stop();
  await postgres.stop();
}
