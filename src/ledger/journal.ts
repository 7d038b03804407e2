/**
 * What a person is shown of local edits: readers of the journal, the conflicts and the rows that wait, one query
 * each. They answer everything as it stands; what may be shown of it is the caller's to decide.
 */
import { type Instant, instantFromMs } from '../clients/instant.ts';
import type { Values } from '../clients/merge.ts';
import { canonicalJson, type FieldValue } from '../clients/record.ts';
import { type SqlValue, type Statement, statement, type Warehouse } from '../warehouse/warehouse.ts';
import type { Resolution } from './conflicts.ts';
import { decodeValue, type EditOutcome, type EditRecord, encodeValue } from './edits.ts';

type Row = Readonly<Record<string, SqlValue>>;

/** An entry of `mirror_edits`. */
export interface JournalEntry {
  readonly id: number;
  readonly clientId: string;
  /** null: the whole row (a create or a delete). */
  readonly field: string | null;
  readonly base: FieldValue;
  readonly value: FieldValue;
  readonly at: Instant;
  readonly outcome: EditOutcome;
  readonly message: string | null;
}

/** An entry of `mirror_conflicts`. */
export interface ConflictEntry {
  readonly id: number;
  readonly clientId: string;
  /** null: the whole row; its values are JSON text. */
  readonly field: string | null;
  readonly base: FieldValue;
  readonly local: FieldValue;
  readonly remote: FieldValue;
  readonly at: Instant;
  /** null: open. */
  readonly resolvedAt: Instant | null;
  readonly resolution: Resolution | null;
  readonly message: string | null;
}

/** An entry of `mirror_deletes`: a client deleted here and not yet at the source. */
export interface DeletedRow {
  readonly id: string;
  /** Its last values by API name; `_base` and `_extra` among them. */
  readonly document: Readonly<Record<string, unknown>>;
  readonly at: Instant;
  readonly isParked: boolean;
}

/** A row that carries a local edit, or was inserted here. */
export interface WaitingRow {
  readonly id: string;
  /** When its first open edit was made; null for one that the mirror itself has just laid down. */
  readonly editedAt: Instant | null;
}

const ENTRY = 'id, client_id, field, base, value, at, outcome, message';

/** All that is remembered of these clients' edits, oldest first. */
export async function readJournal(
  warehouse: Warehouse,
  clientIds: readonly string[],
): Promise<readonly JournalEntry[]> {
  const sql = `SELECT ${ENTRY} FROM mirror_edits WHERE client_id IN (${marks(clientIds)}) ORDER BY id`;
  return clientIds.length === 0 ? [] : (await warehouse.read({ sql, params: clientIds })).map(toEntry);
}

/** Of each client and field the last entry, in no order: a refusal that is one waits for a person. */
export async function readLastEntries(
  warehouse: Warehouse,
  clientIds: readonly string[],
): Promise<readonly JournalEntry[]> {
  if (clientIds.length === 0) return [];
  const sql = `SELECT ${ENTRY} FROM mirror_edits WHERE id IN (
    SELECT max(id) FROM mirror_edits WHERE client_id IN (${marks(clientIds)})
    GROUP BY client_id, coalesce(field, ''))`;
  return (await warehouse.read({ sql, params: clientIds })).map(toEntry);
}

const CONFLICT = 'id, client_id, field, base, local, remote, at, resolved_at, resolution, message';

/** The open conflicts and those resolved at `since` or later, in the order in which they were found. */
export async function readConflicts(warehouse: Warehouse, since: Instant): Promise<readonly ConflictEntry[]> {
  const sql = `SELECT ${CONFLICT} FROM mirror_conflicts
    WHERE resolved_at IS NULL OR resolved_at >= ? ORDER BY id`;
  return (await warehouse.read({ sql, params: [since] })).map(toConflict);
}

/** All that is remembered of these clients' conflicts, oldest first. */
export async function readConflictsOf(
  warehouse: Warehouse,
  clientIds: readonly string[],
): Promise<readonly ConflictEntry[]> {
  if (clientIds.length === 0) return [];
  const sql = `SELECT ${CONFLICT} FROM mirror_conflicts WHERE client_id IN (${marks(clientIds)}) ORDER BY id`;
  return (await warehouse.read({ sql, params: clientIds })).map(toConflict);
}

export async function readConflict(warehouse: Warehouse, id: number): Promise<ConflictEntry | null> {
  const sql = `SELECT ${CONFLICT} FROM mirror_conflicts WHERE id = ?`;
  const [row] = await warehouse.read({ sql, params: [id] });
  return row === undefined ? null : toConflict(row);
}

/** Adds an entry of one client, whatever else the commit does: for a client that has no row here. */
export function addEntry(clientId: string, entry: Omit<EditRecord, 'kind'>, at: Instant): Statement {
  const { field, base, value, outcome, message } = entry;
  const sql = `INSERT INTO mirror_edits (client_id, field, base, value, at, outcome, message)
    VALUES (?, ?, ?, ?, ?, ?, ?)`;
  const values = [encodeValue(field, base), encodeValue(field, value)] as const;
  return statement(sql, [clientId, field, ...values, at, outcome, message]);
}

/** Every row that waits, parked or not, oldest edit first. Ids only: there may be as many as there are clients. */
export async function readWaiting(warehouse: Warehouse): Promise<readonly WaitingRow[]> {
  const sql = `SELECT id, _edited_at FROM clients WHERE _base IS NOT NULL OR _create IS NOT NULL
    ORDER BY _edited_at, id`;
  return (await warehouse.read({ sql, params: [] })).map(toWaiting);
}

