/** `mirror_quarantine`: rows of the API that could not be mirrored, with the reason, until a good version comes. */
import type { Instant } from '../clients/instant.ts';
import { type Statement, statement, type Warehouse } from '../warehouse/warehouse.ts';

export interface Quarantined {
  /** The client's id, or the hash of the raw row where it has none. */
  readonly id: string;
  readonly clientId: string | null;
  readonly reason: string;
  readonly raw: string;
  readonly at: Instant;
}

/** Oldest first, behind the id given, at most `limit` (a raw row can be long). */
export async function readQuarantine(
  warehouse: Warehouse,
  after: string,
  limit: number,
): Promise<Quarantined[]> {
  const sql = 'SELECT id, client_id, reason, raw, at FROM mirror_quarantine WHERE id > ? ORDER BY id LIMIT ?';
  const rows = await warehouse.read({ sql, params: [after, limit] });
  return rows.map((row) => ({
    id: String(row.id),
    clientId: row.client_id as string | null,
    reason: String(row.reason),
    raw: String(row.raw),
    at: row.at as Instant,
  }));
}

export function leaveQuarantine(id: string): Statement {
  return statement('DELETE FROM mirror_quarantine WHERE id = ?', [id]);
}

/** Takes excluded fields out of a raw row; a row that is no JSON object holds none. */
export function redactQuarantined(row: Quarantined, fields: readonly string[]): Statement[] {
  const raw: unknown = JSON.parse(row.raw);
  if (typeof raw !== 'object' || raw === null || !fields.some((field) => field in raw)) return [];
  const kept = Object.fromEntries(Object.entries(raw).filter(([name]) => !fields.includes(name)));
  return [statement('UPDATE mirror_quarantine SET raw = ? WHERE id = ?', [JSON.stringify(kept), row.id])];
}
