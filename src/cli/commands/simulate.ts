/** `simulate`: serves the bundled Clients API until it is stopped. Its options are the simulator's own table. */
import { once } from 'node:events';
import { int, type Kind, oneOf, share, text } from '../../../config/kinds.ts';
import { SyncError } from '../../errors.ts';
import { SIMULATE_OPTIONS, type SimulateOption, type SimulateValue } from '../../simulator/options.ts';
import { type Command, defineCommand, type OptionRow, optionName } from '../command.ts';

const PORT_MAX = 65_535;
const COUNT_MAX = 100_000_000;

export const simulateCommand: Command = defineCommand({
  name: 'simulate',
  summary: 'serves the bundled Clients API simulator, and prints its URL and token to export',
  description: `Runs until it is stopped, which is its normal end (exit 0). The clients live in memory.
  clients-mirror simulate --clients 100000 --latency 50 --throttle 0.01`,
  options: Object.fromEntries(SIMULATE_OPTIONS.map((row) => [optionName(row.name), optionOf(row)])),
  needs: [],
  ignoresSettings: true,
  json: true,
  async run(context, { flags }) {
    const [{ startSimulator }, { planSimulation }] = await Promise.all([
      import('../../simulator/simulator.ts'),
      import('../../simulator/options.ts'),
    ]);
    const values = Object.fromEntries(
      SIMULATE_OPTIONS.map((row) => [row.name, givenOf(row, flags[optionName(row.name)])]),
    );
    const simulator = await startSimulator(planSimulation(values)).catch((error: unknown) => {
      throw listenError(error);
    });
    try {
      const { url, token } = simulator;
      context.print({ url, token }, `export CLIENTS_API_URL=${url}\nexport CLIENTS_API_TOKEN=${token}`);
      context.log.info('the simulator runs until it is stopped (Ctrl-C)');
      if (!context.signal.aborted) await once(context.signal, 'abort');
      return 0;
    } finally {
      await simulator.close();
    }
  },
});

function optionOf(row: SimulateOption): OptionRow {
  const help =
    typeof row.default === 'boolean' || row.default === undefined ? '' : ` (default: ${row.default})`;
  const kind = kindOf(row);
  const value = row.placeholder === null ? {} : { value: row.placeholder };
  return { help: `${row.help}${help}`, ...(kind === undefined ? {} : { kind }), ...value };
}

function kindOf(row: SimulateOption): Kind<string | number> | undefined {
  if (row.kind === 'flag') return undefined;
  if (row.kind === 'share') return share;
  if (row.kind === 'count') return int(0, row.name === 'port' ? PORT_MAX : COUNT_MAX);
  return row.kind === 'choice' ? oneOf(...(row.choices ?? [])) : text;
}

/** A switch that is not given is nothing said. */
function givenOf(row: SimulateOption, given: unknown): SimulateValue | undefined {
  return row.kind === 'flag' && given === false ? undefined : (given as SimulateValue | undefined);
}

function listenError(error: unknown): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall !== 'listen' && syscall !== 'getaddrinfo') return error;
  const why = code === 'EADDRINUSE' ? 'the port is taken' : String(code);
  return new SyncError('USAGE', `the simulator cannot listen there: ${why}`, {
    hint: 'Name another --port or --host, or leave them out.',
  });
}
