import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { isSyncError } from '../../../src/errors.ts';
import { statement } from '../../../src/warehouse/warehouse.ts';
import { describePostgres } from '../../support/postgresWarehouse.ts';
import { AT, client, day, refetches, writeRows } from './sample.ts';

const postgres = describePostgres();
beforeAll(postgres.begin);
afterAll(postgres.end);

describe('a write of rows', () => {
  it('cuts a stamp to microseconds for the eyes and keeps it whole for comparing', async () => {
    const test = await postgres.make();
    const warehouse = await test.open();
    const user = await test.client();
    const updatedOn = '9999-12-31T23:59:59.9999999Z';
    await writeRows(warehouse, [client({ updatedOn })]);
    expect((await user.query('SELECT updated_on, _updated_on FROM clients')).rows).toEqual([
      { updated_on: '9999-12-31T23:59:59.9999990Z', _updated_on: updatedOn },
    ]);
    await warehouse.close();
    await test.dispose();
  });

  it('neither locks nor writes a row that is the same', async () => {
    const test = await postgres.make();
    const warehouse = await test.open();
    const user = await test.client();
    const rows = [
      client({ totalIncome: 0.1, contactAddress: { city: 'Rome', zipCode: null }, extra: [1.0, 2e300] }),
    ];
    await writeRows(warehouse, rows);
    const look = 'SELECT ctid::text, xmin::text, xmax::text FROM clients';
    const before = (await user.query(look)).rows;
    expect(await writeRows(warehouse, rows)).toEqual({ inserted: 0, updated: 0, unchanged: 1, deferred: 0 });
    expect((await user.query(look)).rows).toEqual(before);
    await warehouse.close();
    await test.dispose();
  });

  it.each(['new', 'newer'])(
    'takes known and held rows among new ones behind a page of %s ones, before the rest of the commit',
    async (what) => {
      const test = await postgres.make();
      const warehouse = await test.open();
      const user = await test.client();
      const [newer, same, held] = [client(), client(), client()];
      const noted = await warehouse.revision();
      const other = client();
      await writeRows(warehouse, [newer, same, held, other]);
      if (what === 'newer') await writeRows(warehouse, [client({ id: other.id, updatedOn: day(1) })]);
      await user.query(`BEGIN; UPDATE clients SET fax = '1' WHERE id = '${held.id}'`);
      const rows = [newer, held].map(({ id }) => client({ id, updatedOn: day(1) }));
      const [result, listed] = await warehouse.commit([
        { kind: 'rows', rows: [...rows, same, client(), client()], noted, at: AT, trust: 'list' },
        statement('SELECT id FROM mirror_refetch'),
      ]);
      expect(result).toEqual({ inserted: 2, updated: 1, unchanged: 1, deferred: 1 });
      expect(listed).toMatchObject({ rows: [{ id: held.id }] });
      await user.query('ROLLBACK');
      expect(await writeRows(warehouse, rows)).toMatchObject({ updated: 1, unchanged: 1 });
      await warehouse.close();
      await test.dispose();
    },
  );

  it.each(['mixed', 'newer'])(
    'leaves a row that a user holds to mirror_refetch and writes the rest at once, behind a %s page',
    async (what) => {
      const test = await postgres.make();
      // A single wait for a lock would be too long.
      const warehouse = await test.openWith({ lockTimeoutMs: 200 });
      const user = await test.client();
      const ids = [randomUUID(), randomUUID(), randomUUID()];
      await writeRows(
        warehouse,
        ids.map((id) => client({ id })),
      );
      const other = client();
      await writeRows(warehouse, [other, client({ id: ids[0] })]);
      if (what === 'newer') await writeRows(warehouse, [client({ id: other.id, updatedOn: day(1) })]);
      await user.query(`BEGIN; UPDATE clients SET fax = '1' WHERE id = '${ids[1]}'`);
      const result = await writeRows(
        warehouse,
        ids.map((id) => client({ id, updatedOn: day(1) })),
      );
      expect(result).toEqual({ inserted: 0, updated: 2, unchanged: 0, deferred: 1 });
      expect(await refetches(warehouse)).toEqual({ [String(ids[1])]: 'locked' });
      await user.query('COMMIT');
      expect((await user.query('SELECT fax FROM clients WHERE _base IS NOT NULL')).rows).toEqual([
        { fax: '1' },
      ]);
      await warehouse.close();
      await test.dispose();
    },
  );

  it("does not wait for a user's foreign keys on clients, nor they for it", async () => {
    const test = await postgres.make();
    const warehouse = await test.open();
    const user = await test.client();
    const id = randomUUID();
    await writeRows(warehouse, [client({ id })]);
    await user.query('CREATE TABLE notes (client uuid REFERENCES clients)');
    await user.query(`BEGIN; INSERT INTO notes VALUES ('${id}')`);
    expect(await writeRows(warehouse, [client({ id, updatedOn: day(1) })])).toMatchObject({ updated: 1 });
    await user.query('COMMIT');
    await warehouse.close();
    await test.dispose();
  });

  it.each(['mixed', 'newer'])(
    'holds nothing that a user wants while it waits for an id that the user is inserting, behind a %s page',
    async (what) => {
      const test = await postgres.make();
      const warehouse = await test.openWith({ lockTimeoutMs: 1_500 });
      const [user, watcher] = [await test.client(), await test.client()];
      const [known, unknown] = [randomUUID(), randomUUID()];
      const other = client();
      await writeRows(warehouse, [client({ id: known }), other]);
      if (what === 'newer') await writeRows(warehouse, [client({ id: other.id, updatedOn: day(1) })]);
      await user.query(
        `BEGIN; INSERT INTO clients (id, email, first_name, last_name) VALUES ('${unknown}', 'u@example.com', 'U', 'U')`,
      );
      const writing = writeRows(warehouse, [
        client({ id: unknown }),
        client({ id: known, updatedOn: day(1) }),
      ]).catch((error: unknown) => error);
      await waitsForLock(watcher);
      // Would deadlock, and Postgres might choose the user, if the page had locked the known row first.
      await user.query(`SET LOCAL lock_timeout = 150; UPDATE clients SET fax = '1' WHERE id = '${known}'`);
      expect(isSyncError(await writing, 'WAREHOUSE_BUSY')).toBe(true);
      await user.query('COMMIT');
      await warehouse.close();
      await test.dispose();
    },
  );

  it('takes out again what a user deleted between its view and its insert', async () => {
    const test = await postgres.make();
    const warehouse = await test.open();
    const user = await test.client();
    const id = randomUUID();
    // Another process of ours inserted the id and a user deleted it, all while this insert was waiting.
    await user.query(`CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO mirror_deletes (id, values_json, at) VALUES (NEW.id::text, '{}', 'now'); RETURN NEW; END $$;
      CREATE TRIGGER late BEFORE INSERT ON clients FOR EACH ROW EXECUTE FUNCTION late()`);
    await user.query(`ALTER FUNCTION late() SET search_path = "${test.schema}"`);
    await writeRows(warehouse, [client({ id })]);
    expect((await user.query('SELECT id FROM clients')).rows).toEqual([]);
    expect((await user.query('SELECT id FROM mirror_deletes')).rows).toEqual([{ id }]);
    await warehouse.close();
    await test.dispose();
  });

  it('leaves a row alone that has come back from a refused delete, which is to be tried again', async () => {
    const test = await postgres.make();
    const warehouse = await test.openWith({ lockTimeoutMs: 100 });
    const user = await test.client();
    const [back, held] = [client(), client()];
    await writeRows(warehouse, [back, held]);
    const deletes = [back, held].map(({ id }) => `('${id}', '{}', 'now')`);
    await user.query(`INSERT INTO mirror_deletes (id, values_json, at) VALUES ${deletes}`);
    await user.query(
      `CREATE TABLE notes (client uuid REFERENCES clients); INSERT INTO notes VALUES ('${back.id}')`,
    );
    await user.query(`BEGIN; SELECT 1 FROM clients WHERE id = '${held.id}' FOR UPDATE`);
    const rows = [client({ id: back.id, updatedOn: day(1) }), held, client()];
    expect(await writeRows(warehouse, rows)).toEqual({ inserted: 1, updated: 1, unchanged: 1, deferred: 0 });
    await user.query('COMMIT');
    expect((await user.query('SELECT id FROM clients')).rows).toHaveLength(3);
    await warehouse.close();
    await test.dispose();
  });

  it('guesses once, also where other pages tell meanwhile that all are new', async () => {
    const test = await postgres.make();
    const other = await test.open();
    const undated = client({ createdOn: null });
    await writeRows(other, [undated]);
    let waits = 0;
    const warehouse = await test.openWith({
      clock: {
        ...systemClock,
        async sleep() {
          waits += 1;
          await writeRows(warehouse, [client()]);
        },
      },
    });
    await writeRows(warehouse, [client()]);
    const createdOn = '2024-02-01T00:00:00Z';
    const dated = client({ id: undated.id, createdOn, updatedOn: day(1) });
    expect(await writeRows(warehouse, [client({ createdOn }), dated])).toMatchObject({
      inserted: 1,
      updated: 1,
    });
    expect(waits).toBe(1);
    await warehouse.close();
    await other.close();
    await test.dispose();
  });

  it('reads no table through although it has no statistics', async () => {
    const test = await postgres.make();
    const warehouse = await test.open();
    const user = await test.client();
    await user.query('ALTER TABLE clients SET (autovacuum_enabled = off)');
    for (let page = 0; page < 4; page += 1) {
      await writeRows(
        warehouse,
        Array.from({ length: 300 }, (_, n) => client({ externalId: `${page}-${n}` })),
      );
    }
    // A connection reports what it did when it ends.
    await warehouse.close();
    const sql = "SELECT seq_scan, n_tup_ins FROM pg_stat_user_tables WHERE relid = 'clients'::regclass";
    const seen = async () => (await user.query(sql)).rows[0];
    await expect.poll(async () => (await seen()).n_tup_ins).toBe(1_200);
    // Each index that the migration made read the empty table.
    expect((await seen()).seq_scan).toBeLessThanOrEqual(8);
    await test.dispose();
  });
});

