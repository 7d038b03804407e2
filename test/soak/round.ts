/** One round: a mirror made from a seed, spells of trouble, each ended by peace and the accounts. */
import { closeSpell, editsOf } from './peace.ts';
import { playTrouble } from './steps.ts';
import { createWorld, type RoundOptions, type World } from './world.ts';

export interface Outcome {
  /** Empty: all was right. */
  readonly findings: readonly string[];
  /** What was done, and what went wrong on purpose, by kind. */
  readonly counts: Readonly<Record<string, number>>;
}

export async function playRound(options: RoundOptions): Promise<Outcome> {
  const world = await createWorld(options);
  try {
    await playSpells(world).catch((error: unknown) => {
      world.findings.push(`the round broke off: ${error instanceof Error ? error.stack : error}`);
    });
    for (const finding of world.findings) world.trace(`FINDING ${finding}`);
    return { findings: world.findings, counts: countsOf(world) };
  } finally {
    await world.close();
  }
}

async function playSpells(world: World): Promise<void> {
  await begin(world);
  for (let spell = 1; spell <= world.size.spells && world.findings.length === 0; spell += 1) {
    world.trace(`spell ${spell}`);
    await playTrouble(world, spell);
    await closeSpell(world);
  }
}

/** Half of the mirrors begin in peace, the others in the midst of it. */
async function begin({ chance, processes, simulator, habits }: World): Promise<void> {
  if (chance.is(0.3)) return;
  simulator.setFaults({});
  await processes.ok(['backfill']);
  simulator.setFaults(habits.faults);
}

function countsOf(world: World): Record<string, number> {
  const { remote, ...counts } = world.counts;
  return {
    ...counts,
    'local edits': editsOf(world).length,
    'remote changes': remote,
    requests: world.simulator.requests.total,
    patches: world.patches.patches.length,
    ...Object.fromEntries([...world.simulator.struck].map(([name, n]) => [`fault ${name}`, n])),
  };
}
