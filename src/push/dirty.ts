/** One batch of rows with local edits, with all that the ledgers know of them: what a merge is planned from. */
import type { Values } from '../clients/merge.ts';
import { readOpenConflicts } from '../ledger/conflicts.ts';
import { type EditedRow, readRows } from '../ledger/editedRows.ts';
import { readOpenEntries } from '../ledger/edits.ts';
import { type PushEntry, readPushes } from '../ledger/pushes.ts';
import { type Refetch, readListings } from '../ledger/refetch.ts';
import type { Pass } from './engine.ts';
import { openEdits } from './journal.ts';
import type { Held } from './planPush.ts';

export interface Dirty {
  readonly row: EditedRow;
  /** By field, what was sent since the field was last clean. */
  readonly sent: Readonly<Record<string, readonly Values[string][]>>;
  readonly held: Held;
  /** Of a push that never settled. */
  readonly entry: PushEntry | undefined;
  readonly listing: Refetch | undefined;
}

/**
 * The rows of these ids that carry an edit and that nobody else is at work on.
 * @param held the token under which this pass has claimed them; null: it has not.
 */
export async function readDirty(
  pass: Pass,
  ids: readonly string[],
  held: string | null,
): Promise<readonly Dirty[]> {
  const { warehouse } = pass.engine;
  // The row first: whatever changes it or its journal after this raises `_edits` or `_revision`.
  const rows = [...(await readRows(warehouse, ids)).values()].filter(isDirty);
  const found = rows.map((row) => row.id);
  const [entries, conflicts, pushes, listings] = await Promise.all([
    readOpenEntries(warehouse, found),
    readOpenConflicts(warehouse, found),
    readPushes(warehouse, found, pass.sqlClock()),
    readListings(warehouse, found),
  ]);
  return rows.flatMap((row) => {
    const entry = pushes.get(row.id);
    if (entry?.isLive && entry.holder !== held) return [];
    const open = openEdits(entries.get(row.id) ?? []);
    const disputed: Record<string, Values[string]> = {};
    for (const { field, local } of conflicts.get(row.id) ?? []) if (field !== null) disputed[field] = local;
    return {
      row,
      sent: open.sent,
      held: { refused: open.refused, disputed },
      entry,
      listing: listings.get(row.id),
    };
  });
}

function isDirty(row: EditedRow): boolean {
  return row.create !== null || Object.keys(row.state.base).length > 0;
}
