/** `demo`: the whole job on nothing but Node: a simulator, a backfill, a change at the source, a sync. */
import { existsSync, rmSync } from 'node:fs';
import { loadConfig } from '../../../config/load.ts';
import type { Config } from '../../../config/settings.ts';
import type { Warehouse } from '../../warehouse/warehouse.ts';
import { type CommandContext, defineCommand } from '../command.ts';
import { plural } from '../summary.ts';

const CLIENTS = 5_000;
const DATABASE = 'data/demo.db';
/** What of a client is shown. */
const SHOWN = ['first_name', 'last_name', 'mobile_phone', 'fico', 'updated_on'] as const;

export const demoCommand = defineCommand({
  name: 'demo',
  summary: 'simulator, backfill, a change at the source, a sync: the whole job in one command',
  description: `Needs no setting and no server. The warehouse is left in ${DATABASE} to look around in.`,
  needs: [],
  ignoresSettings: true,
  json: false,
  async run(context) {
    const { startSimulator } = await import('../../simulator/simulator.ts');
    const simulator = await startSimulator({ clients: CLIENTS });
    try {
      await play(context, simulator);
      return 0;
    } finally {
      await simulator.close();
    }
  },
});

type Simulator = Awaited<ReturnType<typeof import('../../simulator/simulator.ts')['startSimulator']>>;

async function play(context: CommandContext, simulator: Simulator): Promise<void> {
  const { openMirror, withEngine } = await import('../../app.ts');
  const { runBackfill, runPull } = await import('../../sync.ts');
  for (const end of ['', '-wal', '-shm']) if (existsSync(DATABASE + end)) rmSync(DATABASE + end);
  const options = { ...context, config: demoConfig(simulator) };
  const say = (text: string): void => context.stdout.write(`${text}\n`);

  say(`A Clients API with ${plural(CLIENTS, 'client')} runs at ${simulator.url} (the bundled simulator).\n`);
  say(`1. backfill: mirror every client into sqlite:${DATABASE}`);
  const began = context.clock.now();
  const first = await withEngine(options, (engine) => runBackfill(engine, { restart: false }));
  const seconds = ((context.clock.now() - began) / 1000).toFixed(1);
  say(
    `   ${plural(first.written, 'client')} written in ${seconds} s, ${plural(first.requests, 'request')}\n`,
  );

  const warehouse = await openMirror(options);
  try {
    const id = String(simulator.source.someId());
    say('2. somebody changes a client at the source');
    const before = simulator.source.get(id);
    simulator.source.update(id, { mobilePhone: '(555) 010-0199', fico: 777 });
    say(
      `   mobilePhone: ${before?.mobilePhone ?? 'null'} → (555) 010-0199, fico: ${before?.fico ?? 'null'} → 777\n`,
    );
    say('   the row in the warehouse, before the sync:');
    say(await showRow(warehouse, id));

    say('\n3. sync: bring what changed');
    const second = await withEngine(options, runPull);
    say(`   ${plural(second.written, 'client')} written, ${plural(second.requests, 'request')}\n`);
    say('   the row in the warehouse, after the sync:');
    say(await showRow(warehouse, id));
  } finally {
    await warehouse.close();
  }
  say(`\nLook around: sqlite3 ${DATABASE} "SELECT first_name, last_name, fico FROM clients LIMIT 5"`);
}

function demoConfig(simulator: Simulator): Config {
  const env = {
    CLIENTS_API_URL: simulator.url,
    CLIENTS_API_TOKEN: simulator.token,
    WAREHOUSE_URL: `sqlite:${DATABASE}`,
  };
  return loadConfig({ env, needs: ['api', 'warehouse', 'mirror'] });
}

async function showRow(warehouse: Warehouse, id: string): Promise<string> {
  const sql = `SELECT ${SHOWN.join(', ')} FROM clients WHERE id = ?`;
  const [row = {}] = await warehouse.read({ sql, params: [id] });
  return SHOWN.map((column) => `   ${column.padEnd(13)} ${row[column] ?? 'NULL'}`).join('\n');
}
