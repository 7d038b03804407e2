/**
 * `mirror_deletes`: clients deleted here, until the source has deleted them too. `parked` is 1 where the source
 * refused: then the client's row is back, and the entry waits for a person.
 */
import { FIELDS } from '../clients/fields.ts';
import { cutToMicroseconds, type Instant } from '../clients/instant.ts';
import type { FieldValue } from '../clients/record.ts';
import { canonicalJson, rawText } from '../clients/record.ts';
import { NEXT_REVISION, ownDelete } from '../warehouse/dialect.ts';
import { type SqlValue, type Statement, statement, type Warehouse } from '../warehouse/warehouse.ts';
import { dialectOf } from './editedRows.ts';
import { toSql } from './editedWrites.ts';
import type { SqlClock } from './pushes.ts';

export interface Deleted {
  readonly id: string;
  readonly at: Instant;
  /** The row as it was: every field by its API name, `_base` and `_extra`. */
  readonly document: Readonly<Record<string, unknown>>;
}

/** Deletes that wait for a push, by id, behind the id given. */
export async function readDeletes(
  warehouse: Warehouse,
  after: string,
  limit: number,
): Promise<readonly Deleted[]> {
  const sql =
    'SELECT id, values_json, at FROM mirror_deletes WHERE parked = 0 AND id > ? ORDER BY id LIMIT ?';
  const rows = await warehouse.read({ sql, params: [after, limit] });
  return rows.map((row) => ({
    id: String(row.id),
    at: row.at as Instant,
    document: JSON.parse(String(row.values_json)) as Deleted['document'],
  }));
}

/** All that were deleted here and are remembered, with their values as text. */
export async function readDeletedText(
  warehouse: Warehouse,
  after: string,
  limit: number,
): Promise<readonly { readonly id: string; readonly raw: string }[]> {
  const sql = 'SELECT id, values_json FROM mirror_deletes WHERE id > ? ORDER BY id LIMIT ?';
  const rows = await warehouse.read({ sql, params: [after, limit] });
  return rows.map((row) => ({ id: String(row.id), raw: String(row.values_json) }));
}

/** Takes excluded fields out of the values, its merge base and its unknown fields; not of one that was deleted anew since. */
export function redactDeleted(
  { id, raw }: { readonly id: string; readonly raw: string },
  fields: readonly string[],
): Statement[] {
  const kept = rawText(JSON.parse(raw), new Set(fields));
  if (kept === raw) return [];
  const sql = 'UPDATE mirror_deletes SET values_json = ? WHERE id = ? AND values_json = ?';
  return [statement(sql, [kept, id, raw])];
}

/** Claims a delete under the token, unless somebody else holds it or it is no longer wanted. Returns its id. */
export function claimDelete({ id, at }: Deleted, token: string, claimMs: number, clock: SqlClock): Statement {
  const sql = `INSERT INTO mirror_pushes AS p (id, holder, claimed_ms)
    SELECT id, ?, ${clock.sql} + CAST(? AS BIGINT) FROM mirror_deletes WHERE id = ? AND at = ? AND parked = 0
    ON CONFLICT (id) DO UPDATE SET holder = excluded.holder, sent = NULL, before = NULL,
      claimed_ms = excluded.claimed_ms WHERE p.claimed_ms <= ${clock.sql} RETURNING id`;
  return statement(sql, [token, ...clock.params, claimMs, id, at, ...clock.params]);
}

/** The source has deleted it. A row that had come back after a refusal goes, unless it was edited since. */
export function finishDelete({ id }: Deleted, token: string): readonly Statement[] {
  const ours = 'EXISTS (SELECT 1 FROM mirror_pushes t WHERE t.id = ? AND t.holder = ?)';
  return [
    ...ownDelete(`id = ? AND _base IS NULL AND _create IS NULL AND ${ours}`, [id, id, token]),
    statement(`DELETE FROM mirror_deletes WHERE id = ? AND parked = 0 AND ${ours}`, [id, id, token]),
  ];
}

/** The source refused: the row comes back as it was deleted, with the edits it had. */
export function parkDelete(kind: Warehouse['kind'], deleted: Deleted, at: Instant): readonly Statement[] {
  return [
    statement(
      'UPDATE mirror_deletes SET parked = 1 WHERE id = ? AND at = ? AND parked = 0',
      [deleted.id, deleted.at],
      1,
    ),
    restoreRow(kind, deleted, at),
  ];
}

function restoreRow(kind: Warehouse['kind'], { document }: Deleted, at: Instant): Statement {
  const { stamps } = dialectOf(kind);
  const columns: Record<string, SqlValue> = {};
  for (const field of FIELDS) {
    const value = (document[field.name] ?? null) as FieldValue | object;
    columns[field.column] =
      typeof value === 'object' ? (value === null ? null : canonicalJson(value)) : toSql(value);
    if (field.type !== 'instant' || value === null || kind !== 'postgres') continue;
    columns[field.column] = cutToMicroseconds(value as Instant);
    columns[field.name === 'createdOn' ? stamps.createdOn : stamps.updatedOn] = value as string;
  }
  const { _base: base = null, _extra: extra = null } = document;
  columns._base = base === null ? null : canonicalJson(base);
  columns._extra = extra === null ? null : canonicalJson(extra);
  columns._edits = base === null ? 0 : 1;
  columns._edited_at = base === null ? null : at;
  const names = Object.keys(columns);
  const sql = `INSERT INTO clients (${[...names, '_revision'].join(', ')})
    VALUES (${[...names.map(() => '?'), NEXT_REVISION].join(', ')}) ON CONFLICT (id) DO NOTHING`;
  return statement(sql, Object.values(columns));
}
