/**
 * What does a command of cron's cost that finds nothing to do? An idle `sync` from start to end against `node -e 0`,
 * run in turn, and what loading each package alone would cost.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startPostgres } from '../test/support/postgresServer.ts';
import { freshWarehouse, median, startServer, table } from './table.ts';

const RUNS = Number(process.env.BENCH_RUNS ?? 15);
const PACKAGES = ['axios', 'better-sqlite3', 'pg', 'pino', 'commander', 'p-retry', 'bullmq', 'fastify'];
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PROGRAM = `${ROOT}dist/clients-mirror.js`;
if (!existsSync(PROGRAM)) throw new Error('build first: npm run build');

const server = await startServer(1_000);
const postgres = await startPostgres();
const warehouses = {
  SQLite: await freshWarehouse(null),
  Postgres: await freshWarehouse(postgres.url),
};
try {
  const settings = (warehouseUrl: string) => ({
    CLIENTS_API_URL: server.url,
    CLIENTS_API_TOKEN: server.token,
    WAREHOUSE_URL: warehouseUrl,
    // At rest at once: no look back for what a slow source may still show.
    MIRROR_LOOKBACK_SECONDS: '0',
  });
  const runs = new Map<string, () => number>([['node -e 0', () => run(['-e', '0'])]]);
  runs.set('clients-mirror --version', () => run([PROGRAM, '--version']));
  for (const [name, { warehouseUrl }] of Object.entries(warehouses)) {
    const idle = () => run([PROGRAM, 'sync'], settings(warehouseUrl));
    idle();
    runs.set(`clients-mirror sync, idle, ${name}`, idle);
  }
  console.log(`A command from start to end, ${RUNS} runs in turn\n`);
  console.log(table(['command', 'median', 'ratio to node -e 0'], inTurn(runs)));

  const imports = new Map<string, () => number>([['nothing', () => run(['--input-type=module', '-e', ''])]]);
  for (const name of PACKAGES)
    imports.set(name, () => run(['--input-type=module', '-e', `import ${JSON.stringify(name)}`]));
  console.log('\nWhat importing a package alone costs, as Node finds it in node_modules\n');
  console.log(table(['import', 'median', 'ratio to nothing'], inTurn(imports)));
} finally {
  for (const { remove } of Object.values(warehouses)) remove();
  await server.stop();
  await postgres.stop();
}

/** Runs each once, then all again; a row each, with its ratio to the first. */
function inTurn(runs: ReadonlyMap<string, () => number>): string[][] {
  const all = new Map([...runs.keys()].map((name) => [name, [] as number[]]));
  for (let turn = 0; turn < RUNS; turn += 1) {
    for (const [name, once] of runs) all.get(name)?.push(once());
  }
  const [floor = []] = all.values();
  return [...all].map(([name, times]) => {
    const ratio = median(times.map((ms, turn) => ms / (floor[turn] ?? 1)));
    return [name, `${Math.round(median(times))} ms`, ratio.toFixed(1)];
  });
}

function run(args: readonly string[], env: Record<string, string> = {}): number {
  const began = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, {
    cwd: ROOT,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    encoding: 'utf8',
  });
  const ms = performance.now() - began;
  if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}: ${stderr}`);
  return ms;
}
