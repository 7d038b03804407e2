/**
 * Sweeps while the source changes under every request: clients come, go, come back, change, with old stamps too,
 * and pulls and users work beside. No client that was there all the time is ever taken for deleted, no edit is
 * touched, and once all is quiet the mirror equals the source.
 */
import { expect, it } from 'vitest';
import type { ClientRow } from '../../src/simulator/row.ts';
import { runPull, runReconcile } from '../../src/sync.ts';
import { createDice } from '../pull/world.ts';
import { describeBoth } from '../push/warehouses.ts';
import type { World } from '../push/world.ts';

const CHOICE = { deep: false, dryRun: false, allowMassDelete: true };
const SEEDS = { sqlite: 12, postgres: 3 } as const;
const GROUP = '2015-01-01T00:00:00Z';

async function live(seed: number, world: World): Promise<void> {
  const dice = createDice(seed);
  const { source } = world.simulator;
  const removed = new Map<string, ClientRow>();
  const everGone = new Set<string>();
  for (let n = 0; n < 12; n += 1) source.insert({}, { createdOn: dice.chance(0.7) ? GROUP : null });
  await world.pull();
  await runReconcile(world.engine, CHOICE);
  const edited = world.ids().filter(() => dice.chance(0.1));
  for (const id of edited) await world.sql(`UPDATE clients SET fax = 'mine' WHERE id = '${id}'`);

  const act = (): void => {
    const id = source.someId(undefined);
    const roll = dice.below(6);
    if (roll === 0)
      source.insert(
        {},
        dice.of([{}, { createdOn: GROUP }, { createdOn: null }, { createdOn: '2003-03-03T00:00:00Z' }]),
      );
    else if (id === undefined) return;
    else if (roll === 1) {
      const row = source.remove(id);
      if (row !== undefined) removed.set(id, row);
      everGone.add(id);
    } else if (roll === 2) source.update(id, { homePhone: String(dice.below(1e6)) });
    else if (roll === 3)
      source.update(id, { workPhone: '1' }, { updatedOn: dice.of([null, '2012-12-12T00:00:00Z']) });
    else if (roll === 4) {
      const [row] = removed.values();
      if (row === undefined) return;
      removed.delete(row.id);
      source.restore(row);
    }
  };
  let depth = 0;
  world.simulator.setOnRequest(async () => {
    if (dice.chance(0.35)) act();
    if (depth === 0 && dice.chance(0.03)) {
      depth += 1;
      await runPull(world.another({ push: { sends: false } })).catch(() => undefined);
      depth -= 1;
    }
  });
  for (let n = 0; n < 2; n += 1) {
    await runReconcile(world.engine, { ...CHOICE, deep: dice.chance(0.5), groupMax: dice.of([2, 10_000]) });
    const dead = await world.sql('SELECT id FROM clients WHERE _deleted_at IS NOT NULL');
    expect(dead.map((row) => String(row.id)).filter((one) => !everGone.has(one))).toEqual([]);
  }
  world.simulator.setOnRequest(undefined);
  const kept = await world.sql("SELECT id FROM clients WHERE fax = 'mine'");
  expect(kept.map((row) => String(row.id)).sort()).toEqual(edited);

  // All is quiet: the edits go out, what was doubted is believed a lookback later.
  for (let n = 0; n < 3; n += 1) {
    await world.sync();
    world.clock.advance(301_000);
    await runReconcile(world.engine, CHOICE);
  }
  const { certificate } = await runReconcile(world.engine, { ...CHOICE, deep: true });
  expect(certificate).toMatchObject({
    missing: 0,
    stale: 0,
    extra: 0,
    changed: 0,
    deleted: 0,
    clients: source.size,
  });
  const rows = await world.sql('SELECT id FROM clients WHERE _deleted_at IS NULL');
  expect(rows.map((row) => String(row.id)).sort()).toEqual(world.ids());
}

describeBoth('reconcile while the source changes', (begin, kind) => {
  it.each(Array.from({ length: SEEDS[kind] }, (_, seed) => seed + 1))(
    'keeps its promises, seed %i',
    async (seed) => {
      const simulator = { clients: 25, pageCap: 5, seed, token: 'lasting', idOrder: 'sqlserver' } as const;
      await live(seed, await begin({ simulator, concurrency: 2 }));
    },
  );
});
