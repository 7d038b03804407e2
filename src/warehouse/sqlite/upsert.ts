/**
 * Rows of the source into `clients`. SQLite has one writer, so inside the transaction what a page's ids hold is
 * read once, each row is decided in JavaScript, and what must be written goes fifty rows a statement. The
 * upsert still guards itself: no dirty row is overwritten even if a decision were wrong. Where the last
 * page held nothing but new clients, this one is tried first with a plain insert, which finds by itself what is known.
 */
import { FIELDS } from '../../clients/fields.ts';
import type { ClientRecord, FieldValue } from '../../clients/record.ts';
import { SyncError } from '../../errors.ts';
import { type DeferReason, decide, type Habit, newestOfEach, type StoredRow } from '../decide.ts';
import { settlesQuarantine } from '../quarantineKey.ts';
import type { RowsResult, RowsWrite, SqlValue } from '../warehouse.ts';
import { byCount, marks, type Statements } from './statements.ts';

/** More rows a statement gained nothing; a full one binds 1,200 values. */
const ROWS_PER_STATEMENT = 50;

const COLUMNS = FIELDS.map((field) => field.column);
const UPDATED_ON = COLUMNS.indexOf('updated_on');
const EXTERNAL_ID = COLUMNS.indexOf('external_id');
const WRITTEN = [...COLUMNS, '_extra', '_revision'];

/** Columns in front of the fields, in the read of what is stored. */
const BEFORE_FIELDS = 3;
const READ = `SELECT _revision, _base IS NOT NULL OR _create IS NOT NULL, _deleted_at IS NOT NULL, ${COLUMNS.join(', ')}, _extra FROM clients WHERE id IN`;

const readSql = byCount((ids) => `${READ} (${marks(ids)})`);

const INSERT = `INSERT INTO clients (${WRITTEN.join(', ')}) VALUES `;
const ON_CONFLICT = ` ON CONFLICT (id) DO UPDATE SET ${[...COLUMNS.slice(1), '_extra']
  .map((column) => `${column} = excluded.${column}`)
  .join(
    ', ',
  )}, _revision = max(clients._revision + 1, excluded._revision), _deleted_at = NULL WHERE clients._base IS NULL AND clients._create IS NULL`;

// What was learnt of an id that is listed already stays: seen, seen_at, listed_at, reason.
const DEFER = `INSERT INTO mirror_refetch (id, reason, listed_at, due_at) VALUES (?, ?, ?, ?)
  ON CONFLICT (id) DO UPDATE SET listings = listings + 1, due_at = min(due_at, excluded.due_at)`;

const IF_NEW = ' ON CONFLICT (id) DO NOTHING';

interface Context {
  nextRevision(): number;
  readonly habit: Habit;
}

interface Sorted {
  readonly toWrite: ClientRecord[];
  readonly deferred: { readonly id: string; readonly reason: DeferReason }[];
  inserted: number;
}

/**
 * Writes the rows that must be written, under one revision, which is drawn only then: a page that changes
 * nothing writes nothing at all. Runs inside a transaction of the caller.
 */
export function writeRows(statements: Statements, write: RowsWrite, context: Context): RowsResult {
  const { nextRevision, habit } = context;
  const rows = newestOfEach(write.rows);
  let inserted =
    habit.page === 'new' && mayAllBeNew(statements, rows) ? insert(statements, rows, nextRevision()) : 0;
  let [updated, deferred] = [0, 0];
  if (inserted < rows.length) {
    // Rows that the plain insert wrote are met as equal ones.
    const sorted: Sorted = { toWrite: [], deferred: [], inserted: 0 };
    for (const part of parts(rows)) sortRows(statements, part, write, sorted);
    const revision = sorted.toWrite.length > 0 ? nextRevision() : 0;
    for (const part of parts(inOrderOfId(sorted.toWrite))) upsert(statements, part, revision);
    for (const { id, reason } of sorted.deferred)
      statements.prepare(DEFER).run(id, reason, write.at, write.at);
    inserted += sorted.inserted;
    [updated, deferred] = [sorted.toWrite.length - sorted.inserted, sorted.deferred.length];
  }
  habit.page = inserted === rows.length ? 'new' : 'mixed';
  leaveQuarantine(statements, rows, write.trust === 'believed');
  return { inserted, updated, deferred, unchanged: write.rows.length - inserted - updated - deferred };
}

/** The first is not known, and nothing here is a user's, who may have deleted or made one of them. */
function mayAllBeNew(statements: Statements, [first]: readonly ClientRecord[]): boolean {
  if (first === undefined) return false;
  const isKnown = statements.prepareRaw('SELECT 1 FROM clients WHERE id = ?').get(first.id) !== undefined;
  return !isKnown && isEmpty(statements, 'mirror_deletes') && isEmpty(statements, CREATES);
}

/** Inserts those that are not known. Returns how many. */
function insert(statements: Statements, rows: readonly ClientRecord[], revision: number): number {
  let count = 0;
  for (const part of parts(inOrderOfId(rows))) {
    count += statements.prepare(insertSql(part.length)).run(valuesOf(part, revision)).changes;
  }
  return count;
}

/** Neighbours in the index of ids land on one page of it: a tenth less to write. No order of the source's is meant. */
function inOrderOfId(rows: readonly ClientRecord[]): readonly ClientRecord[] {
  return [...rows].sort((a, b) => (a.id < b.id ? -1 : 1));
}

function* parts<T>(rows: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < rows.length; start += ROWS_PER_STATEMENT) {
    yield rows.slice(start, start + ROWS_PER_STATEMENT);
  }
}

