/** The accounts of the simulation, for a mirror that runs as a whole program in real time. */
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../src/clock.ts';
import { openWarehouse } from '../../src/warehouse/open.ts';
import { closeAccounts } from '../simulation/accounts.ts';
import { createHistory, type History } from '../simulation/history.ts';
import type { Edit } from '../simulation/users.ts';
import { type EngineName, type Mirror, startMirror } from '../support/mirror.ts';

export interface Story {
  readonly mirror: Mirror;
  readonly history: History;
  readonly edits: Edit[];
  /** Enters an acknowledged edit. @param tick taken before its statement */
  enter(edit: Edit): void;
  /** Cycles until nothing waits, then closes the accounts: what was found wrong. */
  findings(): Promise<readonly string[]>;
}

const LOOKBACK_SECONDS = 1;
const CYCLES_MAX = 12;

type Options = NonNullable<Parameters<typeof startMirror>[1]>;

export async function startStory(
  engine: EngineName,
  options: Options = {},
  settings: Readonly<Record<string, string>> = {},
): Promise<Story> {
  const history = createHistory(() => Date.now());
  const started = await startMirror(engine, { logMax: 100_000, ...options, onChange: history.onChange });
  history.begin(started.simulator.source.all());
  const env = { MIRROR_LOOKBACK_SECONDS: String(LOOKBACK_SECONDS), ...settings };
  const mirror: Mirror = {
    ...started,
    start: (args, more) => started.start(args, { ...env, ...more }),
    run: (args, more) => started.run(args, { ...env, ...more }),
    ok: (args, more) => started.ok(args, { ...env, ...more }),
  };
  const edits: Edit[] = [];
  const { simulator } = mirror;
  const cycle = async () => {
    await mirror.ok(['sync']);
  };
  return {
    mirror,
    history,
    edits,
    enter: (edit) => edits.push(edit),
    async findings() {
      for (let n = 1; n <= CYCLES_MAX; n += 1) {
        await delay(LOOKBACK_SECONDS * 1_200);
        const before = simulator.requests.total;
        await cycle();
        if (simulator.requests.total - before === 2) break;
      }
      const warehouse = await openWarehouse({
        url: mirror.warehouseUrl,
        schema: 'public',
        clock: systemClock,
      });
      try {
        return await closeAccounts({
          history,
          simulator,
          warehouse,
          edits,
          patches: [],
          nowMs: Date.now(),
          staleMs: 0,
          excluded: new Set(['loginToken']),
          cycle,
          restCycles: 2,
        });
      } finally {
        await warehouse.close();
      }
    },
  };
}
