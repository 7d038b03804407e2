/**
 * `mirror_refetch`: the one to-do list of single ids. A row gets there when an answer could not be taken as it
 * came (locked, dirty, older, raced, creating) and leaves when a read by id has settled it.
 */
import { addSeconds, type Instant } from '../clients/instant.ts';
import { type Statement, statement, type Warehouse } from '../warehouse/warehouse.ts';

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
  return rows.map((row) => ({
    id: String(row.id),
    reason: String(row.reason),
    dueAt: row.due_at as Instant,
    listings: Number(row.listings),
    seen: row.seen as string | null,
    seenAt: row.seen_at as Instant | null,
  }));
}

/** Ticks an id off, unless it was listed again since it was read. */
export function settleRefetch(item: Refetch): Statement {
  return statement('DELETE FROM mirror_refetch WHERE id = ? AND listings = ?', [item.id, item.listings]);
}

/** Notes what a read by id said for the first time, and looks again `waitSeconds` later. */
export function noteSeen(item: Refetch, seen: string, at: Instant, waitSeconds: number): Statement {
  const sql = 'UPDATE mirror_refetch SET seen = ?, seen_at = ?, due_at = ? WHERE id = ?';
  return statement(sql, [seen, at, addSeconds(at, waitSeconds), item.id]);
}
