/** `demo`: the whole job on nothing but Node, told step by step, on the bundled simulator and a SQLite file. */
import { rmSync } from 'node:fs';
import { loadConfig } from '../../../config/load.ts';
import type { Config } from '../../../config/settings.ts';
import { defineCommand } from '../command.ts';
import { playDemo } from '../demo.ts';

const CLIENTS = 5_000;
const DATABASE = 'data/demo.db';

export const demoCommand = defineCommand({
  name: 'demo',
  summary: 'simulator, backfill, a remote change, a local edit, a conflict: the whole job in one command',
  description: `Needs no setting and no server. The warehouse is left in ${DATABASE} to look around in.`,
  needs: [],
  ignoresSettings: true,
  json: false,
  async run(context) {
    const { startSimulator } = await import('../../simulator/simulator.ts');
    const simulator = await startSimulator({ clients: CLIENTS });
    try {
      for (const end of ['', '-wal', '-shm']) rmSync(DATABASE + end, { force: true });
      const config = demoConfig(simulator.url, simulator.token);
      // The play tells what happens: a log between its lines would only hide it.
      await playDemo({ ...context, config, emit: () => undefined }, simulator, DATABASE);
      return 0;
    } finally {
      await simulator.close();
    }
  },
});

function demoConfig(url: string, token: string): Config {
  const env = { CLIENTS_API_URL: url, CLIENTS_API_TOKEN: token, WAREHOUSE_URL: `sqlite:${DATABASE}` };
  return loadConfig({ env, needs: ['api', 'warehouse', 'mirror'] });
}
