/**
 * Rows of `clients` after a merge, with all that goes along: the intent, the journal, the conflicts, the entry of
 * the to-do list. One commit for many rows, in which a row that has moved since it was read, is locked by a user or
 * claimed by somebody else drops out alone, together with all that was to be written about it.
 *
 * The first statement claims what it can under a token of this commit; the others ask for that token.
 */
import { FIELDS, type Field } from '../clients/fields.ts';
import { cutToMicroseconds, type Instant } from '../clients/instant.ts';
import type { Values } from '../clients/merge.ts';
import { canonicalJson, type FieldValue } from '../clients/record.ts';
import { NEXT_REVISION } from '../warehouse/dialect.ts';
import {
  type SqlValue,
  type Statement,
  type StatementResult,
  statement,
  type Warehouse,
  type Write,
} from '../warehouse/warehouse.ts';
import {
  type About,
  type CommitOptions,
  type RecordWrite,
  source,
  TAKEN,
  writeRecords,
} from './editedRecords.ts';
import { dialectOf, type EditedRow, toDocument } from './editedRows.ts';
import type { Intent } from './pushes.ts';
import type { Refetch } from './refetch.ts';

/** The row after a commit. */
export interface RowWrite {
  /** The values that change; the others stay. */
  readonly values: Values;
  readonly extra: string | null;
  /** Empty: `_base` and `_edited_at` become NULL. */
  readonly base: Values;
  /** true: `_parked` becomes `_edits`; false: NULL. */
  readonly isParked: boolean;
  /** true: `_deleted_at` becomes now where it is NULL; false: NULL. */
  readonly isDeleted: boolean;
}

export interface EditedWrite {
  /** As it was read: the write stands only if it has not moved since. */
  readonly read: EditedRow;
  /** null: the row keeps its values; `_revision` rises all the same where there are records. */
  readonly row: RowWrite | null;
  /** What goes into `mirror_pushes`; null: the entry goes. */
  readonly intent:
    | { readonly sent: Values; readonly before: Readonly<Record<string, unknown>> }
    | Intent
    | null;
  readonly records: readonly RecordWrite[];
  /** The entry of `mirror_refetch` that the merge settles, if it is not listed again meanwhile. */
  readonly listing?: Pick<Refetch, 'id' | 'listings'> | undefined;
}

/**
 * Commits what it can of the writes. Returns the ids of the rows whose writes stand; of the others nothing does.
 * @param further writes of the same commit, whatever becomes of the rows.
 */
export async function commitEdited(
  warehouse: Warehouse,
  writes: readonly EditedWrite[],
  options: CommitOptions,
  further: readonly Write[] = [],
): Promise<ReadonlySet<string>> {
  const statements = planEdited(warehouse.kind, writes, options);
  const results = await warehouse.commit([...statements, ...further]);
  if (writes.length === 0) return new Set();
  return new Set((results[0] as StatementResult).rows.map((row) => String(row.id)));
}

/** The statements of such a commit; the first one answers the ids of the rows that it could take. */
export function planEdited(
  kind: Warehouse['kind'],
  writes: readonly EditedWrite[],
  options: CommitOptions,
): readonly Statement[] {
  if (writes.length === 0) return [];
  const about = { kind, ...options };
  return [
    claim(about, writes),
    ...updates(
      about,
      writes.filter((write) => write.row !== null || write.records.length > 0),
    ),
    ...writeRecords(
      about,
      writes.map(({ read, records, listing }) => ({ id: read.id, records, listing })),
    ),
    statement('DELETE FROM mirror_pushes WHERE holder = ? AND sent IS NULL', [options.token]),
  ];
}

function claim(about: About, writes: readonly EditedWrite[]): Statement {
  const { kind, token, held, claimMs, clock } = about;
  const isPostgres = kind === 'postgres';
  const rows = writes.map(({ read, intent }) => ({
    client_id: read.id,
    edits: read.edits,
    revision: read.revision,
    sent: intent === null ? null : JSON.stringify(intent.sent),
    before: intent === null ? null : JSON.stringify(intent.before),
  }));
  const columns = { client_id: 'text', edits: 'bigint', revision: 'bigint', sent: 'text', before: 'text' };
  const key = isPostgres ? 'CAST(i.client_id AS uuid)' : 'i.client_id';
  const isHeld =
    '(CAST(? AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM mirror_pushes h WHERE h.id = i.client_id AND h.holder = ?))';
  const sql = `WITH input AS MATERIALIZED (SELECT * FROM ${source(kind, columns)}),
free AS MATERIALIZED (
  SELECT i.* FROM input i JOIN clients c ON c.id = ${key}
  WHERE c._edits = i.edits AND c._revision = i.revision
  ORDER BY c.id${isPostgres ? ' FOR NO KEY UPDATE OF c SKIP LOCKED' : ''}
)
INSERT INTO mirror_pushes AS p (id, holder, sent, before, claimed_ms)
SELECT i.client_id, ?, i.sent, i.before, ${clock.sql} + CASE WHEN i.sent IS NULL THEN 0 ELSE CAST(? AS BIGINT) END
FROM free i WHERE ${isHeld} ORDER BY i.client_id
ON CONFLICT (id) DO UPDATE SET holder = excluded.holder, sent = excluded.sent, before = excluded.before,
  claimed_ms = excluded.claimed_ms
WHERE p.holder = ? OR (CAST(? AS TEXT) IS NULL AND p.claimed_ms <= ${clock.sql})
RETURNING id`;
  const given = [JSON.stringify(rows), token, ...clock.params, claimMs, held, held];
  return statement(sql, [...given, held, held, ...clock.params]);
}

