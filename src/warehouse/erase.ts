/**
 * Erases fields from everything the mirror holds, when they become excluded: values, merge bases, journals. In
 * batches, so that no transaction is long; each batch finds what is left, so that it can be stopped anywhere.
 */
import { FIELDS } from '../clients/fields.ts';
import { NEXT_REVISION } from './dialect.ts';
import { type Query, type Statement, statement, type Warehouse } from './warehouse.ts';

type Kind = Warehouse['kind'];

/**
 * One batch over `clients`; the count of its result is the number of rows it changed.
 * @param fields API names; one that this version has no column for is taken out of `_extra`.
 */
export function eraseBatch(kind: Kind, fields: readonly string[], limit: number): Statement {
  const cleared = columnsOf(fields).map((column) => `${column} = NULL`);
  const json = ['_base', '_extra'].map((column) => `${column} = ${without(kind, column, fields)}`);
  // A row that a user holds is left for the next batch: the mirror never waits for a user's transaction.
  const free = kind === 'postgres' ? ' FOR UPDATE SKIP LOCKED' : '';
  return statement(
    `UPDATE clients SET ${[...cleared, ...json].join(', ')}, _revision = ${NEXT_REVISION}
     WHERE id IN (SELECT id FROM clients WHERE ${holdsOne(kind, fields)} LIMIT ${limit}${free})`,
  );
}

/** How many rows of `clients` still hold one of the fields. */
export function countHolding(kind: Kind, fields: readonly string[]): Query {
  return { sql: `SELECT count(*) AS count FROM clients WHERE ${holdsOne(kind, fields)}`, params: [] };
}

/** The journals: entries of these fields go, whole rows lose the field. What holds rows as text is the ledger's. */
export function eraseJournals(kind: Kind, fields: readonly string[]): Statement[] {
  const marks = fields.map(() => '?').join(', ');
  const text = kind === 'postgres' ? '::text' : '';
  const document = (column: string): string => (kind === 'postgres' ? `(${column}::jsonb)` : column);
  const rewrite = (table: string, column: string, which = ''): Statement => {
    // With its table: the members of a JSON object have a column `value` too.
    const held = document(`${table}.${column}`);
    const holdsOne = fields.map((field) => hasKey(kind, held, field)).join(' OR ');
    return statement(
      `UPDATE ${table} SET ${column} = (${without(kind, held, fields)})${text} WHERE ${which}(${holdsOne})`,
    );
  };
  // An entry without a field is about a whole row, whose values it holds.
  const wholeRows = (table: string, column: string): Statement =>
    rewrite(table, column, 'field IS NULL AND ');
  return [
    statement(`DELETE FROM mirror_edits WHERE field IN (${marks})`, fields),
    statement(`DELETE FROM mirror_conflicts WHERE field IN (${marks})`, fields),
    ...['base', 'value'].map((column) => wholeRows('mirror_edits', column)),
    ...['base', 'local', 'remote'].map((column) => wholeRows('mirror_conflicts', column)),
    rewrite('mirror_pushes', 'sent'),
    rewrite('mirror_pushes', 'before'),
  ];
}

function columnsOf(fields: readonly string[]): string[] {
  return FIELDS.filter((field) => fields.includes(field.name)).map((field) => field.column);
}

function holdsOne(kind: Kind, fields: readonly string[]): string {
  const inColumns = columnsOf(fields).map((column) => `${column} IS NOT NULL`);
  const inJson = fields.flatMap((field) => ['_base', '_extra'].map((column) => hasKey(kind, column, field)));
  return [...inColumns, ...inJson].join(' OR ');
}

/**
 * A name as the settings have it, in lower case: the source may spell it otherwise. Settings are checked to be plain
 * words; quoted all the same.
 */
function lowered(name: string): string {
  return `'${name.toLowerCase().replaceAll("'", "''")}'`;
}

/** The JSON object without those keys, however they are spelt; NULL where nothing is left of it. */
function without(kind: Kind, column: string, fields: readonly string[]): string {
  if (kind === 'postgres') {
    const names = `ARRAY[${fields.map(lowered).join(', ')}]`;
    return `(SELECT jsonb_object_agg(m.key, m.value) FROM jsonb_each(${column}) m WHERE lower(m.key) <> ALL (${names}))`;
  }
  // One spelling at a time: a path that is NULL would make all of it NULL.
  const paths = fields.map(
    (field) =>
      `coalesce((SELECT m.fullkey FROM json_each(${column}) m WHERE lower(m.key) = ${lowered(field)}), '$.""')`,
  );
  return `nullif(json_remove(${column}, ${paths.join(', ')}), '{}')`;
}

function hasKey(kind: Kind, column: string, field: string): string {
  const members = kind === 'postgres' ? 'jsonb_object_keys' : 'json_each';
  const key = kind === 'postgres' ? 'm' : 'm.key';
  return `EXISTS (SELECT 1 FROM ${members}(${column}) m WHERE lower(${key}) = ${lowered(field)})`;
}
