/**
 * The simulator's table: the generated population, overlaid with whatever changed, and its sorted indexes.
 *
 * Every change goes through `put`, which keeps indexes right and notes the change, so that a read can be
 * answered from the past (a stale replica) by undoing the last changes, reading, and doing them again.
 */
import type { Population } from './generate.ts';
import { type IdOrder, sortKeyOf } from './ids.ts';
import { createKeyIndex, type KeyIndex, type Keys } from './keyIndex.ts';
import type { ClientRow, StampKey } from './row.ts';

/** A row is known by its handle: the population's number, or one counted on from there. */
export type Handle = number;

export interface Store {
  readonly size: number;
  readonly idOrder: IdOrder;
  handles(): Iterable<Handle>;
  find(id: string): Handle | undefined;
  row(handle: Handle): ClientRow;
  id(handle: Handle): string;
  stamp(handle: Handle, key: StampKey): string | null;
  /** Sorts as this server sorts ids. */
  idKey(handle: Handle): string;
  index(key: StampKey | 'id'): KeyIndex;
  /** Adds a row, replaces the row of the same id, or (null) removes it. */
  put(id: string, row: ClientRow | null): void;
  /** Serves a row with these values instead of its own; undefined leaves the field out. null: as it is again. */
  spoil(id: string, values: Readonly<Record<string, unknown>> | null): void;
  spoiled(handle: Handle): Readonly<Record<string, unknown>> | undefined;
  /** Does something that shall happen at a time; `settle` does it when that time has come. */
  later(dueMs: number, change: () => void): void;
  settle(): void;
  /** What `read` answers with the table as it was at a time. */
  asOf<T>(timeMs: number, read: () => T): T;
}

interface Change {
  readonly atMs: number;
  readonly handle: Handle;
  readonly before: ClientRow | null;
  readonly after: ClientRow | null;
}

const HISTORY_MAX = 10_000;

export function createStore(population: Population, idOrder: IdOrder, clock: () => number): Store {
  /** null: removed. */
  const overlay = new Map<Handle, ClientRow | null>();
  const ids = new Map<string, Handle>();
  const spoils = new Map<Handle, Readonly<Record<string, unknown>>>();
  const indexes = new Map<StampKey | 'id', KeyIndex>();
  const history: Change[] = [];
  const waiting: { dueMs: number; change: () => void }[] = [];
  let size = population.size;
  let next = population.size;

  const isLive = (handle: Handle): boolean => {
    const row = overlay.get(handle);
    return row === undefined ? handle < population.size : row !== null;
  };
  const row = (handle: Handle): ClientRow => overlay.get(handle) ?? population.row(handle);
  const id = (handle: Handle): string => overlay.get(handle)?.id ?? population.id(handle);
  const stamp = (handle: Handle, key: StampKey): string | null => {
    const changed = overlay.get(handle);
    return changed ? changed[key] : population[key](handle);
  };
  const idKey = (handle: Handle): string => sortKeyOf(id(handle), idOrder);
  function* handles(): Iterable<Handle> {
    for (let handle = 0; handle < next; handle += 1) if (isLive(handle)) yield handle;
  }
  const index = (key: StampKey | 'id'): KeyIndex => {
    const built = indexes.get(key) ?? buildIndex(key);
    indexes.set(key, built);
    return built;
  };
  const buildIndex = (key: StampKey | 'id'): KeyIndex => {
    const keyOf = key === 'id' ? () => null : (handle: Handle) => stamp(handle, key);
    const keys: Keys = { keyOf, idKeyOf: idKey, handles, count: () => size };
    if (key === 'id') return createKeyIndex([], keys);
    return createKeyIndex(key === 'createdOn' ? population.byCreatedOn() : population.byUpdatedOn(), keys);
  };
  /** Handles of ids that were never part of the population, given out once. */
  const handleOf = (wanted: string): Handle => {
    const known = population.find(wanted) ?? ids.get(wanted);
    if (known !== undefined) return known;
    ids.set(wanted, next);
    // Without an entry the number would count as live before its first row is there.
    overlay.set(next, null);
    next += 1;
    return next - 1;
  };
  const place = (handle: Handle, after: ClientRow | null): void => {
    const before = isLive(handle) ? row(handle) : null;
    for (const [key, built] of indexes) {
      if (before !== null && !(after !== null && sitsStill(key, before, after))) built.remove(handle);
    }
    size += (after === null ? 0 : 1) - (before === null ? 0 : 1);
    overlay.set(handle, after);
    if (after === null) return;
    for (const [key, built] of indexes) {
      if (before !== null && sitsStill(key, before, after)) built.touch(handle);
      else built.insert(handle);
    }
  };
  // Built while nothing has changed: the population knows its order, a changed table would have to be sorted.
  index('createdOn');
  index('updatedOn');

  return {
    get size() {
      return size;
    },
    idOrder,
    handles,
    find(wanted) {
      const handle = population.find(wanted) ?? ids.get(wanted);
      return handle !== undefined && isLive(handle) ? handle : undefined;
    },
    row,
    id,
    stamp,
    idKey,
    index,
    put(wanted, after) {
      const handle = handleOf(wanted);
      history.push({ atMs: clock(), handle, before: isLive(handle) ? row(handle) : null, after });
      if (history.length > HISTORY_MAX * 2) history.splice(0, HISTORY_MAX);
      place(handle, after);
    },
    spoil(wanted, values) {
      const handle = handleOf(wanted);
      if (values === null) spoils.delete(handle);
      else spoils.set(handle, values);
      if (isLive(handle)) for (const built of indexes.values()) built.touch(handle);
    },
    spoiled: (handle) => (spoils.size === 0 ? undefined : spoils.get(handle)),
    later(dueMs, change) {
      const at = waiting.findIndex((other) => other.dueMs > dueMs);
      waiting.splice(at < 0 ? waiting.length : at, 0, { dueMs, change });
    },
    settle() {
      const nowMs = clock();
      while ((waiting[0]?.dueMs ?? Number.POSITIVE_INFINITY) <= nowMs) waiting.shift()?.change();
    },
    asOf(timeMs, read) {
      const from = history.findLastIndex((change) => change.atMs <= timeMs) + 1;
      for (const change of history.slice(from).reverse()) place(change.handle, change.before);
      try {
        return read();
      } finally {
        for (const change of history.slice(from)) place(change.handle, change.after);
      }
    },
  };
}

function sitsStill(key: StampKey | 'id', before: ClientRow, after: ClientRow): boolean {
  return key === 'id' || before[key] === after[key];
}