/** Those of these rows that wait. */
export async function readWaitingOf(
  warehouse: Warehouse,
  ids: readonly string[],
): Promise<readonly WaitingRow[]> {
  if (ids.length === 0) return [];
  const sql = `SELECT id, _edited_at FROM clients
    WHERE id IN (${marks(ids)}) AND (_base IS NOT NULL OR _create IS NOT NULL) ORDER BY _edited_at, id`;
  return (await warehouse.read({ sql, params: ids })).map(toWaiting);
}

/** When the first open edit of each of these rows was made, and when the source was seen without it. */
export async function readTimes(
  warehouse: Warehouse,
  ids: readonly string[],
): Promise<
  readonly { readonly id: string; readonly editedAt: Instant | null; readonly deletedAt: Instant | null }[]
> {
  if (ids.length === 0) return [];
  const sql = `SELECT id, _edited_at, _deleted_at FROM clients WHERE id IN (${marks(ids)})`;
  return (await warehouse.read({ sql, params: ids })).map((row) => ({
    ...toWaiting(row),
    deletedAt: row._deleted_at as Instant | null,
  }));
}

/** When the last complete pull began; null: there was none yet. */
export async function readPulledUntil(warehouse: Warehouse): Promise<Instant | null> {
  const sql = 'SELECT min(began_ms) AS began_ms, count(*) - count(began_ms) AS missing FROM mirror_places';
  const [row] = await warehouse.read({ sql, params: [] });
  const isKnown = row !== undefined && row.began_ms !== null && Number(row.missing) === 0;
  return isKnown ? instantFromMs(Number(row.began_ms)) : null;
}

/** What else is noted of these clients: that they must be read again, or came in a row that could not be mirrored. */
export async function readTodo(
  warehouse: Warehouse,
  ids: readonly string[],
): Promise<readonly { readonly at: Instant; readonly event: string; readonly message: string }[]> {
  if (ids.length === 0) return [];
  const sql = `SELECT listed_at AS at, 'to be read again' AS event, reason FROM mirror_refetch WHERE id IN (${marks(ids)})
    UNION ALL SELECT at, 'quarantined' AS event, reason FROM mirror_quarantine WHERE client_id IN (${marks(ids)})`;
  return (await warehouse.read({ sql, params: [...ids, ...ids] })).map((row) => ({
    at: row.at as Instant,
    event: String(row.event),
    message: String(row.reason),
  }));
}

/** The clients deleted here, oldest first: all, or those of these ids. */
export async function readDeletedRows(
  warehouse: Warehouse,
  ids?: readonly string[],
): Promise<readonly DeletedRow[]> {
  if (ids?.length === 0) return [];
  const where = ids === undefined ? '' : `WHERE id IN (${marks(ids)})`;
  const sql = `SELECT id, values_json, at, parked FROM mirror_deletes ${where} ORDER BY at, id`;
  return (await warehouse.read({ sql, params: ids ?? [] })).map((row) => ({
    id: String(row.id),
    document: JSON.parse(String(row.values_json)) as Readonly<Record<string, unknown>>,
    at: row.at as Instant,
    isParked: Number(row.parked) !== 0,
  }));
}

/** The other ids of a client: the one under which it was inserted here, and the one that the source gave it. */
export async function readOtherIds(warehouse: Warehouse, id: string): Promise<readonly string[]> {
  const sql = `SELECT local_id AS id FROM mirror_ids WHERE id = ? UNION SELECT id FROM mirror_ids WHERE local_id = ?`;
  const rows = await warehouse.read({ sql, params: [id, id] });
  return rows.map((row) => String(row.id)).filter((other) => other !== id);
}

/** The values of a whole row, as the journals keep them: JSON text of an object by API name. */
export function parseRowValues(text: FieldValue): Values {
  const document = text === null ? {} : (JSON.parse(String(text)) as Readonly<Record<string, unknown>>);
  return toValues(document);
}

/** An object by API name as values: a document in it becomes its text. */
export function toValues(document: Readonly<Record<string, unknown>>): Values {
  return Object.fromEntries(
    Object.entries(document).map(([name, value]) => [
      name,
      typeof value === 'object' && value !== null ? canonicalJson(value) : (value as FieldValue),
    ]),
  );
}

function marks(list: readonly unknown[]): string {
  return list.map(() => '?').join(', ');
}

function toEntry(row: Row): JournalEntry {
  const field = row.field as string | null;
  return {
    id: Number(row.id),
    clientId: String(row.client_id),
    field,
    base: decodeValue(field, row.base ?? null),
    value: decodeValue(field, row.value ?? null),
    at: row.at as Instant,
    outcome: row.outcome as EditOutcome,
    message: row.message as string | null,
  };
}

function toConflict(row: Row): ConflictEntry {
  const field = row.field as string | null;
  return {
    id: Number(row.id),
    clientId: String(row.client_id),
    field,
    base: decodeValue(field, row.base ?? null),
    local: decodeValue(field, row.local ?? null),
    remote: decodeValue(field, row.remote ?? null),
    at: row.at as Instant,
    resolvedAt: row.resolved_at as Instant | null,
    resolution: row.resolution as Resolution | null,
    message: row.message as string | null,
  };
}

function toWaiting(row: Row): WaitingRow {
  return { id: String(row.id), editedAt: row._edited_at as Instant | null };
}