describe('a believed older row', () => {
  it('does not undo what was written since it was asked for', async () => {
    const test = await postgres.make();
    const warehouse = await test.open();
    const id = randomUUID();
    await writeRows(warehouse, [client({ id, updatedOn: day(2) })]);
    const noted = await warehouse.revision();
    await writeRows(warehouse, [client({ id, updatedOn: day(3) })]);
    const restored = client({ id, updatedOn: day(1) });
    expect(await writeRows(warehouse, [restored], { noted, trust: 'believed' })).toMatchObject({
      deferred: 1,
    });
    expect(await writeRows(warehouse, [restored], { trust: 'believed' })).toMatchObject({ updated: 1 });
    await warehouse.close();
    await test.dispose();
  });
});

describe('pages beside users', () => {
  it('makes no user wait long, harms none of their transactions and loses none of their edits', async () => {
    const test = await postgres.make();
    const warehouse = await test.open();
    const ids = Array.from({ length: 60 }, () => randomUUID()).sort();
    await writeRows(
      warehouse,
      ids.map((id) => client({ id })),
    );
    let running = true;
    let slowestMs = 0;
    const edits = new Map<string, string>();
    const edit = async (number: number): Promise<void> => {
      const user = await test.client();
      for (let round = 0; running; round += 1) {
        // In the order of ids, so that users never deadlock with one another.
        const mine = ids.filter((_, index) => (index * 7 + round * 13 + number) % 20 === 0);
        await user.query('BEGIN');
        for (const id of mine) {
          const begun = performance.now();
          await user.query('UPDATE clients SET fax = $1 WHERE id = $2', [`${number}.${round}`, id]);
          edits.set(id, `${number}.${round}`);
          slowestMs = Math.max(slowestMs, performance.now() - begun);
        }
        await user.query('COMMIT');
        await user.query("UPDATE clients SET fax = NULL WHERE id = '00000000-0000-0000-0000-000000000000'");
      }
    };
    const users = Array.from({ length: 8 }, (_, number) => edit(number));
    const totals = { updated: 0, deferred: 0 };
    for (let page = 1; page <= 25; page += 1) {
      // Against the order of ids, and from two processes at once.
      const rows = [...ids]
        .reverse()
        .map((id) => client({ id, updatedOn: day(page), homePhone: String(page) }));
      const results = await Promise.all([writeRows(warehouse, rows), writeRows(warehouse, rows)]);
      for (const result of results) {
        totals.updated += result.updated;
        totals.deferred += result.deferred;
        expect(result.inserted + result.updated + result.unchanged + result.deferred).toBe(ids.length);
      }
    }
    running = false;
    await Promise.all(users);
    const [user] = [await test.client()];
    const stored = (await user.query('SELECT id, fax, _base FROM clients WHERE fax IS NOT NULL')).rows;
    expect(stored.map((row) => row.id).sort()).toEqual([...edits.keys()].sort());
    for (const row of stored) expect(JSON.parse(row._base)).toHaveProperty('fax');
    expect(totals.deferred).toBeGreaterThan(0);
    expect(slowestMs).toBeLessThan(5_000);
    await warehouse.close();
    await test.dispose();
  });
});

