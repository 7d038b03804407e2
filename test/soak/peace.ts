/**
 * Peace: faults off, everything committed and published, every process at its end; then cycles until nothing waits, a
 * reconcile for what no pull can see, and the accounts of the simulation, which must all be right.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { closeAccounts, whatWaits } from '../simulation/accounts.ts';
import type { Edit } from '../simulation/users.ts';
import { patchesAreEdits } from './patches.ts';
import type { World } from './world.ts';

const CYCLES_MAX = 16;

export async function makePeace(world: World): Promise<void> {
  const { simulator, processes, tokens, users, habits, chance, spoiled, size, trace } = world;
  trace('peace');
  simulator.setFaults(chance.is(0.5) ? habits.faults : {});
  tokens.publish();
  for (const user of users) await user.endLingering('COMMIT');
  await processes.settle();
  for (const id of spoiled) simulator.source.spoil(id, null);
  spoiled.clear();
  // What commits late is there by then.
  await delay(habits.lateMs + 50);
  const warehouse = await world.open();
  try {
    await processes.ok(['sync']);
    await processes.ok(['push', '--allow-mass-edit']);
    await processes.ok(['reconcile', '--deep', '--allow-mass-delete']);
    for (let cycle = 1; ; cycle += 1) {
      await delay(size.lookbackSeconds * 1_100);
      const before = simulator.requests.total;
      await processes.ok(['sync']);
      const rest = await whatWaits(warehouse);
      trace(`  cycle ${cycle}: ${rest}`);
      if (rest === '' && simulator.requests.total - before === 2) return;
      if (rest !== '') await processes.ok(['push', '--allow-mass-edit']);
      if (cycle === CYCLES_MAX) {
        world.findings.push(`no rest after ${cycle} cycles: ${rest}`);
        return;
      }
    }
  } finally {
    await warehouse.close();
  }
}

/** All that people did, in order. */
export function editsOf({ users, decisions }: World): readonly Edit[] {
  return [...users.flatMap(({ edits }) => edits), ...decisions].sort((a, b) => a.tick - b.tick);
}

export async function settleAccounts(world: World): Promise<void> {
  const { history, simulator, patches, habits, processes, size, findings } = world;
  const edits = editsOf(world);
  const warehouse = await world.open();
  try {
    const changes = () => history.ids().reduce((sum, id) => sum + history.of(id).length, 0);
    const before = changes();
    const found = await closeAccounts({
      ...{ history, simulator, warehouse, edits },
      patches: patches.patches,
      nowMs: Date.now(),
      staleMs: habits.staleMs,
      excluded: new Set(['loginToken']),
      async cycle() {
        await processes.ok(['sync']);
      },
      restCycles: size.restCycles,
    });
    findings.push(...found);
    if (changes() !== before) findings.push('(f) cycles at rest changed the source');
    findings.push(...(await noneTooMany(world)), ...(await patchesAreEdits(world, edits)));
  } finally {
    await warehouse.close();
  }
}

/** Behind a reconcile every live row is a client of the source, or waits to become one. */
async function noneTooMany({ looker, simulator }: World): Promise<readonly string[]> {
  const rows = await looker.reads('SELECT id FROM clients WHERE _deleted_at IS NULL AND _create IS NULL');
  return rows
    .filter(({ id }) => simulator.source.get(String(id)) === undefined)
    .map(({ id }) => `(a) ${id} is live here and not at the source`);
}
