/**
 * `mirror_refetch`: the one to-do list of single ids. A row gets there when an answer could not be taken as it
 * came (locked, dirty, older, raced, creating) and leaves when a read by id has settled it.
 */
import { addSeconds, type Instant } from '../clients/instant.ts';
import { type Statement, statement, type Warehouse } from '../warehouse/warehouse.ts';

export interface Refetch {
  readonly id: string;
  readonly reason: string;
  /** Rises with each listing: a read that began before the last one must not tick it off. */
  readonly listings: number;
  /** What the last read by id said, and when it first said so. */
  readonly seen: string | null;
  readonly seenAt: Instant | null;
}

export async function readDueRefetch(warehouse: Warehouse, now: Instant, limit: number): Promise<Refetch[]> {
  const sql = `SELECT id, reason, listings, seen, seen_at FROM mirror_refetch
    WHERE due_at <= ? ORDER BY due_at, id LIMIT ?`;
  return (await warehouse.read({ sql, params: [now, limit] })).map((row) => ({
    id: String(row.id),
    reason: String(row.reason),
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

/** Looks again later; nothing was learnt. */
export function postponeRefetch(item: Refetch, at: Instant, waitSeconds: number): Statement {
  return statement('UPDATE mirror_refetch SET due_at = ? WHERE id = ?', [
    addSeconds(at, waitSeconds),
    item.id,
  ]);
}
