import { randomUUID } from 'node:crypto';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isSyncError, type SyncError } from '../../../src/errors.ts';
import { MIGRATIONS } from '../../../src/warehouse/migrations/migrations.ts';
import { statement, type Warehouse } from '../../../src/warehouse/warehouse.ts';
import { embeddedFolder, PASSWORD_USER, startPostgres } from '../../support/postgresServer.ts';
import { describePostgres } from '../../support/postgresWarehouse.ts';
import { AT, client, day, writeRows } from './sample.ts';

const postgres = describePostgres();
beforeAll(postgres.begin);
afterAll(postgres.end);

const PUT = "INSERT INTO mirror_settings (name, value) VALUES (?, '1')";
const put = (name: string) => statement(PUT, [name]);

async function failure(promise: Promise<unknown>): Promise<SyncError> {
  const error: unknown = await promise.then(
    () => 'no error',
    (thrown: unknown) => thrown,
  );
  if (!isSyncError(error)) throw new Error(`not a SyncError: ${error}`);
  return error;
}

async function names(warehouse: Warehouse): Promise<unknown[]> {
  const rows = await warehouse.read({ sql: 'SELECT name FROM mirror_settings ORDER BY name', params: [] });
  return rows.map((row) => row.name);
}

interface Proxy {
  readonly url: string;
  /** What clients sent so far, as text. */
  sent(): string;
  /** How often a client, told something, has said something. */
  turns(): number;
  /** Cuts every connection as soon as a client sends this text, which does not get through. */
  cutAt(text: string | null): void;
  /** What a client sends gets through with this text made nonsense. */
  spoil(text: string): void;
  close(): void;
}

