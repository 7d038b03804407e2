/**
 * A page of the source on its way into `clients`: one statement, one plan, set-based over arrays. A page in a row of
 * pages that held nothing but new clients, as in a first backfill, is tried with a plain insert before.
 *
 * The statement inserts first, which is all it may ever wait for, while it holds nothing that a user could want; then it locks
 * what is free of the rows that differ and skips the rest; then it writes those. What it could not take is
 * listed in `mirror_refetch` in the same statement. Rows that are the same are only read: no lock, no dead tuple.
 */
import { FIELDS, type Field, type FieldType } from '../../clients/fields.ts';
import type { Instant } from '../../clients/instant.ts';
import type { ClientRecord, FieldValue } from '../../clients/record.ts';
import { type Habit, newestOfEach } from '../decide.ts';
import { DELETE_MARK, NEXT_REVISION } from '../dialect.ts';
import { settlesQuarantine } from '../quarantineKey.ts';
import type { RowsResult, RowsWrite } from '../warehouse.ts';
import { binaryArray, type ElementType } from './arrays.ts';
import { type Answer, inOrder, type Send } from './connection.ts';

const ARRAY_TYPES: Readonly<Record<FieldType, ElementType>> = {
  uuid: 'uuid',
  text: 'text',
  instant: 'timestamptz',
  boolean: 'boolean',
  int32: 'integer',
  double: 'double precision',
  json: 'jsonb',
};

interface Column {
  readonly name: string;
  readonly type: ElementType;
  value(row: ClientRecord): FieldValue;
}

/** Every column that the source decides: the fields, the stamps as text, the unknown fields. */
const COLUMNS: readonly Column[] = [
  ...FIELDS.map(fieldColumn),
  { name: '_created_on', type: 'text', value: (row) => row.createdOn },
  { name: '_updated_on', type: 'text', value: (row) => row.updatedOn },
  { name: '_extra', type: 'jsonb', value: (row) => row.extra },
];

function fieldColumn(field: Field, index: number): Column {
  return { name: field.column, type: ARRAY_TYPES[field.type], value: (row) => row.values[index] ?? null };
}

const NAMES = COLUMNS.map((column) => column.name);
const CHANGING = NAMES.filter((name) => name !== 'id');
/** A stamp's own column is cut; the text beside it is compared. */
const COMPARED = COLUMNS.filter(({ name, type }) => name !== 'id' && type !== 'timestamptz').map(
  ({ name }) => name,
);
const FIRST_ARRAY = 4;

const STAMP = (row: string): string => `coalesce(${row}._updated_on, '')`;
const CLEAN = 'c._base IS NULL AND c._create IS NULL';
const FRESH = `(${STAMP('i')} > ${STAMP('c')} OR (($3::boolean OR ${STAMP('i')} = ${STAMP('c')}) AND c._revision <= $1))`;
const SAME = `c._deleted_at IS NULL AND (${list('c', COMPARED)}) IS NOT DISTINCT FROM (${list('i', COMPARED)})`;

/** A dead letter that never got there, or is gone from there, makes nobody wait who has its externalId. */
const IS_DEAD = `p._parked IS NOT DISTINCT FROM p._edits AND NOT EXISTS (SELECT FROM mirror_pushes m
  WHERE m.id = p.id::text AND m.sent IS NOT NULL AND m.before::json ->> 'gone' IS NULL)`;

/**
 * Clients nobody here knows, one array a column, then the first and the last `_created_on` among them. Writes none
 * where one is known, whose lock it might have to wait for: a client's time of creation stays, so a look between the two
 * tells it at the cost of one client. Nor where a delete or a create of a user's would have to be looked at. Without ON
 * CONFLICT, which costs a fifth more: one who has inserted the same client since is a collision.
 */
const INSERT = `INSERT INTO clients (${NAMES.join(', ')}, _revision)
  SELECT ${list('i', NAMES)}, (SELECT ${NEXT_REVISION}) FROM (${inputFrom(1)}) i
  WHERE NOT EXISTS (SELECT FROM clients WHERE _created_on BETWEEN $${COLUMNS.length + 1} AND $${COLUMNS.length + 2})
    AND NOT EXISTS (SELECT FROM mirror_deletes) AND NOT EXISTS (SELECT FROM clients WHERE _create IS NOT NULL)
  ORDER BY i.id`;

