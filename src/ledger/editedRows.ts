/**
 * Rows of `clients` as a merge sees them: canonical values by API name, merge base, bookkeeping. Read here, written
 * by editedWrites.ts; `_edits` and `_revision` of the read guard the write.
 */
import { FIELDS, type Field, fieldByName } from '../clients/fields.ts';
import type { Values } from '../clients/merge.ts';
import { canonicalJson, type FieldValue } from '../clients/record.ts';
import { POSTGRES, SQLITE } from '../warehouse/dialect.ts';
import { pushQueueCondition } from '../warehouse/schema.ts';
import type { SqlValue, Warehouse } from '../warehouse/warehouse.ts';

/** A row of `clients` as one read found it. `_edits` and `_revision` of that read guard the commit. */
export interface RowState {
  readonly values: Values;
  /** `_extra` */
  readonly extra: string | null;
  /** `_base`; empty when the row is clean. */
  readonly base: Values;
  /** `_parked` equals `_edits`. */
  readonly isParked: boolean;
  /** `_deleted_at` is set. */
  readonly isDeleted: boolean;
}

export interface EditedRow {
  readonly id: string;
  readonly edits: number;
  readonly revision: number;
  readonly state: RowState;
  /** `_create`: not yet at the source; null for a client that is. */
  readonly create: CreateNote | null;
}

/** What `_create` says. */
export interface CreateNote {
  /** Who made the externalId: the trigger (`made`) or the user (`given`). */
  readonly external: 'made' | 'given';
  /** The id that the source gave, where the row could not take it yet. */
  readonly id?: string;
}

type Kind = Warehouse['kind'];
type Row = Readonly<Record<string, SqlValue>>;

export function dialectOf(kind: Kind) {
  return kind === 'postgres' ? POSTGRES : SQLITE;
}

/** The rows of these ids, whether edited or not; an id that is not there is not in the answer. */
export async function readRows(
  warehouse: Warehouse,
  ids: readonly string[],
): Promise<ReadonlyMap<string, EditedRow>> {
  if (ids.length === 0) return new Map();
  const { kind } = warehouse;
  const columns = FIELDS.map((field) => `${sourceColumn(kind, field)} AS ${field.column}`);
  const bookkeeping = ['_revision', '_edits', '_base', '_parked', '_create', '_deleted_at', '_extra'];
  const sql = `SELECT ${[...columns, ...bookkeeping].join(', ')} FROM clients
    WHERE id IN (${ids.map(() => '?').join(', ')})`;
  const rows = await warehouse.read({ sql, params: ids });
  return new Map(rows.map((row) => [String(row.id), toEditedRow(kind, row)]));
}

/** Stamps come from the text that compares. */
function sourceColumn(kind: Kind, field: Field): string {
  if (field.name !== 'createdOn' && field.name !== 'updatedOn') return field.column;
  return dialectOf(kind).stamps[field.name];
}

function toEditedRow(kind: Kind, row: Row): EditedRow {
  const values: Record<string, FieldValue> = {};
  for (const field of FIELDS) values[field.name] = toValue(kind, field, row[field.column] ?? null);
  const edits = Number(row._edits);
  return {
    id: String(row.id),
    edits,
    revision: Number(row._revision),
    create: row._create === null ? null : (JSON.parse(String(row._create)) as CreateNote),
    state: {
      values,
      extra: row._extra === null ? null : canonicalJson(JSON.parse(String(row._extra))),
      base: parseBase(row._base ?? null),
      isParked: row._parked !== null && Number(row._parked) === edits,
      isDeleted: row._deleted_at !== null,
    },
  };
}

function toValue(kind: Kind, field: Field, value: SqlValue): FieldValue {
  if (value === null) return null;
  if (field.type === 'boolean') return Number(value) === 1;
  // Postgres spells a document its own way; SQLite keeps what was written, and a difference is to be seen.
  if (field.type === 'json' && kind === 'postgres') return canonicalJson(JSON.parse(String(value)));
  return value;
}

/** `_base`, or another JSON object of values by API name. */
export function parseBase(text: SqlValue): Values {
  if (text === null) return {};
  const parsed = JSON.parse(String(text)) as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    Object.entries(parsed).map(([name, value]) => [
      name,
      value !== null && fieldByName(name)?.type === 'json' ? canonicalJson(value) : (value as FieldValue),
    ]),
  );
}

/** The reverse of parseBase: documents as themselves, not as text. */
export function toDocument(values: Values): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      typeof value === 'string' && fieldByName(name)?.type === 'json'
        ? (JSON.parse(value) as unknown)
        : value,
    ]),
  );
}

/** A place in the push queue: behind this row. */
export interface QueuePlace {
  readonly editedAt: string;
  readonly id: string;
}

export const QUEUE_START: QueuePlace = { editedAt: '', id: '00000000-0000-0000-0000-000000000000' };

/** The time of the newest edit that waits; null: none does. */
export async function readQueueEnd(warehouse: Warehouse): Promise<string | null> {
  const sql = `SELECT _edited_at AS edited_at FROM clients WHERE ${queueOf(warehouse)}
    AND _edited_at IS NOT NULL ORDER BY _edited_at DESC LIMIT 1`;
  const [row] = await warehouse.read({ sql, params: [] });
  return row === undefined ? null : String(row.edited_at);
}

export interface QueueSpan {
  readonly after: QueuePlace;
  /** None edited first after this. */
  readonly until: string;
  /** `creates`: only the rows that are not at the source yet. */
  readonly only: 'all' | 'creates';
}

/** The next rows that wait for a push, oldest edit first. */
export async function readQueue(
  warehouse: Warehouse,
  span: QueueSpan,
  limit: number,
): Promise<readonly QueuePlace[]> {
  const { after, until, only } = span;
  const id = warehouse.kind === 'postgres' ? 'CAST(? AS uuid)' : '?';
  const sql = `SELECT id, _edited_at AS edited_at FROM clients WHERE ${queueOf(warehouse)}
    AND (_edited_at, id) > (?, ${id}) AND _edited_at <= ?${only === 'creates' ? ' AND _create IS NOT NULL' : ''}
    ORDER BY _edited_at, id LIMIT ?`;
  const rows = await warehouse.read({ sql, params: [after.editedAt, after.id, until, limit] });
  return rows.map((row) => ({ editedAt: String(row.edited_at), id: String(row.id) }));
}

export function queueOf(warehouse: Warehouse): string {
  return pushQueueCondition(dialectOf(warehouse.kind));
}
