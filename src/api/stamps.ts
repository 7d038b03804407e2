/** What is read of a row besides its values: id and stamps alone, to compare it, and the types of its fields. */
import { type Instant, parseInstant } from '../clients/instant.ts';
import { type ReadRow, rawText } from '../clients/record.ts';
import { parseUuid } from '../clients/uuid.ts';

const NOTHING_EXCLUDED: ReadonlySet<string> = new Set();

/** Whatever else the row holds is dropped; `values` is empty. A row without readable id or stamps is rejected. */
export function parseStamps(raw: unknown): ReadRow {
  const row = (typeof raw === 'object' && raw !== null ? raw : {}) as Readonly<Record<string, unknown>>;
  const id = parseUuid(row.id);
  const createdOn = readStamp(row.createdOn);
  const updatedOn = readStamp(row.updatedOn);
  if (id !== null && createdOn !== undefined && updatedOn !== undefined) {
    return { id, createdOn, updatedOn, values: [], extra: null };
  }
  const kept = rawText({ id: row.id, createdOn: row.createdOn, updatedOn: row.updatedOn }, NOTHING_EXCLUDED);
  return { id, createdOn, updatedOn, reason: 'id or a stamp cannot be read', raw: kept };
}

function readStamp(value: unknown): Instant | null | undefined {
  return value === null || value === undefined ? null : (parseInstant(value) ?? undefined);
}

/** Each field of a row with its JSON type; annotations (`@odata.etag`) are none. */
export function typesOf(raw: unknown): ReadonlyMap<string, string> {
  const entries = Object.entries(typeof raw === 'object' && raw !== null ? raw : {});
  return new Map(
    entries.filter(([name]) => !name.includes('@')).map(([name, value]) => [name, typeOf(value)]),
  );
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}
