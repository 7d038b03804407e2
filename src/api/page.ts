/**
 * One page of the pager, pure: what is asked, whether the answer joins on to what was read before, and where
 * the read stands behind it. A place counts the rows at one key from the beginning of their group; that is
 * sound because a request begins at a key and the server sorts by it, so an answer's later groups are whole.
 */
import type { Instant } from '../clients/instant.ts';
import { isRejected, type ReadRow } from '../clients/record.ts';

type Key = 'createdOn' | 'updatedOn';

/** What is read, in (key, id) order. */
export interface Range {
  readonly key: Key;
  /**
   * `values`: key between from and to. `nulls`: the lane `key eq null`, one group without bounds; every comparison
   * with null is false in OData, so it needs a filter of its own.
   */
  readonly lane: 'values' | 'nulls';
  /** Inclusive; null: from the beginning. */
  readonly from: Instant | null;
  /** Exclusive; null: to the end. */
  readonly to: Instant | null;
  /** A further condition, joined with `and`, e.g. `updatedOn eq null`; null: none. */
  readonly also: string | null;
}

/** Where a read stands. `seen` rows were read at exactly `key`; `seam` is the last of them. */
export interface Place {
  readonly key: Instant | null;
  readonly seen: number;
  readonly seam: { readonly id: string; readonly key: Instant | null } | null;
}

/** One request of the pager, ready to be sent: the list function adds owner and `$select`. */
export interface PageRequest {
  readonly filter: string | null;
  readonly orderby: string;
  readonly skip: number;
  readonly top: number;
}

/** What a list function answers. It may add what the caller wants to know of the request (see Page.answer). */
export interface PageAnswer {
  readonly rows: readonly ReadRow[];
}

/** Which rows an answer holds: those of the range from `key` on, without the first `skip`. */
export interface Asked {
  readonly key: Instant | null;
  readonly skip: number;
}

/** A request under way. */
export interface Ask extends Asked {
  /** Identity of the row that must come first; null: any may. */
  readonly expect: string | null;
  /** Stands behind rows without id or key: the first row is known by its text, and no place is there. */
  readonly blind: boolean;
}

/** Where a read stands between two requests. */
export interface Stand {
  readonly place: Place;
  /** Identities of the last page's rows at the place's key: behind any of them the read may go on. */
  readonly known: ReadonlySet<string>;
  /** What is asked next. */
  readonly ask: Ask;
  /** How far the next step back goes. */
  readonly step: number;
}

/**
 * How an answer joins on to what was read. `start`: nothing was expected. `seam`: the expected row came first.
 * `known`: another row of the last page was met. `anew`: none was, but the answer begins where the group does.
 * `moved`: rows may lie between what was read and this answer.
 */
export interface Joint {
  readonly how: 'start' | 'seam' | 'known' | 'anew' | 'moved';
  /** The rows not met so far. */
  readonly fresh: readonly ReadRow[];
  /** Where the read stands before the fresh rows, as this answer shows it. */
  readonly place: Place;
  readonly next: Stand;
}

/** Where a read begins, or goes on. */
export function standAt(place: Place): Stand {
  const ask = askBehind(place);
  return { place, known: new Set(ask.expect === null ? [] : [ask.expect]), ask, step: 1 };
}

/** Joins an answer on to what was read. */
export function join(range: Range, stand: Stand, rows: readonly ReadRow[]): Joint {
  const { ask } = stand;
  const { how, fresh } = meet(range, stand, rows);
  const place = placeBefore(stand, how);
  if (how === 'moved') return { how, fresh, place, next: stepBack(stand) };
  const last = rows.findLastIndex((row) => isReadable(range, row));
  if (last > 0 || (last === 0 && how !== 'seam')) {
    const there = placeAt(range, ask, rows, last);
    const known = knownAt(range, rows, there);
    return { how, fresh, place, next: { place: there, known, ask: askBehind(there), step: 1 } };
  }
  return { how, fresh, place, next: { ...stand, place, ask: askBlind(range, ask, rows), step: 1 } };
}

