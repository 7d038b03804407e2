/**
 * What does it cost to compare a source and a mirror that agree? Against the bare sweep with the same pager, against a
 * backfill where every field is compared, and in memory as the number of clients grows.
 */
import { startPostgres } from '../test/support/postgresServer.ts';
import type { ReconcileOneOptions } from './reconcileOne.ts';
import {
  freshWarehouse,
  median,
  perSecond,
  type Result,
  runOne,
  type Server,
  speed,
  startServer,
  table,
} from './table.ts';

const CLIENTS = Number(process.env.BENCH_CLIENTS ?? 1_000_000);
const PAIRS = Number(process.env.BENCH_PAIRS ?? 3);
const run = { pageSize: 1_000, concurrency: 4 };

type What = ReconcileOneOptions['what'];
type One = Result & { readonly cpuMs: number };
type Measured = Readonly<Record<What, readonly One[]>>;

async function measureOne(server: Server, warehouseUrl: string, what: What): Promise<One> {
  const options: ReconcileOneOptions = { ...run, what, warehouseUrl, url: server.url, token: server.token };
  return (await runOne('reconcileOne', options)) as One;
}

/** Backfills, then measures each in turn, so that a machine whose speed drifts drifts for all. */
async function measureAll(clients: number, pairs: number, postgres: string | null): Promise<Measured> {
  const { warehouseUrl, remove } = await freshWarehouse(postgres);
  const server = await startServer(clients);
  const found = { backfill: [] as One[], sweep: [] as One[], plain: [] as One[], deep: [] as One[] };
  try {
    found.backfill.push(await measureOne(server, warehouseUrl, 'backfill'));
    await measureOne(server, warehouseUrl, 'sweep');
    for (let pair = 0; pair < pairs; pair += 1) {
      for (const what of ['sweep', 'plain', 'deep'] as const) {
        found[what].push(await measureOne(server, warehouseUrl, what));
      }
    }
    return found;
  } finally {
    await server.stop();
    remove();
  }
}

/** Of pairs in turn the median; against one figure where that was measured once. */
function ratio(ours: readonly One[], others: readonly One[], of: (one: One) => number): string {
  return median(ours.map((one, index) => of(one) / of(others[index] ?? (others[0] as One)))).toFixed(2);
}

const count = (clients: number): string => clients.toLocaleString('en-US');
const peak = (results: readonly One[]): string =>
  `${Math.max(...results.map(({ peakMb }) => peakMb)).toFixed(0)} MB`;

function rowsOf(found: Measured, small: Measured | null): string[][] {
  const row = (name: string, what: What, against: What | null): string[] => {
    const others = against === null ? null : found[against];
    const [fast, cheap] =
      others === null
        ? ['', '']
        : [
            ratio(found[what], others, speed),
            // The processor's time is its own, whatever else the machine does.
            ratio(found[what], others, ({ rows, cpuMs }) => rows / cpuMs),
          ];
    const peaks = small === null ? [peak(found[what])] : [peak(small[what]), peak(found[what])];
    return [name, perSecond(median(found[what].map(speed))), fast, cheap, ...peaks];
  };
  return [
    row('backfill', 'backfill', null),
    row('bare sweep', 'sweep', null),
    row('reconcile (to the sweep)', 'plain', 'sweep'),
    row('reconcile --deep (to the backfill)', 'deep', 'backfill'),
  ];
}

const head = (peaks: readonly number[]): string[] => [
  'what',
  'clients/s',
  'ratio',
  'ratio of CPU',
  ...peaks.map((clients) => `peak, ${count(clients)}`),
];

const few = await measureAll(CLIENTS / 10, 1, null);
const many = await measureAll(CLIENTS, PAIRS, null);
console.log(`Reconcile of ${count(CLIENTS)} clients that agree, SQLite, ${PAIRS} rounds\n`);
console.log(table(head([CLIENTS / 10, CLIENTS]), rowsOf(many, few)));
const postgres = await startPostgres();
try {
  const found = await measureAll(CLIENTS / 10, PAIRS, postgres.url);
  console.log(`\nOf ${count(CLIENTS / 10)} clients, Postgres, ${PAIRS} rounds\n`);
  console.log(table(head([CLIENTS / 10]), rowsOf(found, null)));
} finally {
  await postgres.stop();
}
