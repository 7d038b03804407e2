/** One answer of the source → the writes that store it: good rows upserted, the others quarantined. Pure. */
import type { Instant } from '../clients/instant.ts';
import { type ClientRecord, isRejected, type ReadRow, type RejectedRow } from '../clients/record.ts';
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
