/**
 * What only SQLite can do to a row: REPLACE, rowids, triggers inside triggers. The rest of what a user meets is
 * in the contract.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Warehouse } from '../../../src/warehouse/warehouse.ts';
import { client, rowsWrite, type UserConnection } from '../../contract/warehouse.ts';
import { makeSqlite, type SqliteTestWarehouse } from '../../support/sqlite.ts';

describe('SQLITE_TRIGGERS', () => {
  let test: SqliteTestWarehouse;
  let warehouse: Warehouse;
  let user: UserConnection;

  beforeEach(async () => {
    test = await makeSqlite();
    warehouse = await test.open();
    user = await test.userConnection();
  });
  afterEach(async () => {
    await user.close();
    await warehouse.close();
    await test.dispose();
  });

  async function two(): Promise<[string, string]> {
    const [a, b] = [client({ fico: 1 }), client({ fico: 2 })];
    await warehouse.commit([rowsWrite([a, b])]);
    return [a.id, b.id];
  }
  const rows = (sql: string) => warehouse.read({ sql, params: [] });
  const base = async (id: string): Promise<unknown> => {
    const [row] = await warehouse.read({ sql: 'SELECT _base FROM clients WHERE id = ?', params: [id] });
    return row?._base === null ? null : JSON.parse(String(row?._base));
  };
  const required = "'n@example.com', 'N', 'M'";

  it('refuses INSERT OR REPLACE of a known id, by id and by rowid', async () => {
    const [id] = await two();
    await user.run(`UPDATE clients SET fico = 5 WHERE id = '${id}'`);
    for (const verb of ['INSERT OR REPLACE', 'REPLACE', 'INSERT OR IGNORE', 'INSERT']) {
      await expect(
        user.run(`${verb} INTO clients (id, email, first_name, last_name) VALUES ('${id}', ${required})`),
        verb,
      ).rejects.toThrow(/use UPDATE/);
    }
    await expect(
      user.run(`REPLACE INTO clients (rowid, email, first_name, last_name) VALUES (1, ${required})`),
    ).rejects.toThrow(/use UPDATE/);
    // NULL for _revision would be replaced by its default behind the back of a guard that compares it.
    await expect(
      user.run(
        `REPLACE INTO clients (id, email, first_name, last_name, _revision) VALUES ('${id}', ${required}, NULL)`,
      ),
    ).rejects.toThrow(/use UPDATE/);
    expect(await base(id)).toEqual({ fico: 1 });
    expect(await rows('SELECT count(*) AS count FROM clients')).toEqual([{ count: 2 }]);
  });

  it('refuses an UPDATE that would push another row out', async () => {
    const [id, other] = await two();
    const [{ rowid } = {}] = await rows(`SELECT rowid FROM clients WHERE id = '${other}'`);
    for (const set of [
      `id = '${other}'`,
      'id = NULL',
      `rowid = ${rowid}`,
      'rowid = 99',
      '_revision = NULL',
    ]) {
      await expect(
        user.run(`UPDATE OR REPLACE clients SET ${set} WHERE id = '${id}'`),
        set,
      ).rejects.toThrow();
    }
    expect(await rows('SELECT count(*) AS count FROM clients')).toEqual([{ count: 2 }]);
  });

  it('gives an id also where a tool inserts NULL for it', async () => {
    await user.run(`INSERT INTO clients (id, email, first_name, last_name) VALUES (NULL, ${required})`);
    expect((await rows('SELECT id FROM clients'))[0]?.id).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('refuses a copy of a whole row with its bookkeeping', async () => {
    const [id] = await two();
    const columns = (await rows('SELECT * FROM clients LIMIT 1')).flatMap(Object.keys).slice(1);
    const kept = columns.filter((column) => column !== 'created_on' && column !== 'updated_on');
    const list = kept.join(', ');
    await expect(
      user.run(`INSERT INTO clients (${list}) SELECT ${list} FROM clients WHERE id = '${id}'`),
    ).rejects.toThrow(/belong to the mirror/);
    const fields = kept.filter((column) => !column.startsWith('_')).join(', ');
    await user.run(`INSERT INTO clients (${fields}) SELECT ${fields} FROM clients WHERE id = '${id}'`);
    expect(await rows('SELECT count(*) AS count FROM clients WHERE _create IS NOT NULL')).toEqual([
      { count: 1 },
    ]);
  });

  it('refuses a _revision that a user raises: only the mirror’s counter does', async () => {
    const [id] = await two();
    await expect(
      user.run(`UPDATE clients SET fico = 9, _revision = _revision WHERE id = '${id}'`),
    ).resolves.toEqual([]);
    await expect(
      user.run(`UPDATE clients SET fico = 10, _revision = _revision - 1 + 1 WHERE id = '${id}'`),
    ).resolves.toEqual([]);
    const counter = Number((await rows('SELECT value FROM mirror_revision'))[0]?.value);
    await expect(
      user.run(`UPDATE clients SET fico = 11, _revision = ${counter} WHERE fico = 2`),
    ).rejects.toThrow(/belong to the mirror/);
    expect(await base(id)).toEqual({ fico: 1 });
  });

  it('keeps every _revision at or below the counter, so that no answer races for ever', async () => {
    const [id] = await two();
    for (let round = 0; round < 5; round += 1) {
      await user.run(`UPDATE clients SET fico = ${100 + round} WHERE id = '${id}'`);
    }
    const [top] = await rows('SELECT max(_revision) AS top FROM clients');
    expect(await warehouse.revision()).toBeGreaterThanOrEqual(Number(top?.top));
  });

  it('captures what a trigger of the user writes to the row', async () => {
    const [id] = await two();
    await user.run(`CREATE TRIGGER tidy AFTER UPDATE OF fax ON clients BEGIN
      UPDATE clients SET home_phone = replace(NEW.fax, '-', '') WHERE id = NEW.id; END`);
    await user.run(`UPDATE clients SET fax = '1-2' WHERE id = '${id}'`);
    expect(await base(id)).toEqual({ fax: null, homePhone: '555-0100' });
  });

  it('captures it also where the trigger runs before the row is written', async () => {
    const [id] = await two();
    await user.run(`CREATE TRIGGER early BEFORE UPDATE OF fax ON clients BEGIN
      UPDATE clients SET home_phone = '9' WHERE id = NEW.id; END`);
    await user.run(`UPDATE clients SET fax = '1-2' WHERE id = '${id}'`);
    expect(await base(id)).toEqual({ fax: null, homePhone: '555-0100' });
  });

  it('refuses what a trigger writes where it could not be captured, and says how to write it', async () => {
    const [id, other] = await two();
    const trigger = (
      condition: string,
    ): string => `CREATE TRIGGER copy AFTER UPDATE ON clients ${condition} BEGIN
      UPDATE clients SET fico = fico + 1 WHERE id = '${other}'; END`;
    await user.run(trigger(''));
    await expect(user.run(`UPDATE clients SET fax = '1' WHERE id = '${id}'`)).rejects.toThrow(
      /WHEN NEW._revision = OLD._revision/,
    );
    expect([await base(id), await base(other)]).toEqual([null, null]);
    await user.run('DROP TRIGGER copy');
    await user.run(trigger('WHEN NEW._revision = OLD._revision'));
    await user.run(`UPDATE clients SET fax = '1' WHERE id = '${id}'`);
    expect(await base(id)).toEqual({ fax: null });
    expect(await base(other)).toMatchObject({ fico: 2 });
  });

  it('recovers from a trigger of the user that fails halfway', async () => {
    const [id] = await two();
    await user.run(`CREATE TRIGGER halfway AFTER UPDATE ON clients WHEN NEW._base IS NOT NULL BEGIN
      SELECT RAISE(FAIL, 'halfway'); END`);
    await expect(user.run(`UPDATE clients SET fax = '1' WHERE id = '${id}'`)).rejects.toThrow('halfway');
    expect(await base(id)).toEqual({ fax: null });
    await user.run('DROP TRIGGER halfway');
    await warehouse.commit([rowsWrite([client()])]);
    await user.run(`UPDATE clients SET fico = 3 WHERE id = '${id}'`);
    expect(await base(id)).toEqual({ fax: null, fico: 1 });
  });

  it('does the same with recursive triggers', async () => {
    const [id] = await two();
    await user.run('PRAGMA recursive_triggers = ON');
    await user.run(`UPDATE clients SET fico = 5 WHERE id = '${id}'`);
    expect(await base(id)).toEqual({ fico: 1 });
    await expect(
      user.run(`REPLACE INTO clients (id, email, first_name, last_name) VALUES ('${id}', ${required})`),
    ).rejects.toThrow(/use UPDATE/);
  });

  it('names the rule in the message of a CHECK', async () => {
    await two();
    await expect(user.run("UPDATE clients SET fico = 'abc'")).rejects.toThrow(
      /fico must be a whole number or NULL/,
    );
    await expect(user.run('UPDATE clients SET total_income = 9e999')).rejects.toThrow(
      /total_income must be a finite number or NULL/,
    );
    await expect(user.run("UPDATE clients SET first_name = x'00'")).rejects.toThrow(
      /first_name must be text or NULL/,
    );
  });

  it('sees through U+0000 in an email', async () => {
    await two();
    await expect(user.run("UPDATE clients SET email = 'a@b.co' || char(0) || ' '")).rejects.toThrow(
      /email must look like/,
    );
  });

  it('keeps U+0000 of an old value', async () => {
    const row = client();
    const values = row.values.map((value) => (value === 'Ann' ? 'A\0n"' : value));
    await warehouse.commit([rowsWrite([{ ...row, values }])]);
    await user.run("UPDATE clients SET first_name = 'B'");
    expect(await base(row.id)).toEqual({ firstName: 'A\0n"' });
    await user.run("UPDATE clients SET last_name = 'C'");
    expect(await base(row.id)).toEqual({ firstName: 'A\0n"', lastName: 'Lee' });
  });
});
