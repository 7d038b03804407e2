/**
 * `mirror_refetch`: the one to-do list of single ids. A row gets there when an answer could not be taken as it
 * came (locked, dirty, older, raced, creating) and leaves when a read by id has settled it.
 */
import { addSeconds, type Instant } from '../clients/instant.ts';
import { type SqlValue, type Statement, statement, type Warehouse } from '../warehouse/warehouse.ts';

export interface Refetch {
  readonly id: string;
  readonly reason: string;
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
  const sql = `SELECT id, reason, due_at, listings, seen, seen_at FROM mirror_refetch
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
  const sql = `SELECT r.id, reason, due_at, listings, seen, seen_at FROM mirror_refetch r
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
  const sql = `SELECT id, reason, due_at, listings, seen, seen_at FROM mirror_refetch
    WHERE id IN (${ids.map(() => '?').join(', ')})`;
  const rows = await warehouse.read({ sql, params: ids });
  return new Map(rows.map((row) => [String(row.id), toRefetch(row)]));
}

function toRefetch(row: Readonly<Record<string, SqlValue>>): Refetch {
  return {
    id: String(row.id),
    reason: String(row.reason),
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
