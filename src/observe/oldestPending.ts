/** How long the oldest local edit has waited: a push that hangs shows here first. */
import { instantToMs, parseInstant } from '../clients/instant.ts';
import { queueOf } from '../ledger/editedRows.ts';
import type { Warehouse } from '../warehouse/warehouse.ts';

/** @returns when it was made, in milliseconds since 1970; null when none waits. */
export async function readOldestPendingMs(warehouse: Warehouse): Promise<number | null> {
  const sql = `SELECT _edited_at AS edited_at FROM clients WHERE ${queueOf(warehouse)}
    AND _edited_at IS NOT NULL ORDER BY _edited_at LIMIT 1`;
  const [row] = await warehouse.read({ sql, params: [] });
  const at = parseInstant(row?.edited_at);
  return at === null ? null : instantToMs(at);
}