/** Values of every kind: Postgres reads them from one document; SQLite is given each, for its JSON may round. */
function updates(about: About, writes: readonly EditedWrite[]): readonly Statement[] {
  if (writes.length === 0) return [];
  if (about.kind === 'postgres') return [updateAll(about, writes)];
  return writes.map((write) => updateOne(about, write));
}

const CHANGING = FIELDS.filter((field) => field.name !== 'id');

/** Bookkeeping after the write: SQL of `_base` (twice), of the two flags, and of the time (twice). */
function bookkeeping(base: string, isParked: string, isDeleted: string): string {
  return [
    `_base = ${base}`,
    `_edited_at = CASE WHEN ${base} IS NULL AND _create IS NULL THEN NULL ELSE coalesce(_edited_at, CAST(? AS TEXT)) END`,
    `_parked = CASE WHEN ${isParked} THEN _edits END`,
    `_deleted_at = CASE WHEN ${isDeleted} THEN coalesce(_deleted_at, CAST(? AS TEXT)) END`,
    `_revision = ${NEXT_REVISION}`,
  ].join(', ');
}

/** Sets what changes and nothing else: SQLite rewrites the index of every column that a statement names. */
function updateOne(about: About, write: EditedWrite): Statement {
  const { state } = write.read;
  const { values, extra, base, isParked, isDeleted } = rowAfter(write);
  const changed = CHANGING.filter(({ name }) => (values[name] ?? null) !== (state.values[name] ?? null));
  const isSameBookkeeping =
    isParked === state.isParked && isDeleted === state.isDeleted && base === baseText(state.base);
  const sets = [
    isSameBookkeeping ? `_revision = ${NEXT_REVISION}` : bookkeeping('?', '? = 1', '? = 1'),
    ...changed.map(({ column }) => `${column} = ?`),
    ...(extra === state.extra ? [] : ['_extra = ?']),
  ];
  const sql = `UPDATE clients SET ${sets.join(', ')} WHERE id = ?
    AND EXISTS (SELECT 1 FROM mirror_pushes t WHERE t.id = clients.id AND t.holder = ?)`;
  return statement(sql, [
    ...(isSameBookkeeping ? [] : [base, base, about.at, Number(isParked), Number(isDeleted), about.at]),
    ...changed.map(({ name }) => toSql(values[name] ?? null)),
    ...(extra === state.extra ? [] : [extra]),
    write.read.id,
    about.token,
  ]);
}

function updateAll(about: About, writes: readonly EditedWrite[]): Statement {
  const { stamps, types } = dialectOf('postgres');
  const flags: Record<string, string> = {
    client_id: 'text',
    base: 'jsonb',
    parked: 'boolean',
    deleted: 'boolean',
  };
  const columns: Record<string, string> = {
    [stamps.createdOn]: 'text',
    [stamps.updatedOn]: 'text',
    _extra: 'jsonb',
  };
  for (const field of CHANGING) columns[field.column] = types[field.type];
  const rows = writes.map((write) => {
    const { values, extra, base, isParked, isDeleted } = rowAfter(write);
    const row: Record<string, unknown> = {
      client_id: write.read.id,
      base: base === null ? null : JSON.parse(base),
      parked: isParked,
      deleted: isDeleted,
      _extra: extra === null ? null : JSON.parse(extra),
      [stamps.createdOn]: values.createdOn,
      [stamps.updatedOn]: values.updatedOn,
    };
    for (const field of CHANGING) row[field.column] = toJson(field, values[field.name] ?? null);
    return row;
  });
  const sets = Object.keys(columns).map((name) => `${name} = i.${name}`);
  const sql = `UPDATE clients c SET ${[bookkeeping('i.base', 'i.parked', 'i.deleted'), ...sets].join(', ')}
    FROM ${source('postgres', { ...flags, ...columns })} WHERE c.id = CAST(i.client_id AS uuid) AND ${TAKEN}`;
  return statement(sql, [about.at, about.at, JSON.stringify(rows), about.token]);
}

interface RowAfter extends Omit<RowWrite, 'base'> {
  /** JSON text; null: clean. */
  readonly base: string | null;
}

function rowAfter({ read, row }: EditedWrite): RowAfter {
  const after = row ?? { ...read.state, values: {} };
  return {
    ...after,
    values: { ...read.state.values, ...after.values },
    base: baseText(after.base),
  };
}

function baseText(base: Values): string | null {
  return Object.keys(base).length === 0 ? null : canonicalJson(toDocument(base));
}

/** A value as a parameter. */
export function toSql(value: FieldValue): SqlValue {
  return typeof value === 'boolean' ? Number(value) : value;
}

function toJson(field: Field, value: FieldValue): unknown {
  if (value === null) return null;
  // The public column keeps microseconds; the text beside it is what compares.
  if (field.type === 'instant') return cutToMicroseconds(value as Instant);
  return field.type === 'json' ? (JSON.parse(String(value)) as unknown) : value;
}
