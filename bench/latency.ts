/** Is latency hidden? The same backfill at 0 and 50 ms a request, from the first page to the last. */
import { measure, median, perSecond, speed, startServer, table } from './table.ts';

const CLIENTS = Number(process.env.BENCH_CLIENTS ?? 300_000);
const PAIRS = Number(process.env.BENCH_PAIRS ?? 3);
const run = { what: 'ours', pageSize: 1_000, concurrency: 8, postgres: null } as const;

const [near, far] = [await startServer(CLIENTS), await startServer(CLIENTS, 50)];
try {
  // The first reading warms each server's cache of serialised rows.
  for (const server of [near, far]) await measure(server, { ...run, what: 'fetch' });
  const pairs: (readonly [number, number])[] = [];
  for (let pair = 0; pair < PAIRS; pair += 1) {
    pairs.push([speed(await measure(near, run)), speed(await measure(far, run))]);
  }
  console.log(
    `Backfill of ${CLIENTS.toLocaleString('en-US')} clients into SQLite, concurrency 8, ${PAIRS} pairs\n`,
  );
  const ratio = median(pairs.map(([fast, slow]) => slow / fast)).toFixed(2);
  const cells = [0, 1].map((index) => perSecond(median(pairs.map((pair) => pair[index] ?? 0))));
  console.log(table(['0 ms', '50 ms', 'ratio'], [[...cells, ratio]]));
} finally {
  await near.stop();
  await far.stop();
}
