/**
 * All rows in the order (key, id), nulls first as in SQL Server. The rows without a key are sorted by id alone,
 * and only when somebody looks at them: nobody reads 700,000 never-updated clients in that order by chance.
 */
import { createLeaves, type Leaves, type Slice } from './leaves.ts';

/** What the index must know of a row. */
export interface Keys {
  keyOf(handle: number): string | null;
  /** Sorts as the server sorts ids. */
  idKeyOf(handle: number): string;
  /** Every live handle, in any order. */
  handles(): Iterable<number>;
  /** How many those are. */
  count(): number;
}

/** Positions count the nulls first, then the keyed rows. */
export interface KeyIndex {
  readonly size: number;
  readonly nulls: number;
  insert(handle: number): void;
  remove(handle: number): void;
  touch(handle: number): void;
  at(position: number): number;
  /** Position of the first keyed row at or (exclusive) after the key. */
  positionOf(key: string, exclusive: boolean): number;
  slices(from: number, to: number): Slice[];
}

/** @param keyed the rows with a key in its order; ties may be in any order */
export function createKeyIndex(keyed: ArrayLike<number>, keys: Keys): KeyIndex {
  const { keyOf, idKeyOf } = keys;
  const byId = (a: number, b: number): number => compareText(idKeyOf(a), idKeyOf(b));
  const values = createLeaves(sortTies(keyed, keys), (a, b) => {
    return compareText(keyOf(a) ?? '', keyOf(b) ?? '') || byId(a, b);
  });
  let lane: Leaves | null = null;
  const nullLane = (): Leaves => {
    lane ??= createLeaves(sortById(keys), byId);
    return lane;
  };
  const counted = (): number => keys.count() - values.size;
  return {
    get size() {
      return values.size + counted();
    },
    get nulls() {
      return counted();
    },
    insert(handle) {
      if (keyOf(handle) !== null) values.insert(handle);
      else lane?.insert(handle);
    },
    remove(handle) {
      if (keyOf(handle) !== null) values.remove(handle);
      else lane?.remove(handle);
    },
    touch(handle) {
      if (keyOf(handle) !== null) values.touch(handle);
      else lane?.touch(handle);
    },
    at(position) {
      const nulls = counted();
      return position < nulls ? nullLane().at(position) : values.at(position - nulls);
    },
    positionOf(key, exclusive) {
      const isBefore = exclusive
        ? (handle: number) => (keyOf(handle) ?? '') <= key
        : (handle: number) => (keyOf(handle) ?? '') < key;
      return counted() + values.lowerBound(isBefore);
    },
    slices(from, to) {
      const nulls = counted();
      const first = from < nulls ? nullLane().slices(from, Math.min(to, nulls)) : [];
      return to > nulls ? [...first, ...values.slices(Math.max(0, from - nulls), to - nulls)] : first;
    },
  };
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function sortById(keys: Keys): number[] {
  const found: { handle: number; id: string }[] = [];
  for (const handle of keys.handles()) {
    if (keys.keyOf(handle) === null) found.push({ handle, id: keys.idKeyOf(handle) });
  }
  return found.sort((a, b) => compareText(a.id, b.id)).map((entry) => entry.handle);
}

/** Puts rows of equal key in order of id; the rest stands as it is. */
function sortTies(keyed: ArrayLike<number>, keys: Keys): number[] {
  const sorted = Array.from(keyed);
  let from = 0;
  let key = sorted.length > 0 ? keys.keyOf(sorted[0] ?? 0) : null;
  for (let at = 1; at <= sorted.length; at += 1) {
    const next = at < sorted.length ? keys.keyOf(sorted[at] ?? 0) : null;
    if (at < sorted.length && next === key) continue;
    if (at - from > 1) {
      const group = sorted.slice(from, at).map((handle) => ({ handle, id: keys.idKeyOf(handle) }));
      group.sort((a, b) => compareText(a.id, b.id));
      for (const [n, entry] of group.entries()) sorted[from + n] = entry.handle;
    }
    from = at;
    key = next;
  }
  return sorted;
}
