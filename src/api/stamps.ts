/** A row of which only id and stamps were asked for: enough to place and compare it, never enough to store it. */
import { type Instant, parseInstant } from '../clients/instant.ts';
import type { ReadRow } from '../clients/record.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whatever else the row holds is dropped; `values` is empty. A row without readable id or stamps is rejected. */
export function parseStamps(raw: unknown): ReadRow {
  const row = (typeof raw === 'object' && raw !== null ? raw : {}) as Readonly<Record<string, unknown>>;
  const lower = typeof row.id === 'string' ? row.id.toLowerCase() : '';
  const id = UUID.test(lower) ? lower : null;
  const createdOn = readStamp(row.createdOn);
  const updatedOn = readStamp(row.updatedOn);
  if (id !== null && createdOn !== undefined && updatedOn !== undefined) {
    return { id, createdOn, updatedOn, values: [], extra: null };
  }
  const kept = JSON.stringify({ id: row.id, createdOn: row.createdOn, updatedOn: row.updatedOn });
  return { id, createdOn, updatedOn, reason: 'id or a stamp cannot be read', raw: kept.toWellFormed() };
}

function readStamp(value: unknown): Instant | null | undefined {
  return value === null || value === undefined ? null : (parseInstant(value) ?? undefined);
}
