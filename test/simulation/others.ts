/** What other people do at the source while a mirror lives: changes, late ones, new clients, removals, restores. */
import type { Simulator } from '../../src/simulator/simulator.ts';
import type { Chance } from './chance.ts';
import type { History } from './history.ts';
import type { Habits } from './trouble.ts';
import { drawValue, EDITED } from './users.ts';

interface Scene {
  readonly chance: Chance;
  readonly history: History;
  readonly simulator: Simulator;
  readonly habits: Habits;
  readonly counts: { remote: number };
  /** Clients of which no pull can see what became of them. */
  readonly unseen: Set<string>;
  readonly spoiled: Set<string>;
  readonly trace: (line: string) => void;
}

/** One thing that other people do at the source. */
export function actAtSource(scene: Scene): void {
  const { simulator, chance, counts, habits, unseen, trace } = scene;
  const { source } = simulator;
  const ids = source
    .all()
    .map(({ id }) => id)
    .sort();
  const what = chance.weighted({
    update: 60,
    bulk: 5,
    insert: 8,
    remove: 5,
    restore: 4,
    spoil: habits.spoils ? 3 : 0,
  });
  const late = habits.lateMs > 0 && chance.is(0.3) ? { visibleAfterMs: chance.below(habits.lateMs) } : {};
  counts.remote += 1;
  const draw = () => {
    const field = chance.of(EDITED);
    const value = drawValue(chance, field, 5_000 + counts.remote);
    return { [field.name]: field.type === 'json' && value !== null ? JSON.parse(String(value)) : value };
  };
  if (what === 'insert') source.insert({ email: `remote${counts.remote}@example.com`, ...draw() }, late);
  else if (ids.length === 0) return;
  else if (what === 'update')
    source.update(chance.of(ids), { ...draw(), ...(chance.is(0.3) ? draw() : {}) }, late);
  else if (what === 'bulk') {
    const updatedOn = source.stamp();
    for (const id of chance.some(ids, 0.5)) source.update(id, draw(), { ...late, updatedOn });
  } else if (what === 'remove') source.remove(chance.of(ids));
  else if (what === 'spoil') {
    const id = chance.of(ids);
    source.spoil(id, { fico: 'not a number' });
    scene.spoiled.add(id);
    unseen.add(id);
  } else {
    const gone = scene.history.ids().filter((id) => source.get(id) === undefined || chance.is(0.05));
    const id = gone.length === 0 ? undefined : chance.of(gone);
    const old =
      id === undefined ? undefined : scene.history.of(id).findLast(({ values }) => values !== null)?.values;
    if (id === undefined || old == null) return;
    const { contactAddress } = old;
    const row = {
      ...old,
      contactAddress: contactAddress === null ? null : JSON.parse(String(contactAddress)),
    };
    source.restore(row as Parameters<typeof source.restore>[0]);
    unseen.add(id);
  }
  trace(`  source: ${what}`);
}
