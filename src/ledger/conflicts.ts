/**
 * `mirror_conflicts`: fields changed on both sides, with the values of base, local and remote, none of which may get
 * lost. A row without `resolved_at` is open: at most one a field, and one for the whole row (`field` null).
 */
import type { Instant } from '../clients/instant.ts';
import type { FieldValue } from '../clients/record.ts';
import { type Statement, statement, type Warehouse } from '../warehouse/warehouse.ts';
import { decodeValue } from './edits.ts';

/**
 * How a conflict ended. `remote`, `local`: that side won. `rewritten`: no conflict, the source wrote the sent value
 * its own way. `overwritten`: another writer came after what we sent. `agreed`: both sides hold the same now.
 * `edited again`, `changed again`: replaced by a newer local or remote value. `restored`: the client came back.
 */
export type Resolution =
  | 'remote'
  | 'local'
  | 'rewritten'
  | 'overwritten'
  | 'agreed'
  | 'edited again'
  | 'changed again'
  | 'restored';

/** `field` null: the whole row, its values as JSON text. `resolution` null: open. */
export interface ConflictRecord {
  readonly kind: 'conflict';
  readonly field: string | null;
  readonly base: FieldValue;
  readonly local: FieldValue;
  readonly remote: FieldValue;
  readonly resolution: Resolution | null;
  readonly message: string | null;
}

/** Resolves the field's open conflict, if there is one. */
export interface CloseConflict {
  readonly kind: 'closeConflict';
  readonly field: string | null;
  readonly resolution: Resolution;
}

export interface OpenConflict {
  readonly id: number;
  readonly field: string | null;
  readonly local: FieldValue;
  readonly remote: FieldValue;
}

/** By client, the open ones. A client without any is not in the answer. */
export async function readOpenConflicts(
  warehouse: Warehouse,
  ids: readonly string[],
): Promise<ReadonlyMap<string, readonly OpenConflict[]>> {
  const found = new Map<string, OpenConflict[]>();
  if (ids.length === 0) return found;
  const sql = `SELECT id, client_id, field, local, remote FROM mirror_conflicts
    WHERE resolved_at IS NULL AND client_id IN (${ids.map(() => '?').join(', ')})`;
  for (const row of await warehouse.read({ sql, params: ids })) {
    const field = row.field as string | null;
    const conflict = {
      id: Number(row.id),
      field,
      local: decodeValue(field, row.local ?? null),
      remote: decodeValue(field, row.remote ?? null),
    };
    const id = String(row.client_id);
    found.set(id, [...(found.get(id) ?? []), conflict]);
  }
  return found;
}

/** Forgets conflicts that ended before `before`. */
export function pruneConflicts(before: Instant): Statement {
  return statement('DELETE FROM mirror_conflicts WHERE resolved_at < ?', [before]);
}
