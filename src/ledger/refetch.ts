/**
 * `mirror_refetch`: the one to-do list of single ids. A row gets there when an answer could not be taken as it
 * came (locked, dirty, older, raced, creating) and leaves when a read by id has settled it.
 */
import { addSeconds, type Instant } from '../clients/instant.ts';
import { type SqlValue, type Statement, statement, type Warehouse } from '../warehouse/warehouse.ts';

export interface Refetch {
  readonly id: string;
  readonly reason: string;
  /** When it was put on the list. */
  readonly listedAt: Instant;
  readonly dueAt: Instant;
  /** Rises with each listing: a read that began before the last one must not tick it off. */
  readonly listings: number;
  /** What the last read by id said, and when it first said so. */
  readonly seen: string | null;
  readonly seenAt: Instant | null;
}

/** Where a pass over the list stands: behind this entry, in order of (due, id). */
export type RefetchPlace = Pick<Refetch, 'dueAt' | 'id'>;

/** The entries due at `now`, behind `after`: a pass meets each once, whatever it writes meanwhile. */
export async function readDueRefetch(
  warehouse: Warehouse,
  now: Instant,
  after: RefetchPlace | null,
  limit: number,
): Promise<Refetch[]> {
  const sql = `SELECT id, reason, listed_at, due_at, listings, seen, seen_at FROM mirror_refetch
    WHERE due_at <= ? AND (due_at > ? OR (due_at = ? AND id > ?)) ORDER BY due_at, id LIMIT ?`;
  const dueAfter = after?.dueAt ?? '';
  const rows = await warehouse.read({ sql, params: [now, dueAfter, dueAfter, after?.id ?? '', limit] });
  return rows.map(toRefetch);
}

/** As readDueRefetch, but only those whose row carries a local edit: they are the merge pass's to settle. */
export async function readDueEdited(
  warehouse: Warehouse,
  now: Instant,
  after: RefetchPlace | null,
  limit: number,
): Promise<Refetch[]> {
  const id = warehouse.kind === 'postgres' ? 'CAST(r.id AS uuid)' : 'r.id';
  const sql = `SELECT r.id, reason, listed_at, due_at, listings, seen, seen_at FROM mirror_refetch r
    JOIN clients c ON c.id = ${id} WHERE c._base IS NOT NULL
    AND due_at <= ? AND (due_at > ? OR (due_at = ? AND r.id > ?)) ORDER BY due_at, r.id LIMIT ?`;
  const dueAfter = after?.dueAt ?? '';
  const rows = await warehouse.read({ sql, params: [now, dueAfter, dueAfter, after?.id ?? '', limit] });
  return rows.map(toRefetch);
}

/** The entries of these ids, due or not. */
export async function readListings(
  warehouse: Warehouse,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Refetch>> {
  if (ids.length === 0) return new Map();
  const sql = `SELECT id, reason, listed_at, due_at, listings, seen, seen_at FROM mirror_refetch
    WHERE id IN (${ids.map(() => '?').join(', ')})`;
  const rows = await warehouse.read({ sql, params: ids });
  return new Map(rows.map((row) => [String(row.id), toRefetch(row)]));
}

function toRefetch(row: Readonly<Record<string, SqlValue>>): Refetch {
  return {
    id: String(row.id),
    reason: String(row.reason),
    listedAt: row.listed_at as Instant,
    dueAt: row.due_at as Instant,
    listings: Number(row.listings),
    seen: row.seen as string | null,
    seenAt: row.seen_at as Instant | null,
  };
}

/** Puts an id on the list, or makes it due at `dueAt` if that is sooner. */
export function listRefetch(id: string, reason: string, at: Instant, dueAt: Instant = at): Statement {
  const sql = `INSERT INTO mirror_refetch (id, reason, listed_at, due_at) VALUES (?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET listings = mirror_refetch.listings + 1,
      due_at = CASE WHEN mirror_refetch.due_at < excluded.due_at THEN mirror_refetch.due_at ELSE excluded.due_at END`;
  return statement(sql, [id, reason, at, dueAt]);
}

/** Ticks an id off, unless it was listed again since it was read. */
export function settleRefetch(item: Refetch): Statement {
  return statement('DELETE FROM mirror_refetch WHERE id = ? AND listings = ?', [item.id, item.listings]);
}

/** Notes what a read by id said for the first time, and looks again `waitSeconds` later. */
export function noteSeen(
  item: Pick<Refetch, 'id'>,
  seen: string,
  at: Instant,
  waitSeconds: number,
): Statement {
  const sql = 'UPDATE mirror_refetch SET seen = ?, seen_at = ?, due_at = ? WHERE id = ?';
  return statement(sql, [seen, at, addSeconds(at, waitSeconds), item.id]);
}

/** Why an id is listed that was answered 404. */
export const GONE = 'gone';

/** `seen` of an entry whose client was answered 404, for as long as nothing else was heard of it. */
export function missedMark({ listings }: Pick<Refetch, 'listings'>): string {
  return `${GONE} ${listings}`;
}

/** Notes that an id was answered 404, and looks again `waitSeconds` after the first time. */
export function noteMissed(id: string, at: Instant, waitSeconds: number): Statement {
  const mark = `'${GONE} ' || mirror_refetch.listings`;
  const keep = (column: string): string =>
    `${column} = CASE WHEN mirror_refetch.seen = ${mark} THEN mirror_refetch.${column} ELSE excluded.${column} END`;
  const sql = `INSERT INTO mirror_refetch (id, reason, listed_at, due_at, seen, seen_at) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET seen = ${mark}, ${keep('seen_at')}, ${keep('due_at')}`;
  return statement(sql, [id, GONE, at, addSeconds(at, waitSeconds), missedMark({ listings: 1 }), at]);
}

/**
 * Lists an id that was proved gone, but whose row could not be written just then: due at once. It is no sign of the
 * client, so that a 404 noted before still counts.
 */
export function listGone(id: string, at: Instant): Statement {
  const [before, after] = ['mirror_refetch.listings', '(mirror_refetch.listings + 1)'].map(
    (listings) => `'${GONE} ' || ${listings}`,
  );
  const sql = `INSERT INTO mirror_refetch (id, reason, listed_at, due_at) VALUES (?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET listings = mirror_refetch.listings + 1,
      due_at = CASE WHEN mirror_refetch.due_at < excluded.due_at THEN mirror_refetch.due_at ELSE excluded.due_at END,
      seen = CASE WHEN mirror_refetch.seen = ${before} THEN ${after} ELSE mirror_refetch.seen END`;
  return statement(sql, [id, GONE, at, at]);
}
