/**
 * What becomes of one row of the source: pure, over what the warehouse holds of that client. SQLite's rows are judged
 * here; Postgres judges by the same rules in its own statement (postgres/rows.ts), with which these must agree.
 */
import type { ClientRecord } from '../clients/record.ts';

/** What the warehouse holds of a client. */
export interface StoredRow {
  readonly updatedOn: string | null;
  readonly revision: number;
  /** Edited here and not yet at the source, or not yet created there. */
  readonly dirty: boolean;
  readonly deleted: boolean;
  /** Is every field, and the unknown ones, the same? Asked only where it matters. */
  isSame(): boolean;
}

/** Why an id is put on `mirror_refetch` by a write of rows. Postgres adds 'locked'. */
export type DeferReason = 'dirty' | 'older' | 'raced' | 'creating' | 'locked';

export type Verdict = 'write' | 'unchanged' | DeferReason;

/** noted and trust as in RowsWrite. */
export function decide(
  row: ClientRecord,
  stored: StoredRow,
  answer: { readonly noted: number; readonly trust: 'list' | 'believed' },
): Verdict {
  if (stored.dirty) return 'dirty';
  // Null is the oldest stamp: a client that was never updated.
  const theirs = row.updatedOn ?? '';
  const ours = stored.updatedOn ?? '';
  if (theirs > ours) return 'write';
  if (theirs < ours && answer.trust !== 'believed') return 'older';
  if (theirs === ours && !stored.deleted && stored.isSame()) return 'unchanged';
  // Where stamps do not tell, whichever was written last. Ours may be younger than the request.
  return stored.revision > answer.noted ? 'raced' : 'write';
}

/** What the last page was like: only a guess at what is quick for the next. */
export interface Habit {
  /** `new`: nothing but clients that were not known, as in a first backfill. `newer`: known ones, each with a newer stamp. */
  page: 'new' | 'newer' | 'mixed';
}

/** One row a client: of several versions in one answer the newest, of equal ones the last. */
export function newestOfEach(rows: readonly ClientRecord[]): readonly ClientRecord[] {
  const newest = new Map<string, ClientRecord>();
  for (const row of rows) {
    const other = newest.get(row.id);
    if (other === undefined || (row.updatedOn ?? '') >= (other.updatedOn ?? '')) newest.set(row.id, row);
  }
  return newest.size === rows.length ? rows : [...newest.values()];
}
