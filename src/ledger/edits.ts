/**
 * `mirror_edits`: what became of local edits, entry by entry, written by claim and settle and never changed. A value
 * is kept as JSON, so that null, a number and a text of digits stay apart.
 */
import { fieldByName } from '../clients/fields.ts';
import type { Instant } from '../clients/instant.ts';
import type { FieldValue } from '../clients/record.ts';
import { type SqlValue, type Statement, statement, type Warehouse } from '../warehouse/warehouse.ts';

/**
 * What became of an edit. `sent`: on its way. `arrived`: the source has it. `undone`: the user took it back.
 * `conflict`: see `mirror_conflicts`. `overwritten`: another writer came after it. `superseded`: the source did not
 * take it, and the user has left it since. `refused` (the source said so) and `ignored` (it kept its value without
 * a word): a dead letter while it is the field's last entry. `retried`: a person sent the refused value on its way
 * again. `discarded`: a person gave the edit up for the source's value; what was sent of it may still show there.
 */
export type EditOutcome =
  | 'sent'
  | 'arrived'
  | 'undone'
  | 'conflict'
  | 'overwritten'
  | 'superseded'
  | 'refused'
  | 'ignored'
  | 'retried'
  | 'discarded';

export interface EditRecord {
  readonly kind: 'edit';
  /** null: the whole row (a create or a delete), its values as JSON text. */
  readonly field: string | null;
  readonly base: FieldValue;
  readonly value: FieldValue;
  readonly outcome: EditOutcome;
  readonly message: string | null;
}

/** What the journal owes of a client: the entries since the one that last settled their field. */
export interface OpenEntry {
  readonly field: string | null;
  readonly value: FieldValue;
  readonly outcome: EditOutcome;
}

/** A value of a field as the journals keep it. Of a whole row it is JSON text already. */
export function encodeValue(field: string | null, value: FieldValue): string | null {
  if (field === null || (typeof value === 'string' && isJson(field))) return value as string | null;
  return JSON.stringify(value);
}

/** The reverse of encodeValue. */
export function decodeValue(field: string | null, text: SqlValue): FieldValue {
  if (text === null || field === null) return text as FieldValue;
  if (isJson(field) && text !== 'null') return text;
  return JSON.parse(String(text)) as FieldValue;
}

function isJson(field: string): boolean {
  return fieldByName(field)?.type === 'json';
}

/** After these the entries before them say nothing any more of the field. */
const SETTLING = "('arrived', 'undone', 'conflict', 'overwritten', 'superseded', 'refused')";

/** By client, oldest first. A client without entries is not in the answer. */
export async function readOpenEntries(
  warehouse: Warehouse,
  ids: readonly string[],
): Promise<ReadonlyMap<string, readonly OpenEntry[]>> {
  const found = new Map<string, OpenEntry[]>();
  if (ids.length === 0) return found;
  const marks = ids.map(() => '?').join(', ');
  const sql = `SELECT e.client_id, e.field, e.value, e.outcome FROM mirror_edits e
    LEFT JOIN (
      SELECT client_id, coalesce(field, '') AS field, max(id) AS id FROM mirror_edits
      WHERE client_id IN (${marks}) AND outcome IN ${SETTLING} GROUP BY client_id, coalesce(field, '')
    ) s ON s.client_id = e.client_id AND s.field = coalesce(e.field, '')
    WHERE e.client_id IN (${marks}) AND (s.id IS NULL OR e.id >= s.id) ORDER BY e.id`;
  for (const row of await warehouse.read({ sql, params: [...ids, ...ids] })) {
    const field = row.field as string | null;
    const entry = {
      field,
      value: decodeValue(field, row.value ?? null),
      outcome: row.outcome as EditOutcome,
    };
    const id = String(row.client_id);
    found.set(id, [...(found.get(id) ?? []), entry]);
  }
  return found;
}

/** Forgets entries older than `before`; those of a client with an open edit or delete are kept. */
export function pruneEdits(kind: Warehouse['kind'], before: Instant): Statement {
  const id = kind === 'postgres' ? 'CAST(mirror_edits.client_id AS uuid)' : 'mirror_edits.client_id';
  const sql = `DELETE FROM mirror_edits WHERE at < ?
    AND NOT EXISTS (SELECT 1 FROM clients c WHERE c.id = ${id} AND (c._base IS NOT NULL OR c._create IS NOT NULL))
    AND NOT EXISTS (SELECT 1 FROM mirror_deletes d WHERE d.id = mirror_edits.client_id)`;
  return statement(sql, [before]);
}

/**
 * How many fields wait as dead letters: their last entry is a refusal, and the row is still edited there. A create
 * that was refused counts once.
 */
export function countDeadLetters(kind: Warehouse['kind']): string {
  const [id, isEdited] =
    kind === 'postgres'
      ? ['CAST(e.client_id AS uuid)', 'jsonb_exists(c._base, e.field)']
      : ['e.client_id', `json_type(c._base, '$.' || e.field) IS NOT NULL`];
  return `SELECT count(*) FROM mirror_edits e JOIN clients c ON c.id = ${id}
    WHERE e.outcome IN ('refused', 'ignored')
      AND CASE WHEN e.field IS NULL THEN c._create IS NOT NULL AND c._parked = c._edits ELSE ${isEdited} END
      AND NOT EXISTS (SELECT 1 FROM mirror_edits n WHERE n.client_id = e.client_id AND n.id > e.id
        AND coalesce(n.field, '') = coalesce(e.field, ''))`;
}
