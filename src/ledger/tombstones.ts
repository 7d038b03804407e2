/** Tombstones: rows of `clients` whose client is gone at the source. Their values stay until they are purged. */
import type { Instant } from '../clients/instant.ts';
import { ownDelete } from '../warehouse/dialect.ts';
import type { Statement, Warehouse } from '../warehouse/warehouse.ts';

export interface Tombstone {
  readonly id: string;
  readonly deletedAt: Instant;
  /** The reconcile that proved it; null: a pull or a retry did. */
  readonly run: number | null;
}

/** Clients deleted at the source, by id, behind the id given. */
export async function readTombstones(
  warehouse: Warehouse,
  query: { readonly run: number | null; readonly after: string | null; readonly limit: number },
): Promise<Tombstone[]> {
  const id = warehouse.kind === 'postgres' ? 'CAST(c.id AS text)' : 'c.id';
  const run = `(SELECT max(f.sweep_id) FROM mirror_findings f WHERE f.id = ${id} AND f.outcome = 'deleted')`;
  const sql = `SELECT c.id, c._deleted_at AS deleted_at, ${run} AS run FROM clients c
    WHERE c._deleted_at IS NOT NULL ${query.after === null ? '' : 'AND c.id > ?'}
      ${query.run === null ? '' : `AND ${run} = ?`} ORDER BY c.id LIMIT ?`;
  const params = [
    ...(query.after === null ? [] : [query.after]),
    ...(query.run === null ? [] : [query.run]),
    query.limit,
  ];
  return (await warehouse.read({ sql, params })).map((row) => ({
    id: String(row.id),
    deletedAt: row.deleted_at as Instant,
    run: row.run === null ? null : Number(row.run),
  }));
}

/** Ids of tombstones set before then that no local edit hangs on. */
export async function readOldTombstones(
  warehouse: Warehouse,
  before: Instant,
  limit: number,
): Promise<string[]> {
  const sql = `SELECT id FROM clients WHERE _deleted_at IS NOT NULL AND _deleted_at < ? AND _base IS NULL
    AND _create IS NULL ORDER BY _deleted_at, id LIMIT ?`;
  return (await warehouse.read({ sql, params: [before, limit] })).map((row) => String(row.id));
}

/** Takes tombstones out of the mirror, but for those that a local edit hangs on by now. The second counts. */
export function dropTombstones(ids: readonly string[]): readonly Statement[] {
  const where = `_deleted_at IS NOT NULL AND _base IS NULL AND _create IS NULL AND id IN (${ids.map(() => '?').join(', ')})`;
  return ownDelete(where, ids);
}