/** The filter, order and offset of one request. */
export function planRequest(range: Range, asked: Asked, top: number): PageRequest {
  const low = asked.key === null ? `${range.key} ne null` : `${range.key} ge ${asked.key}`;
  const high = range.to === null ? null : `${range.key} lt ${range.to}`;
  const lane = range.lane === 'nulls' ? [`${range.key} eq null`] : [low, high];
  const clauses = [...lane, range.also].filter((clause) => clause !== null);
  return {
    filter: clauses.join(' and '),
    orderby: range.lane === 'nulls' ? 'id' : `${range.key},id`,
    skip: asked.skip,
    top,
  };
}

/** The request that goes on behind a place: its seam must come first. */
function askBehind(place: Place): Ask {
  const expect = place.seam === null ? null : named(place.seam.id, place.seam.key);
  return { key: place.key, skip: expect === null ? 0 : place.seen - 1, expect, blind: false };
}

/** The request that goes on behind an answer that ends with rows without id or key. */
function askBlind(range: Range, asked: Asked, rows: readonly ReadRow[]): Ask {
  const last = rows.at(-1);
  const expect = last === undefined ? null : identityOf(range, last);
  return { key: asked.key, skip: asked.skip + rows.length - 1, expect, blind: true };
}

/**
 * A row's identity while it stands still: id and key, for by id alone a row that was updated and moved away
 * would pass for the one we left. A row without id or key is known by its text.
 */
export function identityOf(range: Range, row: ReadRow): string {
  return row.id !== null && isReadable(range, row)
    ? named(row.id, row[range.key] ?? null)
    : `raw ${isRejected(row) ? row.raw : ''}`;
}

/** Can the row be a seam? A rejected row can, where its id and key are readable. */
export function isReadable(range: Range, row: ReadRow): boolean {
  const key = row[range.key];
  return row.id !== null && key !== undefined && (key === null) === (range.lane === 'nulls');
}

function placeBefore({ ask, place }: Stand, how: Joint['how']): Place {
  if (how === 'anew') return { key: ask.key, seen: 0, seam: null };
  // After steps back the seam itself may be met, farther left than it was.
  return how === 'seam' && !ask.blind ? { ...place, seen: ask.skip + 1 } : place;
}

function meet(range: Range, { ask, known }: Stand, rows: readonly ReadRow[]): Pick<Joint, 'how' | 'fresh'> {
  if (ask.expect === null) return { how: 'start', fresh: rows };
  const first = rows[0];
  if (first !== undefined && identityOf(range, first) === ask.expect) {
    return { how: 'seam', fresh: rows.slice(1) };
  }
  const fresh = rows.filter((row) => !known.has(identityOf(range, row)));
  if (fresh.length < rows.length) return { how: 'known', fresh };
  return ask.skip === 0 ? { how: 'anew', fresh } : { how: 'moved', fresh: [] };
}

/** Rows that leave a group shift the rest to the left, mostly by a few: 1, 2, 4 … back, at last to its beginning. */
function stepBack(stand: Stand): Stand {
  const { ask, place, step } = stand;
  if (ask.blind) return { ...stand, ask: askBehind(place), step: 1 };
  return { ...stand, ask: { ...ask, skip: Math.max(0, ask.skip - step) }, step: step * 2 };
}

/** The place of a readable row of an answer. */
export function placeAt(range: Range, asked: Asked, rows: readonly ReadRow[], index: number): Place {
  const row = rows[index];
  if (row === undefined || row.id === null) throw new RangeError(`no readable row at ${index}`);
  const key = row[range.key] ?? null;
  // A group that begins within the answer is counted there, the asked one from its own beginning.
  const begin = key === asked.key ? -asked.skip : rows.findIndex((other) => other[range.key] === key);
  return { key, seen: index - begin + 1, seam: { id: row.id, key } };
}

function knownAt(range: Range, rows: readonly ReadRow[], place: Place): ReadonlySet<string> {
  const known = new Set<string>();
  for (const row of rows) {
    if (isReadable(range, row) && (row[range.key] ?? null) === place.key) known.add(identityOf(range, row));
  }
  return known;
}

function named(id: string, key: Instant | null): string {
  return `${id} ${key ?? ''}`;
}