/** A wire between driver and server that can be listened to and cut. */
async function createProxy(target: string): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let sent = '';
  let trap: string | null = null;
  let spoilt: string | null = null;
  let [turns, isAnswered] = [0, true];
  const server: Server = createServer((near) => {
    const far = connect(Number(new URL(target).port), '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    near.on('data', (data) => {
      const text = data.toString('latin1');
      sent += text;
      if (isAnswered) turns += 1;
      isAnswered = false;
      if (trap !== null && text.includes(trap)) {
        for (const socket of sockets) socket.destroy();
      } else if (spoilt === null) far.write(data);
      else far.write(text.replaceAll(spoilt, 'x'.repeat(spoilt.length)), 'latin1');
    });
    far.on('data', (data) => {
      isAnswered = true;
      near.write(data);
    });
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address() as { port: number };
  const through = new URL(target);
  through.port = String(address.port);
  return {
    url: through.href,
    sent: () => sent,
    turns: () => turns,
    cutAt: (text) => {
      trap = text;
    },
    spoil(text) {
      spoilt = text;
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

describe('a connection', () => {
  it('that is refused is told with host, port and database, and without the password', async () => {
    const test = await postgres.make();
    const error = await failure(test.openWith({ url: 'postgres://ann:s3cret@127.0.0.1:1/crm' }));
    expect(error.code).toBe('WAREHOUSE_AWAY');
    expect(error.message).toContain('postgres://ann@127.0.0.1:1/crm');
    expect(`${error.message} ${error.hint} ${JSON.stringify(error)} ${error.stack}`).not.toContain('s3cret');
    const unknown = await failure(test.openWith({ url: 'postgres://ann:s3cret@no-such-host.invalid/crm' }));
    expect(unknown.code).toBe('WAREHOUSE_AWAY');
    const unreadable = await failure(test.openWith({ url: 'postgres://ann:s3cret@:x:/crm' }));
    expect(unreadable.code).toBe('SETTINGS');
    expect(`${unreadable.message} ${unreadable.stack}`).not.toContain('s3cret');
  });

  it.skipIf(process.env.POSTGRES_TEST_URL)('with a wrong password says so, and not which', async () => {
    const test = await postgres.make();
    const user = await test.client();
    await user.query(`CREATE ROLE ${PASSWORD_USER} LOGIN PASSWORD 'right'`);
    const url = new URL(test.url);
    url.username = PASSWORD_USER;
    url.password = 'wr0ng';
    const error = await failure(test.openWith({ url: url.href }));
    expect(error.code).toBe('WAREHOUSE_AWAY');
    expect(error.message).toContain('password');
    expect(error.message).not.toContain('wr0ng');
    // The right password, but no right to make tables.
    url.password = 'right';
    const denied = await failure(test.openWith({ url: url.href, schema: 'public' }));
    expect(denied.code).toBe('WAREHOUSE_UNWRITABLE');
    await user.query(`DROP ROLE ${PASSWORD_USER}`);
    await test.dispose();
  });

  it('to a database that is not there says so', async () => {
    const test = await postgres.make();
    const url = new URL(test.url);
    url.pathname = '/nowhere';
    expect(await failure(test.openWith({ url: url.href }))).toMatchObject({
      code: 'WAREHOUSE_AWAY',
      message: expect.stringContaining('no such database'),
    });
  });

  it('that is cut before COMMIT leaves nothing half done, and the next call connects anew', async () => {
    const test = await postgres.make();
    const proxy = await createProxy(test.url);
    const warehouse = await test.openWith({ url: proxy.url });
    proxy.cutAt('COMMIT');
    expect((await failure(warehouse.commit([put('a'), put('b')]))).code).toBe('WAREHOUSE_AWAY');
    proxy.cutAt(null);
    expect(await names(warehouse)).toEqual([]);
    await warehouse.commit([put('c')]);
    expect(await names(warehouse)).toEqual(['c']);
    await warehouse.close();
    proxy.close();
  });

  it('that the server ends while it is idle or at work harms no later call', async () => {
    const test = await postgres.make();
    const warehouse = await test.openWith({ lockTimeoutMs: 10_000 });
    const user = await test.client();
    // Its own connection: within a transaction pg_stat_activity shows what it showed at the first look.
    const killer = await test.client();
    const kill = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = 'clients-mirror' AND datname = current_database() AND query LIKE $1`;
    await warehouse.commit([put('a')]);
    await killer.query(kill, ['%']);
    await expect.poll(() => names(warehouse).catch(() => null)).toEqual(['a']);
    await user.query('BEGIN; LOCK TABLE mirror_settings');
    const writing = failure(warehouse.commit([put('b')]));
    await expect
      .poll(async () => (await killer.query(kill, ['INSERT INTO mirror_settings%'])).rows.length)
      .toBe(1);
    expect((await writing).code).toBe('WAREHOUSE_AWAY');
    await user.query('COMMIT');
    await warehouse.commit([put('c')]);
    expect(await names(warehouse)).toEqual(['a', 'c']);
    await warehouse.close();
    await test.dispose();
  });

  it('leaves no state in a session, so that a transaction pooler may stand between', async () => {
    const test = await postgres.make();
    await (await test.open()).close();
    const proxy = await createProxy(test.url);
    const warehouse = await test.openWith({ url: proxy.url });
    const lease = await warehouse.acquireLease('pull', 1_000);
    await writeRows(warehouse, [client()]);
    await warehouse.commit([put('a')], lease ?? undefined);
    await warehouse.revision();
    const sent = proxy.sent();
    expect(sent).toContain('SET LOCAL');
    expect(sent).not.toMatch(/(;\s*|Q[\s\S]{4})SET (?!LOCAL)/);
    expect(sent).not.toMatch(/\b(LISTEN|PREPARE|DECLARE|pg_advisory_lock|CREATE TEMP)\b/);
    // A named statement has its name behind the message's length.
    expect(sent).not.toMatch(/P[\s\S]{4}[a-z][^\0]*\0(SELECT|INSERT|WITH|UPDATE)/);
    await warehouse.close();
    proxy.close();
  });
});

describe('a commit', () => {
  it.each([
    ['53100', 'WAREHOUSE_FULL'],
    ['25006', 'WAREHOUSE_UNWRITABLE'],
    ['42501', 'WAREHOUSE_UNWRITABLE'],
    ['40001', 'WAREHOUSE_BUSY'],
    ['40P01', 'WAREHOUSE_BUSY'],
    ['57014', 'WAREHOUSE_BUSY'],
    ['XX000', 'WAREHOUSE_FAILED'],
  ])('that fails with SQLSTATE %s throws %s and does nothing', async (state, code) => {
    const test = await postgres.make();
    const warehouse = await test.openWith({ lockTimeoutMs: 800 });
    const user = await test.client();
    await user.query(`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION USING ERRCODE = '${state}', MESSAGE = 'so it is'; END $$;
      CREATE TRIGGER fail BEFORE INSERT ON mirror_places FOR EACH ROW EXECUTE FUNCTION fail()`);
    const writes = [
      put('a'),
      statement("INSERT INTO mirror_places (stream, seen, at_ms) VALUES ('u', 0, 0)"),
      put('b'),
    ];
    expect((await failure(warehouse.commit(writes))).code).toBe(code);
    expect(await names(warehouse)).toEqual([]);
    await warehouse.close();
    await test.dispose();
  });

  it('that collides is done again until it gets through', async () => {
    const test = await postgres.make();
    const warehouse = await test.open();
    const user = await test.client();
    await user.query(`CREATE SEQUENCE tries; CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN IF nextval('tries') < 4 THEN RAISE EXCEPTION USING ERRCODE = '40P01'; END IF; RETURN NEW; END $$;
      CREATE TRIGGER fail BEFORE INSERT ON mirror_settings FOR EACH ROW EXECUTE FUNCTION fail()`);
    await warehouse.commit([put('a')]);
    expect(await names(warehouse)).toEqual(['a']);
    await warehouse.close();
    await test.dispose();
  });

  it('gives up after its patience where a lock is never freed, and does nothing', async () => {
    const test = await postgres.make();
    const warehouse = await test.openWith({ lockTimeoutMs: 100 });
    const user = await test.client();
    await user.query('BEGIN; LOCK TABLE mirror_settings IN EXCLUSIVE MODE');
    expect((await failure(warehouse.commit([put('a')]))).code).toBe('WAREHOUSE_BUSY');
    await user.query('COMMIT');
    expect(await names(warehouse)).toEqual([]);
    await warehouse.close();
    await test.dispose();
  });

  it('whose BEGIN is refused writes nothing, though the session goes on', async () => {
    const test = await postgres.make();
    const reader = await test.open();
    const proxy = await createProxy(test.url);
    // As in the schema public, the tables are found without the settings of the transaction.
    const url = `${proxy.url}?options=${encodeURIComponent(`-c search_path="${test.schema.replace(' ', '\\ ')}"`)}`;
    const warehouse = await test.openWith({ url });
    await warehouse.commit([put('a')]);
    proxy.spoil('BEGIN ISOLATION');
    expect((await failure(warehouse.commit([put('b'), put('c')]))).code).toBe('WAREHOUSE_FAILED');
    expect(await names(reader)).toEqual(['a']);
    await warehouse.close();
    await reader.close();
    proxy.close();
    await test.dispose();
  });

  it.each(['new', 'newer'])(
    'of many small writes of rows waits for none of them, behind a page of %s ones',
    async (what) => {
      const test = await postgres.make();
      await (await test.open()).close();
      const proxy = await createProxy(test.url);
      const warehouse = await test.openWith({ url: proxy.url });
      const rows = Array.from({ length: 30 }, () => client());
      await writeRows(warehouse, rows);
      const newer = rows.map(({ id }) => client({ id, updatedOn: day(1) }));
      if (what === 'newer') await writeRows(warehouse, newer.splice(0, 1));
      const noted = await warehouse.revision();
      const before = proxy.turns();
      const results = await warehouse.commit(
        newer.flatMap((row) => [
          { kind: 'rows', rows: [row], noted, at: AT, trust: 'list' },
          statement('DELETE FROM mirror_refetch WHERE id = ?', [row.id]),
        ]),
      );
      expect(results[0]).toMatchObject({ updated: 1 });
      // What is sent at once may come in pieces.
      expect(proxy.turns() - before).toBeLessThan(10);
      await warehouse.close();
      proxy.close();
      await test.dispose();
    },
  );

  it('under a lease waits for nobody of its own, and keeps a successor out until it ends', async () => {
    const test = await postgres.make();
    const [first, second] = [await test.openWith({ holder: 'a 1' }), await test.openWith({ holder: 'b 2' })];
    const user = await test.client();
    const lease = await first.acquireLease('pull', 1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    const sleep = statement('SELECT pg_sleep(0.7)::text AS slept');
    const slow = first.commit([put('slow'), sleep], lease ?? undefined);
    const asleep = `SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()`;
    await expect.poll(async () => (await user.query(asleep)).rows.length, { interval: 5 }).toBe(1);
    // Its own other commits share the fence.
    const quick = statement("INSERT INTO mirror_ids (local_id, id) VALUES ('x', 'y')");
    await first.commit([quick], lease ?? undefined);
    expect((await user.query(asleep)).rows).toHaveLength(1);
    const taken = await second.acquireLease('pull', 10_000);
    // What the last holder had under way is there: it was waited for.
    expect(await names(second)).toEqual(['slow']);
    await slow;
    expect(taken).toMatchObject({ fence: 2 });
    expect((await failure(first.commit([put('late')], lease ?? undefined))).code).toBe('LEASE_LOST');
    expect(await names(second)).toEqual(['slow']);
    await first.close();
    await second.close();
    await test.dispose();
  });
});

describe('openPostgres', () => {
  it('makes the schema once, however many processes start together', async () => {
    const test = await postgres.make();
    const all = await Promise.all(Array.from({ length: 8 }, () => test.open()));
    expect(await all[0]?.read({ sql: 'SELECT count(*) AS n FROM mirror_migrations', params: [] })).toEqual([
      { n: MIGRATIONS.length },
    ]);
    await Promise.all(all.map((one) => one.close()));
  });

  it('touches nothing in a schema that holds a table clients of somebody else', async () => {
    const test = await postgres.make();
    const user = await test.client();
    await user.query(`CREATE TABLE clients (name text)`);
    const error = await failure(test.open());
    expect(error).toMatchObject({ code: 'WAREHOUSE_FOREIGN', exit: 2 });
    const tables = `SELECT count(*) AS n FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = $1`;
    expect((await user.query(tables, [test.schema])).rows).toEqual([{ n: 1 }]);
    await test.dispose();
  });

  it('names the schema where it is not public', async () => {
    const test = await postgres.make();
    const warehouse = await test.open();
    expect(warehouse.label).toMatch(/^postgres:\/\/\w+@[\w.]+:\d+\/mirror_test_\w+, schema Mirror \d+$/);
    await warehouse.close();
  });

  it.skipIf(embeddedFolder() === undefined)('works on the newest Postgres too', async () => {
    const server = await startPostgres(embeddedFolder());
    const test = await postgres.make();
    const warehouse = await test.openWith({ url: server.url, schema: 'new "one"' });
    const id = randomUUID();
    expect(await writeRows(warehouse, [client({ id })])).toMatchObject({ inserted: 1 });
    expect(await writeRows(warehouse, [client({ id, updatedOn: '2025-03-01T00:00:00Z' })])).toMatchObject({
      updated: 1,
    });
    await warehouse.close();
    await server.stop();
  });
});
