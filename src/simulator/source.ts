/**
 * The table as a test holds it in its hand: read, change and stamp rows without HTTP.
 *
 * Stamps are seven-digit and never run backwards, but may tie; whoever names a stamp gets exactly that one.
 * A change with `visibleAfterMs` is stamped now and seen later, as a transaction that commits late.
 */
import { type Instant, instantFromMs, parseInstant } from '../clients/instant.ts';
import { idOf } from './ids.ts';
import type { Random } from './random.ts';
import { BLANK_ROW, type ClientRow } from './row.ts';
import type { Store } from './store.ts';

interface InsertOptions {
  /** Exact stamps; by default created now and never updated. */
  readonly createdOn?: string | null;
  readonly updatedOn?: string | null;
  /** Milliseconds until others see it. */
  readonly visibleAfterMs?: number;
}

interface UpdateOptions {
  /** Exact stamp; now by default. */
  readonly updatedOn?: string | null;
  /** Changes the row and leaves `updatedOn` as it is: a change that no pull can see. */
  readonly keepStamp?: boolean;
  readonly visibleAfterMs?: number;
}

export interface Source {
  readonly size: number;
  /** A copy of every row, in no promised order. */
  all(): ClientRow[];
  get(id: string): ClientRow | undefined;
  /** Adds a client; missing required fields are made up. Returns the row, visible or not yet. */
  insert(row?: Partial<ClientRow>, options?: InsertOptions): ClientRow;
  /** Changes a client. Throws when there is none of this id. */
  update(id: string, changes: Partial<ClientRow>, options?: UpdateOptions): ClientRow;
  /** Removes a client and returns what it was; undefined when there was none. */
  remove(id: string): ClientRow | undefined;
  /** Brings back a row exactly as given, old stamps included, as from a backup. */
  restore(row: ClientRow): void;
  /** Serves a client with broken values (undefined: field missing); null mends it. */
  spoil(id: string, values: Readonly<Record<string, unknown>> | null): void;
  /** The stamp that the next change would get; it is used up. */
  stamp(): Instant;
  /** Any one client's id; undefined when there is none. */
  someId(random?: Random): string | undefined;
}

export interface SourceOptions {
  readonly seed: number;
  readonly random: Random;
  clock(): number;
  /** How late a change commits that does not say so itself. */
  lateMs(): number;
}

export function createSource(store: Store, options: SourceOptions): Source {
  const { seed, clock, random } = options;
  let made = 0;
  let last = '' as Instant;
  const stamp = (): Instant => {
    // The clock has milliseconds; chance fills the four digits below, as a .NET clock would.
    const text = instantFromMs(clock());
    const fine = `${text.slice(0, 23)}${String(10_000 + random.below(10_000)).slice(1)}Z` as Instant;
    if (fine > last) last = fine;
    return last;
  };
  const apply = (visibleAfterMs: number | undefined, change: () => void): void => {
    // What was due before comes before.
    store.settle();
    const waitMs = visibleAfterMs ?? options.lateMs();
    if (waitMs <= 0) change();
    else store.later(clock() + waitMs, change);
  };
  const get = (id: string): ClientRow | undefined => {
    const handle = store.find(id.toLowerCase());
    return handle === undefined ? undefined : store.row(handle);
  };
  return {
    get size() {
      return store.size;
    },
    all: () => Array.from(store.handles(), (handle) => store.row(handle)),
    get,
    insert(given = {}, how = {}) {
      made += 1;
      const row: ClientRow = {
        ...BLANK_ROW,
        email: `new${made}@example.com`,
        firstName: 'New',
        lastName: `Client ${made}`,
        id: idOf(seed ^ 0x7e57ab1e, made),
        ...given,
        createdOn: how.createdOn === undefined ? stamp() : exact(how.createdOn),
        updatedOn: how.updatedOn === undefined ? null : exact(how.updatedOn),
      };
      if (get(row.id) !== undefined) throw new Error(`client ${row.id} exists`);
      apply(how.visibleAfterMs, () => store.put(row.id, row));
      return row;
    },
    update(id, changes, how = {}) {
      const before = get(id);
      if (before === undefined) throw new Error(`no client ${id}`);
      const named = how.updatedOn === undefined ? undefined : exact(how.updatedOn);
      const updatedOn = how.keepStamp ? before.updatedOn : named === undefined ? stamp() : named;
      const own = { id: before.id, createdOn: before.createdOn, updatedOn };
      apply(how.visibleAfterMs, () => {
        // A late change lands on what the row has become meanwhile, unless it went.
        const present = get(id);
        if (present !== undefined) store.put(before.id, { ...present, ...changes, ...own });
      });
      return { ...before, ...changes, ...own };
    },
    remove(id) {
      store.settle();
      const before = get(id);
      if (before !== undefined) store.put(before.id, null);
      return before;
    },
    restore(row) {
      store.settle();
      store.put(row.id, row);
    },
    spoil: (id, values) => store.spoil(id, values),
    stamp,
    someId(chance = random) {
      if (store.size === 0) return undefined;
      return store.id(store.index('createdOn').at(chance.below(store.size)));
    },
  };
}

function exact(stamp: string | null): string | null {
  if (stamp === null) return null;
  const read = parseInstant(stamp);
  if (read === null) throw new Error(`${stamp} is not a stamp`);
  return read;
}
