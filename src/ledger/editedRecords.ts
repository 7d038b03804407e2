/**
 * What goes along with rows of `clients` after a merge: entries of the journal, conflicts opened and closed, the to-do
 * list. Each statement is about many rows and asks for the token under which the commit has taken them, so that a row
 * that drops out takes its records with it.
 */
import type { Instant } from '../clients/instant.ts';
import { type Statement, statement, type Warehouse } from '../warehouse/warehouse.ts';
import type { CloseConflict, ConflictRecord } from './conflicts.ts';
import { type EditRecord, encodeValue } from './edits.ts';
import type { SqlClock } from './pushes.ts';
import type { Refetch } from './refetch.ts';

/** What a commit tells `mirror_edits` and `mirror_conflicts`, in order. */
export type RecordWrite = EditRecord | ConflictRecord | CloseConflict;

export interface CommitOptions {
  /** Unique to this commit: a holder's name, a space, a number. */
  readonly token: string;
  /** The token under which the rows are claimed; null: they must not be claimed by anybody. */
  readonly held: string | null;
  /** How long the claim of a row with an intent holds. */
  readonly claimMs: number;
  readonly clock: SqlClock;
  readonly at: Instant;
}

/** One commit, and for which database. */
export interface About extends CommitOptions {
  readonly kind: Warehouse['kind'];
}

/** SQL of a table of JSON objects, given as one parameter. Only for texts and whole numbers: see `updates` in editedWrites.ts. */
export function source(kind: Warehouse['kind'], columns: Readonly<Record<string, string>>): string {
  const names = Object.keys(columns);
  if (kind === 'postgres') {
    return `json_to_recordset(CAST(? AS json)) AS i (${names.map((name) => `${name} ${columns[name]}`).join(', ')})`;
  }
  return `(SELECT ${names.map((name) => `value ->> '${name}' AS ${name}`).join(', ')} FROM json_each(?)) AS i`;
}

/** Has this commit taken the row? */
export const TAKEN = 'EXISTS (SELECT 1 FROM mirror_pushes t WHERE t.id = i.client_id AND t.holder = ?)';

/** What is to be written about one row. */
export interface RowRecords {
  readonly id: string;
  readonly records: readonly RecordWrite[];
  /** The entry of `mirror_refetch` that the merge settles, if it is not listed again meanwhile. */
  readonly listing: Pick<Refetch, 'id' | 'listings'> | undefined;
}

/** The statements that write it down; they come behind the one that takes the rows. */
export function writeRecords(about: About, rows: readonly RowRecords[]): readonly Statement[] {
  const records = rows.flatMap(({ id, records: list }) => list.map((record) => ({ id, record })));
  const edits = records.flatMap(({ id, record }) => (record.kind === 'edit' ? [editRow(id, record)] : []));
  const closes = records.flatMap(({ id, record }) =>
    record.kind === 'closeConflict' ? [{ id, ...record }] : [],
  );
  const conflicts = records.flatMap(({ id, record }) =>
    record.kind === 'conflict' ? [conflictRow(id, record)] : [],
  );
  const listings = rows.flatMap(({ id, listing }) =>
    listing === undefined ? [] : [{ ...listing, row: id }],
  );
  return [
    ...(edits.length === 0 ? [] : [insertEdits(about, edits)]),
    ...(closes.length === 0 ? [] : [closeConflicts(about, closes)]),
    ...(conflicts.length === 0 ? [] : [insertConflicts(about, conflicts)]),
    ...(listings.length === 0 ? [] : [settleListings(about, listings)]),
  ];
}

function editRow(id: string, record: EditRecord) {
  const { field, base, value, outcome, message } = record;
  return {
    client_id: id,
    field,
    base: encodeValue(field, base),
    value: encodeValue(field, value),
    outcome,
    message,
  };
}

function conflictRow(id: string, record: ConflictRecord) {
  const { field, resolution, message } = record;
  const [base, local, remote] = [record.base, record.local, record.remote].map((value) =>
    encodeValue(field, value),
  );
  return { client_id: id, field, base, local, remote, resolution, message };
}

/** In the order given: the last entry of a field is what counts. */
function insertEdits({ kind, token, at }: About, rows: readonly ReturnType<typeof editRow>[]): Statement {
  const texts = ['client_id', 'field', 'base', 'value', 'outcome', 'message'];
  const columns = { n: 'bigint', ...Object.fromEntries(texts.map((name) => [name, 'text'])) };
  const sql = `INSERT INTO mirror_edits (${texts.join(', ')}, at)
    SELECT ${texts.map((name) => `i.${name}`).join(', ')}, ? FROM ${source(kind, columns)} WHERE ${TAKEN} ORDER BY i.n`;
  return statement(sql, [at, JSON.stringify(rows.map((row, n) => ({ n, ...row }))), token]);
}

function closeConflicts(
  { kind, token, at }: About,
  rows: readonly (CloseConflict & { id: string })[],
): Statement {
  const columns = { client_id: 'text', field: 'text', resolution: 'text' };
  const sql = `UPDATE mirror_conflicts SET resolved_at = ?, resolution = i.resolution FROM ${source(kind, columns)}
    WHERE mirror_conflicts.client_id = i.client_id AND coalesce(mirror_conflicts.field, '') = coalesce(i.field, '')
      AND mirror_conflicts.resolved_at IS NULL AND ${TAKEN}`;
  const given = rows.map(({ id, field, resolution }) => ({ client_id: id, field, resolution }));
  return statement(sql, [at, JSON.stringify(given), token]);
}

/** One open conflict a field: where there is one already it takes the newer values. */
function insertConflicts(
  { kind, token, at }: About,
  rows: readonly ReturnType<typeof conflictRow>[],
): Statement {
  const texts = ['client_id', 'field', 'base', 'local', 'remote', 'resolution', 'message'];
  const columns = { n: 'bigint', ...Object.fromEntries(texts.map((name) => [name, 'text'])) };
  const sql = `INSERT INTO mirror_conflicts (${texts.join(', ')}, at, resolved_at)
    SELECT ${texts.map((name) => `i.${name}`).join(', ')}, ?, CASE WHEN i.resolution IS NULL THEN NULL ELSE ? END
    FROM ${source(kind, columns)} WHERE ${TAKEN} ORDER BY i.n
    ON CONFLICT (client_id, coalesce(field, '')) WHERE resolved_at IS NULL
    DO UPDATE SET base = excluded.base, local = excluded.local, remote = excluded.remote, at = excluded.at,
      message = excluded.message`;
  return statement(sql, [at, at, JSON.stringify(rows.map((row, n) => ({ n, ...row }))), token]);
}

function settleListings(
  { kind, token }: About,
  rows: readonly { readonly id: string; readonly listings: number; readonly row: string }[],
): Statement {
  const columns = { id: 'text', listings: 'bigint', client_id: 'text' };
  const sql = `DELETE FROM mirror_refetch WHERE EXISTS (SELECT 1 FROM ${source(kind, columns)}
    WHERE i.id = mirror_refetch.id AND i.listings = mirror_refetch.listings AND ${TAKEN})`;
  return statement(sql, [
    JSON.stringify(rows.map(({ row, ...rest }) => ({ ...rest, client_id: row }))),
    token,
  ]);
}
