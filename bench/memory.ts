/** Is memory flat? Peak resident memory of a backfill of 100,000 and of 1,000,000 clients. */
import { measure, startServer, table } from './table.ts';

const SIZES = [100_000, 1_000_000];
const run = { what: 'ours', pageSize: 1_000, concurrency: 4, postgres: null } as const;

const peaks: number[] = [];
for (const clients of SIZES) {
  const server = await startServer(clients);
  try {
    await measure(server, { ...run, what: 'fetch' });
    peaks.push((await measure(server, run)).peakMb);
  } finally {
    await server.stop();
  }
}
console.log('Peak resident memory of a backfill into SQLite\n');
const [small = 0, large = 0] = peaks;
console.log(
  table(
    ['100,000 clients', '1,000,000 clients', 'ratio'],
    [[`${small.toFixed(0)} MB`, `${large.toFixed(0)} MB`, (large / small).toFixed(2)]],
  ),
);
