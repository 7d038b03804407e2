/**
 * `mirror_fields`: the fields that the source was seen with, and their JSON types. A field that appears, vanishes
 * or changes its type is told once and stands here with when; nothing is lost meanwhile, for what is unknown goes to
 * `_extra` and what does not fit to quarantine.
 */
import type { Instant } from '../clients/instant.ts';
import { type Statement, statement, type Warehouse } from '../warehouse/warehouse.ts';

export type FieldChange = 'appeared' | 'vanished' | 'changed';

export interface KnownField {
  readonly name: string;
  /** JSON types seen, null left out, sorted, joined with a bar; empty: only null was seen. */
  readonly type: string;
  readonly isPresent: boolean;
}

export interface Drift {
  readonly field: string;
  readonly change: FieldChange;
  /** Types before and now; empty where it was or is not there. */
  readonly was: string;
  readonly is: string;
  readonly at: Instant;
}

export async function readKnownFields(warehouse: Warehouse): Promise<ReadonlyMap<string, KnownField>> {
  const rows = await warehouse.read({ sql: 'SELECT name, type, present FROM mirror_fields', params: [] });
  return new Map(
    rows.map((row) => [
      String(row.name),
      { name: String(row.name), type: String(row.type), isPresent: Number(row.present) === 1 },
    ]),
  );
}

/** Remembers a field as it is now; with a change, that it was told. */
export function noteField(field: KnownField, drift: Drift | null, at: Instant): Statement {
  const { name, type, isPresent } = field;
  const sql = `INSERT INTO mirror_fields (name, type, present, change, was, at) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET type = excluded.type, present = excluded.present,
      change = coalesce(excluded.change, mirror_fields.change),
      was = CASE WHEN excluded.change IS NULL THEN mirror_fields.was ELSE excluded.was END,
      at = CASE WHEN excluded.change IS NULL THEN mirror_fields.at ELSE excluded.at END`;
  return statement(sql, [name, type, isPresent ? 1 : 0, drift?.change ?? null, drift?.was ?? null, at]);
}

/** What changed since then, newest first. */
export async function readDrift(warehouse: Warehouse, since: Instant): Promise<Drift[]> {
  const sql = `SELECT name, type, present, change, was, at FROM mirror_fields
    WHERE change IS NOT NULL AND at >= ? ORDER BY at DESC, name`;
  const rows = await warehouse.read({ sql, params: [since] });
  return rows.map((row) => ({
    field: String(row.name),
    change: row.change as FieldChange,
    was: String(row.was ?? ''),
    is: Number(row.present) === 1 ? String(row.type) : '',
    at: row.at as Instant,
  }));
}

/** In one line, for people. */
export function tellDrift({ field, change, was, is }: Drift): string {
  if (change === 'appeared')
    return `the source has a new field ${field} (${is === '' ? 'null' : is}), kept in _extra`;
  if (change === 'vanished') return `the source no longer answers the field ${field} (${was})`;
  return `the field ${field} changed its type at the source: ${was} → ${is}`;
}