function sortRows(
  statements: Statements,
  rows: readonly ClientRecord[],
  write: RowsWrite,
  sorted: Sorted,
): void {
  const ids = rows.map((row) => row.id);
  const found = new Map<SqlValue, SqlValue[]>();
  for (const stored of statements.prepareRaw(readSql(ids.length)).iterate(...ids)) {
    found.set(stored[BEFORE_FIELDS] ?? null, stored);
  }
  const unknown: ClientRecord[] = [];
  for (const row of rows) {
    const stored = found.get(row.id);
    if (stored === undefined) {
      unknown.push(row);
      continue;
    }
    const verdict = decide(row, storedRow(stored, row), write);
    if (verdict === 'write') sorted.toWrite.push(row);
    else if (verdict !== 'unchanged') sorted.deferred.push({ id: row.id, reason: verdict });
  }
  if (unknown.length > 0) sortUnknown(statements, unknown, sorted);
}

/** A new client, unless it was deleted here or is the answer to a create of ours that has not settled. */
function sortUnknown(statements: Statements, rows: readonly ClientRecord[], sorted: Sorted): void {
  const deleted = deletedHere(statements, rows);
  const creating = beingCreated(statements, rows);
  for (const row of rows) {
    if (deleted.has(row.id)) continue;
    if (creating.has(keyOf(row))) sorted.deferred.push({ id: row.id, reason: 'creating' });
    else {
      sorted.toWrite.push(row);
      sorted.inserted += 1;
    }
  }
}

const CREATES = 'clients WHERE _create IS NOT NULL';
const NONE: ReadonlySet<SqlValue> = new Set();

function deletedHere(statements: Statements, rows: readonly ClientRecord[]): ReadonlySet<SqlValue> {
  if (isEmpty(statements, 'mirror_deletes')) return NONE;
  const sql = `SELECT id FROM mirror_deletes WHERE id IN (${marks(rows.length)})`;
  return column(
    statements,
    sql,
    rows.map((row) => row.id),
  );
}

function beingCreated(statements: Statements, rows: readonly ClientRecord[]): ReadonlySet<SqlValue> {
  if (isEmpty(statements, CREATES)) return NONE;
  const key = 'lower(trim(external_id))';
  // A dead letter that never got there, or is gone from there, makes nobody wait who has its externalId.
  const isDead = `_parked IS _edits AND NOT EXISTS (SELECT 1 FROM mirror_pushes m
    WHERE m.id = clients.id AND m.sent IS NOT NULL AND json_extract(m.before, '$.gone') IS NULL)`;
  const sql = `SELECT ${key} FROM clients
    WHERE _create IS NOT NULL AND ${key} IN (${marks(rows.length)}) AND NOT (${isDead})`;
  return column(statements, sql, rows.map(keyOf));
}

/** As the index clients_creates has it: servers trim and change case. */
function keyOf(row: ClientRecord): string {
  return String(row.values[EXTERNAL_ID] ?? '')
    .trim()
    .toLowerCase();
}

function isEmpty(statements: Statements, source: string): boolean {
  return statements.prepareRaw(`SELECT 1 FROM ${source} LIMIT 1`).get() === undefined;
}

function column(statements: Statements, sql: string, params: readonly string[]): ReadonlySet<SqlValue> {
  return new Set(
    statements
      .prepareRaw(sql)
      .all(...params)
      .map((row) => row[0] ?? null),
  );
}

function storedRow(stored: readonly SqlValue[], row: ClientRecord): StoredRow {
  return {
    updatedOn: stored[BEFORE_FIELDS + UPDATED_ON] as string | null,
    revision: stored[0] as number,
    dirty: stored[1] === 1,
    deleted: stored[2] === 1,
    isSame: () =>
      row.extra === stored[BEFORE_FIELDS + COLUMNS.length] &&
      row.values.every((value, index) => toSql(value) === stored[BEFORE_FIELDS + index]),
  };
}

function toSql(value: FieldValue): SqlValue {
  return typeof value === 'boolean' ? Number(value) : value;
}

const ROW_MARKS = `(${marks(WRITTEN.length)})`;
const sqlEndingWith = (end: string) =>
  byCount((rows) => `${INSERT}${new Array(rows).fill(ROW_MARKS).join(', ')}${end}`);
const insertSql = sqlEndingWith(IF_NEW);
const upsertSql = sqlEndingWith(ON_CONFLICT);

function upsert(statements: Statements, rows: readonly ClientRecord[], revision: number): void {
  const { changes } = statements.prepare(upsertSql(rows.length)).run(valuesOf(rows, revision));
  if (changes !== rows.length) {
    throw new SyncError('EXPECTATION', `${rows.length} clients were to be written, ${changes} were`);
  }
}

function valuesOf(rows: readonly ClientRecord[], revision: number): SqlValue[] {
  const params: SqlValue[] = new Array(rows.length * WRITTEN.length);
  let at = 0;
  for (const row of rows) {
    for (const value of row.values) params[at++] = typeof value === 'boolean' ? Number(value) : value;
    params[at++] = row.extra;
    params[at++] = revision;
  }
  return params;
}

function leaveQuarantine(statements: Statements, rows: readonly ClientRecord[], believed: boolean): void {
  if (isEmpty(statements, 'mirror_quarantine')) return;
  const byId = new Map<SqlValue, ClientRecord>(rows.map((row) => [row.id, row]));
  for (const part of parts(rows)) {
    const sql = `SELECT id, raw FROM mirror_quarantine WHERE id IN (${marks(part.length)})`;
    const held = statements.prepareRaw(sql).all(...part.map((row) => row.id));
    for (const [id = null, raw] of held) {
      const good = byId.get(id);
      if (good === undefined || !(believed || settlesQuarantine(good.updatedOn, String(raw)))) continue;
      statements.prepare('DELETE FROM mirror_quarantine WHERE id = ?').run(id);
    }
  }
}