/** $1 noted, $2 at, $3 believed, $4 … one array a column; $4 is the ids. */
const UPSERT = `WITH input AS MATERIALIZED (
  ${inputFrom(FIRST_ARRAY)}
), counter AS MATERIALIZED (
  SELECT ${NEXT_REVISION} AS value
), known AS MATERIALIZED (
  SELECT ctid AS place, * FROM clients WHERE id = ANY ($4::uuid[])
), classed AS MATERIALIZED (
  SELECT i.id, c.place, CASE
    WHEN c.id IS NULL THEN CASE
      WHEN EXISTS (SELECT FROM mirror_deletes d WHERE d.id = i.id::text) THEN 'same'
      WHEN EXISTS (SELECT FROM clients p WHERE p._create IS NOT NULL
        AND lower(trim(p.external_id)) = lower(trim(i.external_id)) AND NOT (${IS_DEAD})) THEN 'creating'
      ELSE 'new' END
    WHEN NOT (${CLEAN}) THEN 'dirty'
    WHEN ${SAME} THEN 'same'
    WHEN ${FRESH} THEN 'differs'
    WHEN ${STAMP('i')} < ${STAMP('c')} THEN 'older'
    ELSE 'raced' END AS class
  FROM input i LEFT JOIN known c ON c.id = i.id
), inserted AS (
  INSERT INTO clients (${NAMES.join(', ')}, _revision)
  SELECT ${list('i', NAMES)}, (SELECT value FROM counter)
  FROM input i JOIN classed k ON k.id = i.id WHERE k.class = 'new' ORDER BY i.id
  ON CONFLICT (id) DO NOTHING RETURNING id
), locked AS MATERIALIZED (
  SELECT id, ctid AS place FROM clients
  WHERE ctid = ANY (ARRAY(SELECT place FROM classed WHERE class = 'differs')) AND (SELECT count(*) FROM inserted) >= 0
  ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
), updated AS (
  UPDATE clients c SET ${CHANGING.map((name) => `${name} = i.${name}`).join(', ')}, _deleted_at = NULL,
    _revision = greatest((SELECT value FROM counter), c._revision + 1)
  FROM input i
  WHERE c.id = i.id AND c.ctid = ANY (ARRAY(SELECT place FROM locked)) AND ${CLEAN} AND ${FRESH}
  RETURNING c.id
), left_over AS (
  SELECT id::text AS id, CASE class WHEN 'new' THEN 'raced' WHEN 'differs' THEN 'locked' ELSE class END AS reason
  FROM classed WHERE class <> 'same'
    AND id NOT IN (SELECT id FROM inserted UNION ALL SELECT id FROM updated)
), listed AS (
  INSERT INTO mirror_refetch AS r (id, reason, listed_at, due_at)
  SELECT id, reason, $2, $2 FROM left_over ORDER BY id
  ON CONFLICT (id) DO UPDATE SET listings = r.listings + 1, due_at = least(r.due_at, excluded.due_at)
  RETURNING 1
)
SELECT (SELECT count(*) FROM inserted) AS inserted, (SELECT count(*) FROM updated) AS updated,
  (SELECT count(*) FROM listed) AS deferred`;

/** Planned without its parameters, a page looks like ten rows, which would be joined each with each. */
const JOIN_BY_HASH = 'SET LOCAL enable_nestloop = off';
const JOIN_AS_BEFORE = 'SET LOCAL enable_nestloop TO DEFAULT';

/**
 * Afterwards, with a view of its own: what of these ids is in quarantine, and what a user's delete that committed
 * between the statement's view and its insert has put on `mirror_deletes`. Both are rare; each has its statement.
 */
const LOOK = `SELECT id, raw FROM mirror_quarantine WHERE id = ANY ($1::text[])
  UNION ALL SELECT id, NULL FROM mirror_deletes WHERE parked = 0 AND id = ANY ($1::text[])`;
