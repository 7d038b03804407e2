/**
 * The simulator's table: the rows and their sorted indexes.
 *
 * Every change goes through `put`, which keeps indexes right and notes the change, so that a read can be
 * answered from the past (a stale replica) by undoing the last changes, reading, and doing them again.
 */
import type { Population } from './generate.ts';
import type { IdOrder } from './ids.ts';
import { createKeyIndex, type KeyIndex, type Keys } from './keyIndex.ts';
import type { ClientRow, StampKey } from './row.ts';
import { createRows, type Handle, type Rows } from './rows.ts';

export interface Store extends Omit<Rows, 'set' | 'peek' | 'handleOf'> {
  index(key: IndexKey): KeyIndex;
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

type IndexKey = StampKey | 'id';

interface Change {
  readonly atMs: number;
  readonly handle: Handle;
  readonly before: ClientRow | null;
  readonly after: ClientRow | null;
}

/** Hears of each change of the table when it has been made. null: there was, or is, no such client. */
export type OnChange = (id: string, before: ClientRow | null, after: ClientRow | null) => void;

const HISTORY_MAX = 10_000;

export function createStore(
  population: Population,
  idOrder: IdOrder,
  clock: () => number,
  onChange?: OnChange,
): Store {
  const rows = createRows(population, idOrder);
  const indexes = createIndexes(rows, population);
  const spoils = new Map<Handle, Readonly<Record<string, unknown>>>();
  const history: Change[] = [];
  const waiting: { dueMs: number; change: () => void }[] = [];
  /** When the change that is being settled was due; it may be long ago. */
  let dueAtMs: number | null = null;
  const { handles, find, row, id, stamp, idKey } = rows;
  return {
    get size() {
      return rows.size;
    },
    idOrder,
    handles,
    find,
    row,
    id,
    stamp,
    idKey,
    index: indexes.of,
    put(wanted, after) {
      const handle = rows.handleOf(wanted);
      const before = rows.peek(handle);
      const lastMs = history.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY;
      history.push({ atMs: dueAtMs === null ? clock() : Math.max(dueAtMs, lastMs), handle, before, after });
      if (history.length > HISTORY_MAX * 2) history.splice(0, HISTORY_MAX);
      indexes.place(handle, after);
      onChange?.(wanted, before, after);
    },
    spoil(wanted, values) {
      const handle = rows.handleOf(wanted);
      if (values === null) spoils.delete(handle);
      else spoils.set(handle, values);
      // Placed where it is, it counts as changed for whoever keeps serialised rows.
      const present = rows.peek(handle);
      if (present !== null) indexes.place(handle, present);
    },
    spoiled: (handle) => (spoils.size === 0 ? undefined : spoils.get(handle)),
    later(dueMs, change) {
      const at = waiting.findIndex((other) => other.dueMs > dueMs);
      waiting.splice(at < 0 ? waiting.length : at, 0, { dueMs, change });
    },
    settle() {
      const nowMs = clock();
      for (let next = waiting[0]; next !== undefined && next.dueMs <= nowMs; next = waiting[0]) {
        waiting.shift();
        dueAtMs = next.dueMs;
        next.change();
        dueAtMs = null;
      }
    },
    asOf(timeMs, read) {
      const from = history.findLastIndex((change) => change.atMs <= timeMs) + 1;
      const undone = history.slice(from);
      for (const change of undone.toReversed()) indexes.place(change.handle, change.before);
      try {
        return read();
      } finally {
        for (const change of undone) indexes.place(change.handle, change.after);
      }
    },
  };
}

interface Indexes {
  of(key: IndexKey): KeyIndex;
  /** Puts a row, and keeps every index in step. */
  place(handle: Handle, after: ClientRow | null): void;
}

function createIndexes(rows: Rows, population: Population): Indexes {
  const indexes = new Map<IndexKey, KeyIndex>();
  const build = (key: IndexKey): KeyIndex => {
    const keyOf = key === 'id' ? () => null : (handle: Handle) => rows.stamp(handle, key);
    const keys: Keys = { keyOf, idKeyOf: rows.idKey, handles: rows.handles, count: () => rows.size };
    if (key === 'id') return createKeyIndex([], keys);
    return createKeyIndex(key === 'createdOn' ? population.byCreatedOn() : population.byUpdatedOn(), keys);
  };
  const of = (key: IndexKey): KeyIndex => {
    const index = indexes.get(key) ?? build(key);
    indexes.set(key, index);
    return index;
  };
  // Built while nothing has changed: the population knows its order, a changed table would have to be sorted.
  of('createdOn');
  of('updatedOn');
  return {
    of,
    place(handle, after) {
      const before = rows.peek(handle);
      const moved: KeyIndex[] = [];
      for (const [key, index] of indexes) {
        const sits = before !== null && after !== null && (key === 'id' || before[key] === after[key]);
        if (sits) index.touch(handle);
        else moved.push(index);
      }
      if (before !== null) for (const index of moved) index.remove(handle);
      rows.set(handle, after);
      if (after !== null) for (const index of moved) index.insert(handle);
    },
  };
}
