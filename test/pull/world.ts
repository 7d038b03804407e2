/**
 * A source, a mirror and a place store in memory, for histories by the thousand. Rows are written at the source
 * under a stamp of its clock and become visible later; the mirror takes a row as a warehouse does, by older or newer.
 */
import type { PageRequest } from '../../src/api/readInOrder.ts';
import { addSeconds, type Instant, instantFromMs, parseInstant } from '../../src/clients/instant.ts';
import { isRejected, type ReadRow } from '../../src/clients/record.ts';
import type { Clock } from '../../src/clock.ts';
import type { PlaceStore, Stream, StreamPage, StreamState } from '../../src/ledger/places.ts';
import type { PullAnswer } from '../../src/pull/incremental.ts';
import { answer, type IdOrder, idOf, type ModelRow } from '../api/modelSource.ts';

export class Killed extends Error {}

/** A small seeded generator. */
export function createDice(seed: number) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    below: (max: number) => Math.floor(next() * max),
    chance: (share: number) => next() < share,
    of: <T>(items: readonly T[]): T => items[Math.floor(next() * items.length)] as T,
  };
}
export type Dice = ReturnType<typeof createDice>;

const START_MS = 1_780_000_000_000;
export const FUTURE = parseInstant('2099-06-01T00:00:00Z') as Instant;

export interface SourceOptions {
  readonly order: IdOrder;
  readonly cap: number;
  /** The clock that stamps rows, against ours. */
  readonly stampSkewMs: number;
  /** The clock of the `Date` header, against ours; null: no header. */
  readonly dateSkewMs: number | null;
}

export interface SourceRow extends ModelRow {
  /** Our clock when this version became visible. */
  visibleMs: number;
  /** Stamped older than an earlier version: no query of a pull promises it. */
  restored: boolean;
}

export function createWorld(options: SourceOptions) {
  let nowMs = START_MS;
  const rows = new Map<string, SourceRow>();
  let pending: { readonly dueMs: number; readonly id: string; readonly apply: () => void }[] = [];
  let nextId = 0;
  let version = 0;

  // Several rows of one transaction share a stamp; .NET stamps have digits below the millisecond.
  const stamp = () => addSeconds(instantFromMs(nowMs + options.stampSkewMs), 0.000_000_7);
  const advance = (ms: number) => {
    nowMs += ms;
    const due = pending.filter((one) => one.dueMs <= nowMs);
    pending = pending.filter((one) => one.dueMs > nowMs);
    for (const one of due) one.apply();
  };
  const later = (id: string, delayMs: number, apply: () => void) => {
    if (delayMs === 0) apply();
    else pending.push({ dueMs: nowMs + delayMs, id, apply });
  };
  const clock: Clock = { now: () => nowMs, sleep: async (ms) => advance(ms) };

  return {
    clock,
    rows,
    stamp,
    advance,
    flush: () => advance(Math.max(0, ...pending.map((one) => one.dueMs - nowMs))),
    /** Creates rows with one stamp that become visible after `delayMs`. */
    create(count: number, delayMs = 0, createdOn: Instant = stamp()) {
      for (let n = 0; n < count; n += 1) {
        // Ids come in no order of time.
        nextId += 1;
        const id = idOf((nextId * 7919) % 65_521);
        version += 1;
        const mine = version;
        later(id, delayMs, () =>
          rows.set(id, {
            id,
            createdOn,
            updatedOn: null,
            version: mine,
            visibleMs: nowMs,
            restored: false,
          }),
        );
      }
    },
    /** Updates a row; null where another transaction holds it. */
    update(id: string, delayMs = 0, updatedOn: Instant = stamp()) {
      if (pending.some((one) => one.id === id)) return;
      version += 1;
      const mine = version;
      later(id, delayMs, () => {
        const row = rows.get(id);
        if (row === undefined) return;
        const restored = row.updatedOn !== null && updatedOn <= row.updatedOn;
        rows.set(id, {
          ...row,
          updatedOn,
          version: mine,
          visibleMs: nowMs,
          restored: restored || row.restored,
        });
      });
    },
    /** Puts an older version back, stamps and all. */
    restore(id: string, updatedOn: Instant | null) {
      const row = rows.get(id);
      if (row === undefined || pending.some((one) => one.id === id)) return;
      version += 1;
      rows.set(id, { ...row, updatedOn, version, visibleMs: nowMs, restored: true });
    },
    remove(id: string) {
      if (!pending.some((one) => one.id === id)) rows.delete(id);
    },
    date(): Instant | null {
      if (options.dateSkewMs === null) return null;
      return instantFromMs(Math.floor((nowMs + options.dateSkewMs) / 1000) * 1000);
    },
    answer: (request: PageRequest): ReadRow[] => answer([...rows.values()], request, options),
  };
}
export type World = ReturnType<typeof createWorld>;

interface MirrorRow {
  readonly createdOn: Instant | null;
  readonly updatedOn: Instant | null;
  readonly version: number;
  readonly revision: number;
}

export function createMirror() {
  const rows = new Map<string, MirrorRow>();
  const states = new Map<Stream, string>();
  let revision = 0;
  let writes = 0;

  const take = (row: ReadRow, noted: number) => {
    if (isRejected(row)) return;
    const mine = rows.get(row.id);
    const version = Number(row.values[1]);
    if (mine !== undefined) {
      const [old, now] = [mine.updatedOn ?? '', row.updatedOn ?? ''];
      // Null is oldest; an older stamp, or an equal one written since the request, is for the list of single ids.
      if (now < old || (now === old && mine.revision > noted)) return;
      if (mine.version === version && now === old) return;
    }
    revision += 1;
    writes += 1;
    rows.set(row.id, { createdOn: row.createdOn, updatedOn: row.updatedOn, version, revision });
  };
  const save = (stream: Stream, state: StreamState) => states.set(stream, JSON.stringify(state));

  /** `interrupt` is called before and after each transaction, and may kill there. */
  const storeWith = (interrupt: () => void): PlaceStore<PullAnswer> => ({
    async read() {
      interrupt();
      return new Map([...states].map(([stream, text]) => [stream, JSON.parse(text) as StreamState]));
    },
    async commitPage(stream, page: StreamPage<PullAnswer>) {
      interrupt();
      for (const row of page.rows) take(row, page.answer.noted);
      save(stream, page.state);
      interrupt();
    },
    async commitState(stream, state) {
      interrupt();
      save(stream, state);
      interrupt();
    },
  });
  const readState = (stream: Stream): StreamState | null => {
    const text = states.get(stream);
    return text === undefined ? null : (JSON.parse(text) as StreamState);
  };
  return {
    rows,
    take,
    save,
    storeWith,
    readState,
    revision: () => revision,
    writes: () => writes,
  };
}
export type Mirror = ReturnType<typeof createMirror>;
