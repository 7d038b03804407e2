/** What the mirror holds of single clients, as much as tells whether an answer about them is news. */
import type { Instant } from '../clients/instant.ts';
import type { Warehouse } from '../warehouse/warehouse.ts';

export interface Held {
  readonly updatedOn: Instant | null;
  /** It carries a local edit, or is a create that has not reached the source. */
  readonly dirty: boolean;
}

/** What stands in `clients` for these ids; an id that is not there is not in the answer. */
export async function readHeld(
  warehouse: Warehouse,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Held>> {
  if (ids.length === 0) return new Map();
  const stamp = warehouse.kind === 'postgres' ? '_updated_on' : 'updated_on';
  const sql = `SELECT id, ${stamp} AS stamp, CASE WHEN _base IS NULL AND _create IS NULL THEN 0 ELSE 1 END AS dirty
    FROM clients WHERE id IN (${ids.map(() => '?').join(', ')})`;
  const rows = await warehouse.read({ sql, params: ids });
  return new Map(
    rows.map((row) => [
      String(row.id),
      { updatedOn: row.stamp as Instant | null, dirty: Number(row.dirty) === 1 },
    ]),
  );
}