describe('a write of tombstones', () => {
  it('leaves rows alone that a user holds, has edited, or that were written since', async () => {
    const test = await postgres.make();
    const warehouse = await test.open();
    const [user, other] = [await test.client(), await test.client()];
    const ids = [randomUUID(), randomUUID(), randomUUID(), randomUUID()];
    await writeRows(
      warehouse,
      ids.map((id) => client({ id })),
    );
    const noted = await warehouse.revision();
    await writeRows(warehouse, [client({ id: ids[0], updatedOn: day(1) })]);
    await other.query(`UPDATE clients SET fax = '1' WHERE id = '${ids[1]}'`);
    await user.query(`BEGIN; SELECT 1 FROM clients WHERE id = '${ids[2]}' FOR UPDATE`);
    const [result] = await warehouse.commit([{ kind: 'tombstone', ids, noted, at: AT }]);
    expect(result).toMatchObject({ count: 1 });
    await user.query('COMMIT');
    expect(
      (await user.query('SELECT id, _deleted_at FROM clients WHERE _deleted_at IS NOT NULL')).rows,
    ).toEqual([{ id: ids[3], _deleted_at: AT }]);
    await warehouse.close();
    await test.dispose();
  });
});

async function waitsForLock(watcher: {
  query(sql: string): Promise<{ rows: { n: number }[] }>;
}): Promise<void> {
  const sql =
    "SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
  await expect.poll(async () => (await watcher.query(sql)).rows[0]?.n, { interval: 5 }).toBeGreaterThan(0);
}
