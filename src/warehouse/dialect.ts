/**
 * The few differences between the two databases, as data: everything else of the schema is written once.
 * Also what every SQL writer shares: how a statement draws a revision and how the mirror deletes a row of
 * `clients` so that its own triggers know it for the mirror's.
 */
import type { Field, FieldType } from '../clients/fields.ts';
import { type SqlValue, type Statement, statement } from './warehouse.ts';

/** A named CHECK. SQLite answers "CHECK constraint failed: <name>", so the name is the message. */
export interface Check {
  readonly name: string;
  readonly sql: string;
}

export interface Dialect {
  readonly kind: 'sqlite' | 'postgres';
  /** What `SERIAL` in tables.ts stands for: an ascending integer primary key that is never reused. */
  readonly serial: string;
  /** Column type of each field type. */
  readonly types: Readonly<Record<FieldType, string>>;
  /** Everything behind the name of the column `id`; it makes an id where the user gives none. */
  readonly idColumn: string;
  readonly falseValue: string;
  /** Null-safe "differs". */
  readonly distinct: string;
  /** Columns that hold createdOn and updatedOn as canonical text: for comparing, places and sweeps. */
  readonly stamps: { readonly createdOn: string; readonly updatedOn: string };
  /** Bookkeeping columns behind the fields, complete. */
  readonly bookkeeping: readonly string[];
  /** What the counter of `_revision` needs, complete statements. */
  readonly counter: readonly string[];
  /** CHECKs of the bookkeeping columns. */
  readonly checks: readonly Check[];
  /** The CHECK of a field's stored type. Never stricter than the parser, else a page of the source would fail. */
  check(field: Field): Check | null;
}

/**
 * A new number of the warehouse-wide counter, larger than every `_revision`: what a statement of ours that
 * writes `clients` sets `_revision` to. SQLite's driver defines the function, Postgres' schema does.
 */
export const NEXT_REVISION = 'mirror_next_revision()';

/** `_revision` of a row that the mirror itself is about to delete, in the same transaction. */
export const DELETE_MARK = 9_007_199_254_740_991;

/**
 * The mirror's own deletion of rows of `clients`: marked first, so that the triggers neither refuse it nor
 * take it for a user's. Two statements of one commit; the count of the second is that of the rows deleted.
 */
export function ownDelete(where: string, params: readonly SqlValue[]): readonly Statement[] {
  return [
    statement(`UPDATE clients SET _revision = ${DELETE_MARK} WHERE ${where}`, params),
    statement(`DELETE FROM clients WHERE _revision = ${DELETE_MARK} AND (${where})`, params),
  ];
}

/** A uuid v4 in SQLite's SQL; `random() & 3` because abs(random()) can overflow. */
export const SQLITE_NEW_UUID = [
  "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-' ||",
  "substr('89ab', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))",
].join(' ');

const TEXT_CHECK = (column: string): Check => ({
  name: `${column} must be text or NULL`,
  sql: `typeof(${column}) IN ('text', 'null')`,
});

export const SQLITE: Dialect = {
  kind: 'sqlite',
  serial: 'INTEGER PRIMARY KEY AUTOINCREMENT',
  types: {
    uuid: 'TEXT',
    text: 'TEXT',
    instant: 'TEXT',
    boolean: 'INTEGER',
    int32: 'INTEGER',
    double: 'REAL',
    json: 'TEXT',
  },
  idColumn: `TEXT PRIMARY KEY NOT NULL ON CONFLICT REPLACE DEFAULT (${SQLITE_NEW_UUID})`,
  falseValue: '0',
  // `IS DISTINCT FROM` came with SQLite 3.39, and a user's may be older; the parser makes both the same.
  distinct: 'IS NOT',
  stamps: { createdOn: 'created_on', updatedOn: 'updated_on' },
  bookkeeping: [
    '_revision INTEGER NOT NULL DEFAULT 0',
    '_edits INTEGER NOT NULL DEFAULT 0',
    '_edited_at TEXT',
    '_base TEXT',
    '_parked INTEGER',
    '_create TEXT',
    '_deleted_at TEXT',
    '_extra TEXT',
  ],
  // One row. capturing: the id whose edit a trigger is just writing down, else NULL.
  counter: [
    'CREATE TABLE mirror_revision (value INTEGER NOT NULL, capturing TEXT)',
    'INSERT INTO mirror_revision (value) VALUES (0)',
  ],
  checks: [
    { name: '_revision must be a whole number', sql: "typeof(_revision) = 'integer'" },
    { name: '_edits must be a whole number', sql: "typeof(_edits) = 'integer'" },
  ],
  check(field) {
    const { column } = field;
    switch (field.type) {
      case 'boolean':
        return { name: `${column} must be 0, 1 or NULL`, sql: `${column} IN (0, 1)` };
      case 'int32':
        return {
          name: `${column} must be a whole number or NULL`,
          sql: `${column} IS NULL OR (typeof(${column}) = 'integer' AND ${column} BETWEEN -2147483648 AND 2147483647)`,
        };
      case 'double':
        return {
          name: `${column} must be a finite number or NULL`,
          sql: `${column} IS NULL OR (typeof(${column}) = 'real' AND abs(${column}) < 9e999)`,
        };
      default:
        return TEXT_CHECK(column);
    }
  },
};

export const POSTGRES: Dialect = {
  kind: 'postgres',
  serial: 'BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY',
  types: {
    uuid: 'uuid',
    text: 'text',
    instant: 'timestamptz',
    boolean: 'boolean',
    int32: 'integer',
    double: 'double precision',
    json: 'jsonb',
  },
  idColumn: 'uuid PRIMARY KEY DEFAULT gen_random_uuid()',
  falseValue: 'false',
  distinct: 'IS DISTINCT FROM',
  stamps: { createdOn: '_created_on', updatedOn: '_updated_on' },
  bookkeeping: [
    '_revision BIGINT NOT NULL DEFAULT 0',
    '_edits BIGINT NOT NULL DEFAULT 0',
    '_edited_at text',
    '_base jsonb',
    '_parked BIGINT',
    '_create jsonb',
    '_deleted_at text',
    '_extra jsonb',
    '_created_on text COLLATE "C"',
    '_updated_on text COLLATE "C"',
  ],
  counter: [
    'CREATE SEQUENCE mirror_revision',
    "CREATE FUNCTION mirror_next_revision() RETURNS bigint LANGUAGE sql AS $$ SELECT nextval('mirror_revision') $$",
  ],
  checks: [],
  check(field) {
    if (field.type !== 'double') return null;
    return {
      name: `${field.column} must be a finite number or NULL`,
      sql: `${field.column} NOT IN ('NaN', 'Infinity', '-Infinity')`,
    };
  },
};