const CURE = 'DELETE FROM mirror_quarantine WHERE id = ANY ($1::text[])';
/** The rows are this transaction's own, so nothing is waited for. */
const MARK_SLIPPED_IN = `UPDATE clients SET _revision = ${DELETE_MARK}
  WHERE id = ANY ($1::uuid[]) AND _base IS NULL AND _create IS NULL`;
const DELETE_SLIPPED_IN = `DELETE FROM clients WHERE id = ANY ($1::uuid[]) AND _revision = ${DELETE_MARK}`;

/** Writes the rows inside a transaction of the caller. */
export async function writeRows(send: Send, write: RowsWrite, habit: Habit): Promise<RowsResult> {
  const rows = newestOfEach(write.rows);
  if (rows.length === 0) return { inserted: 0, updated: 0, unchanged: 0, deferred: 0 };
  const ids = binaryArray('text', rows, (row) => row.id);
  const arrays = COLUMNS.map(({ type, value }) => binaryArray(type, rows, value));
  let [inserted, updated, deferred] = [0, 0, 0];
  let found: Answer['rows'] = [];
  const created = habit.allNew ? createdBetween(rows) : null;
  if (created !== null) {
    const sent = inOrder([send(INSERT, [...arrays, ...created]), send(LOOK, [ids])]);
    const [quick, look] = await sent.catch((error: unknown) => {
      // Somebody else has just inserted one of them: the transaction is run again, and then not by guess.
      habit.allNew = false;
      throw error;
    });
    [inserted, found] = [quick?.count ?? 0, look?.rows ?? []];
  }
  if (inserted < rows.length) {
    // Rows that the plain insert wrote are met as equal ones.
    const params = [write.noted, write.at, write.trust === 'believed', ...arrays];
    const [, counts, , look] = await inOrder([
      send(JOIN_BY_HASH),
      send(UPSERT, params),
      send(JOIN_AS_BEFORE),
      send(LOOK, [ids]),
    ]);
    const became = counts?.rows[0];
    inserted += Number(became?.inserted);
    [updated, deferred] = [Number(became?.updated), Number(became?.deferred)];
    found = look?.rows ?? [];
  }
  habit.allNew = inserted === rows.length;
  await tidy(send, rows, found, write.trust);
  return { inserted, updated, deferred, unchanged: write.rows.length - inserted - updated - deferred };
}

/** The first and the last time of creation among them; null where one has none. */
function createdBetween(rows: readonly ClientRecord[]): readonly [Instant, Instant] | null {
  let [first, last] = [rows[0]?.createdOn ?? null, rows[0]?.createdOn ?? null];
  for (const { createdOn } of rows) {
    if (createdOn === null || first === null || last === null) return null;
    if (createdOn < first) first = createdOn;
    if (createdOn > last) last = createdOn;
  }
  return first === null || last === null ? null : [first, last];
}

async function tidy(
  send: Send,
  rows: readonly ClientRecord[],
  found: Answer['rows'],
  trust: RowsWrite['trust'],
): Promise<void> {
  if (found.length === 0) return;
  const stamps = new Map(rows.map((row) => [row.id, row.updatedOn]));
  const idsOf = (list: Answer['rows']): string[] => list.map(({ id }) => String(id));
  const slippedIn = idsOf(found.filter(({ raw }) => raw === null));
  // An older good version does not tell that a newer one could not be mirrored.
  const cured = idsOf(
    found.filter(
      ({ id, raw }) =>
        raw !== null &&
        (trust === 'believed' || settlesQuarantine(stamps.get(String(id)) ?? null, String(raw))),
    ),
  );
  if (cured.length > 0) await send(CURE, [cured]);
  if (slippedIn.length > 0) {
    await inOrder([send(MARK_SLIPPED_IN, [slippedIn]), send(DELETE_SLIPPED_IN, [slippedIn])]);
  }
}

/** One row an element, the first array being parameter `first`. In the target list, where nothing is kept aside. */
function inputFrom(first: number): string {
  return `SELECT ${COLUMNS.map(({ name, type }, at) => `unnest($${first + at}::${type}[]) AS ${name}`).join(', ')}`;
}

function list(row: string, names: readonly string[]): string {
  return names.map((name) => `${row}.${name}`).join(', ');
}
