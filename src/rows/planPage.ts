/** One answer of the source → the writes that store it: good rows upserted, the others quarantined. Pure. */
import type { Instant } from '../clients/instant.ts';
import { type ClientRecord, isRejected, type ReadRow, type RejectedRow } from '../clients/record.ts';
import type { Emit, RunKind } from '../events.ts';
import { isRowsResult, type RowsWrite, type Write, type WriteResult } from '../warehouse/warehouse.ts';

export interface Answered {
  readonly noted: number;
  readonly at: Instant;
}

export function planPage(
  rows: readonly ReadRow[],
  answer: Answered,
  trust: RowsWrite['trust'] = 'list',
): Write[] {
  const good: ClientRecord[] = [];
  const bad: RejectedRow[] = [];
  for (const row of rows) {
    if (isRejected(row)) bad.push(row);
    else good.push(row);
  }
  const { noted, at } = answer;
  const writes: Write[] = [];
  if (good.length > 0) writes.push({ kind: 'rows', rows: good, noted, at, trust });
  if (bad.length > 0) writes.push({ kind: 'quarantine', rows: bad, at });
  return writes;
}

export interface Tally {
  /** Rows that differed and were written. */
  readonly written: number;
  /** Rows put on the to-do list. */
  readonly deferred: number;
}

/** Sums what became of the rows of one commit. */
export function tally(results: readonly WriteResult[]): Tally {
  let written = 0;
  let deferred = 0;
  for (const result of results) {
    if (!isRowsResult(result)) continue;
    written += result.inserted + result.updated;
    deferred += result.deferred;
  }
  return { written, deferred };
}

/** Tells the world what became of a committed page. */
export function tellPage(
  emit: Emit,
  page: { kind: RunKind; rows: readonly ReadRow[]; key: Instant | null },
  results: readonly WriteResult[],
): void {
  const { written, deferred } = tally(results);
  emit({ type: 'pageCommitted', kind: page.kind, rows: page.rows.length, written, key: page.key });
  if (deferred > 0) emit({ type: 'rowsDeferred', count: deferred });
  for (const row of page.rows) {
    if (isRejected(row)) emit({ type: 'rowQuarantined', id: row.id, reason: row.reason });
  }
}
