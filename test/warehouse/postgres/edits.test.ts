import { randomUUID } from 'node:crypto';
import type { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { editsChannel } from '../../../src/warehouse/postgres/triggers.ts';
import type { Warehouse } from '../../../src/warehouse/warehouse.ts';
import { statement } from '../../../src/warehouse/warehouse.ts';
import { describePostgres, type PostgresTestWarehouse } from '../../support/postgresWarehouse.ts';
import { client, writeRows } from './sample.ts';

const postgres = describePostgres();
beforeAll(postgres.begin);
afterAll(postgres.end);

let test: PostgresTestWarehouse;
let warehouse: Warehouse;
let user: Client;
const id = randomUUID();

beforeEach(async () => {
  test = await postgres.make();
  warehouse = await test.open();
  user = await test.client();
  await writeRows(warehouse, [client({ id, externalId: 'known', totalIncome: 0.1 })]);
});
afterEach(async () => {
  await warehouse.close();
  await test.dispose();
});

const row = async () => (await user.query(`SELECT * FROM clients WHERE id = '${id}'`)).rows[0];

describe('an edit in Postgres', () => {
  it('is captured in the row version that holds it', async () => {
    await user.query(`UPDATE clients SET fax = '1', total_income = 0.3 WHERE id = '${id}'`);
    await user.query(`UPDATE clients SET fax = '2', email = 'new@example.com' WHERE id = '${id}'`);
    const edited = await row();
    expect(JSON.parse(edited._base)).toEqual({ fax: null, totalIncome: 0.1, email: 'ann@example.com' });
    expect(edited).toMatchObject({
      _edits: 2,
      fax: '2',
      _edited_at: expect.stringMatching(/^\d{4}-.*\.\d{6}0Z$/),
    });
  });

  it.each([
    ['search_path', 'SET search_path = pg_temp'],
    ['extra_float_digits', 'SET extra_float_digits = -10'],
    ['session_replication_role', 'SET session_replication_role = replica'],
    ['datestyle', "SET datestyle = 'German'"],
    ['a table of its own by our name', 'CREATE TEMP TABLE mirror_settings (name text, value text)'],
  ])('is captured the same whatever the session changed: %s', async (_name, sql) => {
    await writeRows(warehouse, [client({ id, totalIncome: 0.1 + 0.2, updatedOn: '2025-03-01T00:00:00Z' })]);
    await user.query(sql);
    await user.query(`UPDATE "${test.schema}".clients SET total_income = 1 WHERE id = '${id}'`);
    const [read] = await warehouse.read({ sql: 'SELECT _base FROM clients', params: [] });
    expect(JSON.parse(String(read?._base))).toEqual({ totalIncome: 0.1 + 0.2 });
  });

  it('is captured when INSERT … ON CONFLICT makes it, and names no field that it does not set', async () => {
    await user.query(
      `INSERT INTO clients (id, email) VALUES ('${id}', 'up@example.com')
       ON CONFLICT (id) DO UPDATE SET email = excluded.email, external_id = coalesce(excluded.external_id, clients.external_id)`,
    );
    expect(await row()).toMatchObject({
      email: 'up@example.com',
      external_id: 'known',
      _create: null,
      _edits: 1,
    });
    expect(JSON.parse((await row())._base)).toEqual({ email: 'ann@example.com' });
  });

  it('by INSERT … SELECT is a create', async () => {
    await user.query(`INSERT INTO clients (email, first_name, last_name)
      SELECT 'c@example.com', first_name, last_name FROM clients`);
    const [made] = (await user.query('SELECT * FROM clients WHERE _create IS NOT NULL')).rows;
    expect(made).toMatchObject({ _create: '{"external": "made"}', _edits: 1, is_silenced: 0, _base: null });
    expect(made.external_id).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('may give a null id', async () => {
    await user.query(
      "INSERT INTO clients (id, email, first_name, last_name) VALUES (NULL, 'c@example.com', 'C', 'D')",
    );
    expect((await user.query('SELECT id FROM clients WHERE _create IS NOT NULL')).rows[0].id).toMatch(
      /^[0-9a-f-]{36}$/,
    );
  });

  it('cannot pass for a write of the mirror, not even by raising _revision', async () => {
    const refused = /columns beginning with _ belong to the mirror, or the row changed since you read it/;
    await expect(user.query("UPDATE clients SET _revision = _revision + 1, fax = '1'")).rejects.toThrow(
      refused,
    );
    await expect(user.query("UPDATE clients SET _updated_on = '2030'")).rejects.toThrow(refused);
    await expect(
      user.query(
        "INSERT INTO clients (id, email, first_name, last_name, _revision) VALUES (gen_random_uuid(), 'c@example.com', 'C', 'D', 7)",
      ),
    ).rejects.toThrow('columns beginning with _ belong to the mirror');
    await expect(user.query('UPDATE clients SET _revision = 9007199254740991')).rejects.toThrow(refused);
    expect((await row()).fax).toBeNull();
  });

  it("is captured when a user's trigger of any name makes it", async () => {
    await user.query(`CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN NEW.last_name := upper(NEW.last_name); RETURN NEW; END $$;
      CREATE TRIGGER a_user BEFORE UPDATE ON clients FOR EACH ROW EXECUTE FUNCTION shout();
      CREATE TRIGGER zz_user BEFORE UPDATE ON clients FOR EACH ROW EXECUTE FUNCTION shout()`);
    await user.query("UPDATE clients SET fax = '1'");
    expect(JSON.parse((await row())._base)).toEqual({ fax: null, lastName: 'Lee' });
  });

  it('cannot be a TRUNCATE', async () => {
    await expect(user.query('TRUNCATE clients')).rejects.toThrow('clients cannot be truncated');
    await expect(
      user.query('SET session_replication_role = replica; TRUNCATE clients CASCADE'),
    ).rejects.toThrow('clients cannot be truncated');
  });

  it.each(['NaN', 'Infinity', '-Infinity'])('cannot be %s', async (value) => {
    await expect(user.query(`UPDATE clients SET total_income = '${value}'`)).rejects.toThrow(
      'total_income must be a finite number or NULL',
    );
  });

  it('needs no right but the one to write clients', async () => {
    await user.query(`CREATE ROLE "editor ${test.schema}"`);
    await user.query(`GRANT USAGE ON SCHEMA "${test.schema}" TO "editor ${test.schema}"`);
    await user.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON clients TO "editor ${test.schema}"`);
    await warehouse.commit([
      statement("INSERT INTO mirror_settings (name, value) VALUES ('push_deletes', 'true')"),
    ]);
    await user.query(`SET ROLE "editor ${test.schema}"`);
    await user.query("UPDATE clients SET fax = '1'");
    await user.query("INSERT INTO clients (email, first_name, last_name) VALUES ('c@example.com', 'C', 'D')");
    await user.query('DELETE FROM clients');
    await expect(user.query('SELECT 1 FROM mirror_deletes')).rejects.toThrow('permission denied');
    await user.query('RESET ROLE');
    const [deleted] = (await user.query('SELECT * FROM mirror_deletes')).rows;
    expect(deleted.id).toBe(id);
    expect(JSON.parse(deleted.values_json)).toMatchObject({
      id,
      createdOn: '2025-01-01T00:00:00.1234567Z',
      fax: '1',
      isSilenced: false,
      totalIncome: 0.1,
      _base: { fax: null },
      _extra: null,
    });
    await user.query(`DROP OWNED BY "editor ${test.schema}"; DROP ROLE "editor ${test.schema}"`);
  });

  it('is told at once, and once a transaction; a write of the mirror is not', async () => {
    const heard: string[] = [];
    const listener = await test.client();
    listener.on('notification', ({ channel }) => heard.push(channel));
    await listener.query(`LISTEN "${editsChannel(test.schema)}"`);
    await writeRows(warehouse, [client(), client({ id, updatedOn: '2025-03-01T00:00:00Z' })]);
    await user.query("UPDATE clients SET fax = '1'");
    await expect.poll(() => heard).toEqual([editsChannel(test.schema)]);
  });

  it('is told after a savepoint took back an earlier one', async () => {
    const heard: string[] = [];
    const listener = await test.client();
    listener.on('notification', ({ channel }) => heard.push(channel));
    await listener.query(`LISTEN "${editsChannel(test.schema)}"`);
    await user.query(`DO $$ BEGIN
      BEGIN UPDATE clients SET fax = '1'; RAISE EXCEPTION 'taken back'; EXCEPTION WHEN raise_exception THEN NULL; END;
      UPDATE clients SET fax = '2';
    END $$`);
    await expect.poll(() => heard).toEqual([editsChannel(test.schema)]);
  });

  it('heeds a setting from the next command on, in a transaction that is open as well', async () => {
    await user.query('BEGIN');
    await user.query("UPDATE clients SET fax = '1'");
    await warehouse.commit([statement("INSERT INTO mirror_settings (name, value) VALUES ('push', 'false')")]);
    await expect(user.query("UPDATE clients SET fax = '2'")).rejects.toThrow('this mirror is read-only');
    await user.query('ROLLBACK');
  });

  it('heeds the settings of its own mirror where one command edits two', async () => {
    const other = await postgres.make();
    const second = await other.open();
    await writeRows(second, [client({ id })]);
    await second.commit([statement("INSERT INTO mirror_settings (name, value) VALUES ('push', 'false')")]);
    const both = `WITH one AS (UPDATE "${test.schema}".clients SET fax = '1' RETURNING id)
      UPDATE "${other.schema}".clients c SET fax = '1' FROM one WHERE c.id = one.id`;
    await expect(user.query(both)).rejects.toThrow('this mirror is read-only');
    await second.close();
    await other.dispose();
  });

  it('saves a row as it was read only while nothing else has changed it', async () => {
    await user.query('CREATE TABLE read_before AS SELECT * FROM clients');
    await user.query("UPDATE clients SET fax = '1'");
    const columns = Object.keys(await row());
    await expect(
      user.query(
        `UPDATE clients c SET (${columns.join(', ')}) = (SELECT ${columns.join(', ')} FROM read_before b WHERE b.id = c.id)`,
      ),
    ).rejects.toThrow('the row changed since you read it');
  });
});

describe('editsChannel', () => {
  it('is a name that NOTIFY takes, however long the schema', () => {
    for (const schema of ['public', 'ä'.repeat(31), 'x'.repeat(63)]) {
      expect(Buffer.byteLength(editsChannel(schema))).toBeLessThan(64);
    }
  });
});
