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
  /** A reconcile comes by: what no pull can see happens more often, and in more ways. */
  readonly swept?: boolean;
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
    remove: scene.swept ? 9 : 5,
    restore: scene.swept ? 9 : 4,
    spoil: habits.spoils ? 3 : 0,
    import: scene.swept ? 4 : 0,
    silent: scene.swept ? 3 : 0,
    future: scene.swept ? 3 : 0,
    repair: scene.swept ? 6 : 0,
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
  } else if (what === 'import') {
    // As a migration does it: with the stamps of long ago.
    const createdOn = chance.of([null, '2003-03-03T00:00:00Z', '2021-07-07T07:07:07.7777777Z']);
    unseen.add(source.insert({ email: `old${counts.remote}@example.com`, ...draw() }, { createdOn }).id);
  } else if (what === 'silent') {
    const id = chance.of(ids);
    source.update(id, draw(), { keepStamp: true, visibleAfterMs: 0 });
    unseen.add(id);
  } else if (what === 'future') {
    source.update(chance.of(ids), draw(), { updatedOn: FUTURE, visibleAfterMs: 0 });
  } else if (what === 'repair') {
    for (const { id, updatedOn } of source.all())
      if (updatedOn !== null && updatedOn >= FUTURE) source.update(id, {}, { visibleAfterMs: 0 });
  } else restoreOne(scene);
  trace(`  source: ${what}`);
}

/** A clock that was wrong for a moment. */
export const FUTURE = '2099-01-01T00:00:00.0000000Z';

/** From a backup, old stamps included: one that is gone, or an old version of one that is there. */
function restoreOne({ simulator: { source }, chance, history, unseen, swept, trace }: Scene): void {
  const gone = history.ids().filter((id) => source.get(id) === undefined || chance.is(swept ? 0.2 : 0.05));
  if (gone.length === 0) return;
  const id = chance.of(gone);
  const versions = history.of(id).flatMap(({ values }) => (values === null ? [] : [values]));
  const old = swept && chance.is(0.5) ? chance.of(versions) : versions.at(-1);
  if (old === undefined) return;
  const { contactAddress } = old;
  const row = { ...old, contactAddress: contactAddress === null ? null : JSON.parse(String(contactAddress)) };
  source.restore(row as Parameters<typeof source.restore>[0]);
  trace(`  source: ${id} is back`);
  unseen.add(id);
}
