/**
 * Peace: faults off, everything committed and published, every process at its end. Then cycles until nothing waits, for
 * by itself a pull brings all that it can see; a reconcile for the rest; and the accounts of the simulation, which must
 * all be right.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { ReconcileReport } from '../../src/reconcile/reconcile.ts';
import type { Warehouse } from '../../src/warehouse/warehouse.ts';
import { type Account, closeAccounts, readDifferences, whatWaits } from '../simulation/accounts.ts';
import type { Edit } from '../simulation/users.ts';
import { patchesAreEdits } from './patches.ts';
import type { World } from './world.ts';

const CYCLES_MAX = 16;

/** Ends a spell of trouble. What is found wrong stands in `findings`. */
export async function closeSpell(world: World): Promise<void> {
  await makePeace(world);
  const warehouse = await world.open();
  try {
    const account = accountOf(world, warehouse);
    await rest(world, warehouse, async () => true);
    for (const finding of await readDifferences(account, { unseen: world.unseen }))
      world.findings.push(`without a reconcile ${finding}`);
    // One that was killed goes on where it was, and has passed by what came back behind it.
    await reconcile(world);
    await rest(world, warehouse, async () => {
      const { missing, stale, extra, mended, deleted } = await reconcile(world);
      return missing + stale + extra + mended.missing + mended.stale + deleted === 0;
    });
    world.unseen.clear();
    const before = changesAtSource(world);
    world.findings.push(...(await closeAccounts(account)));
    if (changesAtSource(world) !== before) world.findings.push('(f) cycles at rest changed the source');
    world.findings.push(...(await patchesAreEdits(world, editsOf(world))));
  } finally {
    await warehouse.close();
  }
}

async function makePeace(world: World): Promise<void> {
  const { simulator, processes, tokens, users, habits, chance, spoiled, trace } = world;
  trace('peace');
  // A source that had a field and has it no more is no peace.
  const { extraField } = habits.faults;
  const fields = extraField === undefined ? {} : { extraField };
  simulator.setFaults(chance.is(0.5) ? habits.faults : fields);
  tokens.publish();
  for (const user of users) await user.endLingering('COMMIT');
  world.lingering.length = 0;
  await processes.settle();
  for (const id of spoiled) simulator.source.spoil(id, null);
  spoiled.clear();
  // What commits late is there by then.
  await delay(habits.lateMs + 50);
}

/** Cycles until nothing waits and a cycle costs no more than rest does; then `isDone` may ask for more of them. */
async function rest(world: World, warehouse: Warehouse, isDone: () => Promise<boolean>): Promise<void> {
  const { simulator, processes, size, trace } = world;
  let waits = '';
  for (let cycle = 1; cycle <= CYCLES_MAX; cycle += 1) {
    const before = simulator.requests.total;
    await processes.ok(['sync']);
    const cost = simulator.requests.total - before;
    waits = await whatWaits(warehouse);
    trace(`  cycle ${cycle} cost ${cost}: ${waits}`);
    if (waits === '' && cost === 2 && (await isDone())) return;
    if (waits !== '') await processes.ok(['push', '--allow-mass-edit']);
    await delay(size.lookbackSeconds * 1_100);
  }
  world.findings.push(`no rest after ${CYCLES_MAX} cycles: ${waits}`);
}

async function reconcile({ processes }: World): Promise<ReconcileReport['certificate']> {
  const args = ['reconcile', '--deep', '--allow-mass-delete', '--json'];
  return (JSON.parse((await processes.ok(args)).stdout) as ReconcileReport).certificate;
}

function accountOf(world: World, warehouse: Warehouse): Account {
  const { history, simulator, patches, habits, processes, size } = world;
  return {
    ...{ history, simulator, warehouse, edits: editsOf(world), patches: patches.patches },
    nowMs: Date.now(),
    staleMs: habits.staleMs,
    excluded: new Set(['loginToken']),
    async cycle() {
      await processes.ok(['sync']);
    },
    reconcile: () => reconcile(world),
    restCycles: size.restCycles,
  };
}

/** All that people did, in order. */
export function editsOf({ users, decisions }: World): readonly Edit[] {
  return [...users.flatMap(({ edits }) => edits), ...decisions].sort((a, b) => a.tick - b.tick);
}

function changesAtSource({ history }: World): number {
  return history.ids().reduce((sum, id) => sum + history.of(id).length, 0);
}
