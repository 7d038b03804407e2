/** One field table gives everything: what the database, the triggers and the parser know is compared here. */
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { FIELDS } from '../../src/clients/fields.ts';
import { isRejected, parseRow } from '../../src/clients/record.ts';
import { POSTGRES, SQLITE } from '../../src/warehouse/dialect.ts';
import { MIGRATIONS } from '../../src/warehouse/migrations/migrations.ts';
import { clientsTable } from '../../src/warehouse/schema.ts';
import { BOOKKEEPING } from '../../src/warehouse/sqlite/rules.ts';
import { SQLITE_TRIGGERS } from '../../src/warehouse/sqlite/triggers.ts';
import { TABLES } from '../../src/warehouse/tables.ts';

function migrated(): Database.Database {
  const db = new Database(':memory:');
  for (const migration of MIGRATIONS) for (const sql of migration.up(SQLITE)) db.exec(sql);
  for (const sql of SQLITE_TRIGGERS) db.exec(sql);
  return db;
}

function columnsOf(db: Database.Database, table: string): string[] {
  return (db.pragma(`table_info(${table})`) as { name: string }[]).map(({ name }) => name);
}

describe('the schema that the migrations build', () => {
  it('has the columns of the field table, in order, then the bookkeeping that the triggers guard', () => {
    const columns = columnsOf(migrated(), 'clients');
    expect(columns).toEqual([...FIELDS.map((field) => field.column), ...BOOKKEEPING]);
  });

  it('has the columns that the parser fills', () => {
    const raw = {
      id: '00000000-0000-4000-8000-000000000000',
      email: 'a@b.co',
      firstName: 'A',
      lastName: 'B',
      createdOn: null,
    };
    const row = parseRow(raw, { excluded: new Set(), acceptsNul: true });
    if (isRejected(row)) throw new Error(row.reason);
    expect(row.values).toHaveLength(FIELDS.length);
  });

  it('has every table of the list with its columns', () => {
    const db = migrated();
    for (const table of TABLES) {
      const named = table.columns.map((column) => column.split(' ')[0]);
      expect(columnsOf(db, table.name), table.name).toEqual(named);
    }
  });

  it('has a column name for each field that differs from every other', () => {
    expect(new Set(FIELDS.map((field) => field.column)).size).toBe(FIELDS.length);
    expect(new Set(FIELDS.map((field) => field.name)).size).toBe(FIELDS.length);
  });

  it('is written with names that cannot end a text or an identifier: they stand in the SQL as they are', () => {
    for (const field of FIELDS) {
      expect(field.column).toMatch(/^[a-z][a-z_]*$/);
      expect(field.name).toMatch(/^[a-z][A-Za-z]*$/);
    }
    for (const { name } of MIGRATIONS) expect(name).toMatch(/^[\w -]+$/);
  });

  it('numbers its migrations from one, without a gap', () => {
    expect(MIGRATIONS.map(({ number }) => number)).toEqual(MIGRATIONS.map((_, index) => index + 1));
  });

  it('finds the push queue, the creates and the stamps by an index', () => {
    const db = migrated();
    const plan = (sql: string): string =>
      (db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all() as { detail: string }[])
        .map(({ detail }) => detail)
        .join('; ');
    const queue = '(_base IS NOT NULL OR _create IS NOT NULL) AND _parked IS DISTINCT FROM _edits';
    expect(plan(`SELECT id FROM clients WHERE ${queue} ORDER BY _edited_at, id`)).toMatch(
      /clients_push_queue/,
    );
    expect(plan('SELECT max(updated_on) FROM clients')).toMatch(/clients_updated_on/);
    expect(plan("SELECT id FROM clients WHERE external_id = 'x'")).toMatch(/clients_external_id/);
    expect(plan("SELECT id FROM clients WHERE created_on >= 'x' ORDER BY created_on, id LIMIT 9")).toMatch(
      /clients_created_on/,
    );
    expect(
      plan("SELECT 1 FROM clients WHERE _create IS NOT NULL AND lower(trim(external_id)) IN ('a')"),
    ).toMatch(/clients_creates/);
    expect(plan('SELECT count(*) FROM clients WHERE _deleted_at IS NOT NULL')).toMatch(/clients_deleted/);
  });
});

describe('clientsTable', () => {
  it('names each CHECK as the message that a user shall read', () => {
    const sql = clientsTable(SQLITE);
    expect(sql).toContain('CONSTRAINT "fico must be a whole number or NULL" CHECK (');
    for (const field of FIELDS) expect(sql).toContain(`\n  ${field.column} `);
  });

  it('has the same columns in both dialects but for the stamps as text', () => {
    const names = (bookkeeping: readonly string[]): string[] =>
      bookkeeping.map((column) => String(column.split(' ')[0]));
    expect(names(POSTGRES.bookkeeping)).toEqual([...names(SQLITE.bookkeeping), '_created_on', '_updated_on']);
  });
});
