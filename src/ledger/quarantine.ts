/** `mirror_quarantine`: rows of the API that could not be mirrored, with the reason, until a good version comes. */
import type { Instant } from '../clients/instant.ts';
import { rawText } from '../clients/record.ts';
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

/** Takes excluded fields out of a raw row, wherever they lie in it. */
export function redactQuarantined(row: Quarantined, fields: readonly string[]): Statement[] {
  const kept = rawText(JSON.parse(row.raw), new Set(fields));
  if (kept === row.raw) return [];
  return [statement('UPDATE mirror_quarantine SET raw = ? WHERE id = ?', [kept, row.id])];
}
