/**
 * Where a simulated mirror lives: a SQLite file in memory, or a schema of a Postgres. Its users are connections of
 * their own. What a user does is a generator that yields SQL: SQLite plays it in one go, Postgres in one transaction,
 * so that in both a user knows which values a statement of theirs has replaced.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { Client } from 'pg';
import type { Clock } from '../../src/clock.ts';
import { openWarehouse } from '../../src/warehouse/open.ts';
import { TYPES } from '../../src/warehouse/postgres/values.ts';
import type { Warehouse } from '../../src/warehouse/warehouse.ts';
import { startPostgres } from '../support/postgresServer.ts';

export type Row = Readonly<Record<string, string | number | null>>;
/** Yields SQL, is given the rows. */
export type Work<T> = Generator<string, T, readonly Row[]>;

export interface User {
  /** Looks, without a transaction of its own. */
  reads(sql: string): Promise<readonly Row[]>;
  /** All of it in one transaction, or nothing. @throws what the database says. */
  does<T>(work: () => Work<T>): Promise<T>;
  /** A transaction that stays open; its rows are locked until it is ended. */
  begins<T>(work: () => Work<T>): Promise<T>;
  ends(how: 'COMMIT' | 'ROLLBACK'): Promise<void>;
  close(): Promise<void>;
}

export interface Place {
  readonly kind: Warehouse['kind'];
  /** As WAREHOUSE_URL and MIRROR_SCHEMA name it. */
  readonly url: string;
  readonly schema: string;
  open(clock: Clock): Promise<Warehouse>;
  user(): Promise<User>;
  /** Lets the database's own clock, by which claims and leases of several machines go, run ahead. */
  advance(ms: number): Promise<void>;
  close(): Promise<void>;
}

export async function createSqlitePlace(): Promise<Place> {
  const memory = '/dev/shm';
  const folder = mkdtempSync(join(existsSync(memory) ? memory : tmpdir(), 'clients-mirror-'));
  const path = join(folder, 'clients.db');
  const [url, schema] = [`sqlite:${path}`, 'public'];
  return {
    kind: 'sqlite',
    url,
    schema,
    open: (clock) => openWarehouse({ url, schema, clock, lockTimeoutMs: 1 }),
    user: async () => sqliteUser(path),
    advance: async () => undefined,
    close: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

function sqliteUser(path: string): User {
  const db = new Database(path, { timeout: 0 });
  const play = <T>(work: () => Work<T>): T => {
    const playing = work();
    let step = playing.next();
    while (!step.done) {
      const prepared = db.prepare(step.value);
      const rows = prepared.reader ? prepared.all() : [];
      if (!prepared.reader) prepared.run();
      step = playing.next(rows as Row[]);
    }
    return step.value;
  };
  const begins = async <T>(work: () => Work<T>): Promise<T> => {
    db.exec('BEGIN IMMEDIATE');
    try {
      return play(work);
    } catch (error) {
      if (db.inTransaction) db.exec('ROLLBACK');
      throw error;
    }
  };
  return {
    reads: async (sql) => db.prepare(sql).all() as Row[],
    begins,
    does: (work) => {
      // Up to the promise nothing waits: no step of the mirror can come between.
      const done = begins(work);
      if (db.inTransaction) db.exec('COMMIT');
      return done;
    },
    ends: async (how) => {
      if (db.inTransaction) db.exec(how);
    },
    close: async () => {
      db.close();
    },
  };
}

let schemas = 0;

/** @param url of a database in which schemas may be made */
export async function createPostgresPlace(url: string): Promise<Place> {
  schemas += 1;
  const schema = `sim_${process.pid}_${schemas}`;
  const connect = async (): Promise<Client> => {
    const client = new Client({ connectionString: url, types: TYPES });
    client.on('error', () => undefined);
    await client.connect();
    await client.query(`SET search_path = "${schema}"; SET lock_timeout = '100ms'`);
    return client;
  };
  const owner = await connect();
  await owner.query(`CREATE SCHEMA "${schema}"`);
  return {
    kind: 'postgres',
    url,
    schema,
    async open(clock) {
      const warehouse = await openWarehouse({ url, schema, clock });
      await owner.query(`CREATE TABLE IF NOT EXISTS test_ahead (ms bigint);
        CREATE OR REPLACE FUNCTION mirror_now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS
        'SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint + (SELECT coalesce(sum(ms), 0)::bigint FROM test_ahead)'`);
      return warehouse;
    },
    user: async () => postgresUser(await connect()),
    async advance(ms) {
      await owner.query(`INSERT INTO test_ahead VALUES (${Math.round(ms)});
        UPDATE mirror_pushes SET claimed_ms = claimed_ms - ${Math.round(ms)}`);
    },
    async close() {
      await owner.query(`DROP SCHEMA "${schema}" CASCADE`);
      await owner.end();
    },
  };
}

function postgresUser(client: Client): User {
  let isOpen = false;
  let last: Promise<unknown> = Promise.resolve();
  // One person does one thing after another.
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };
  const begins = async <T>(work: () => Work<T>): Promise<T> => {
    await client.query('BEGIN');
    isOpen = true;
    try {
      const playing = work();
      let step = playing.next();
      while (!step.done) step = playing.next((await client.query(step.value)).rows as Row[]);
      return step.value;
    } catch (error) {
      await client.query('ROLLBACK');
      isOpen = false;
      throw error;
    }
  };
  const ends = async (how: 'COMMIT' | 'ROLLBACK') => {
    if (isOpen) await client.query(how);
    isOpen = false;
  };
  return {
    reads: (sql) => inTurn(async () => (await client.query(sql)).rows as Row[]),
    begins: (work) => inTurn(() => begins(work)),
    ends: (how) => inTurn(() => ends(how)),
    does: (work) =>
      inTurn(async () => {
        const done = await begins(work);
        await ends('COMMIT');
        return done;
      }),
    close: () => client.end(),
  };
}

export interface Places {
  make(): Promise<Place>;
  stop(): Promise<void>;
}

/** Places for a run of its own. Postgres: POSTGRES_TEST_URL where it is set, else a server of its own. */
export async function startPlaces(engine: Place['kind']): Promise<Places> {
  if (engine === 'sqlite') return { make: createSqlitePlace, stop: async () => undefined };
  const server = process.env.POSTGRES_TEST_URL ? null : await startPostgres();
  const url = new URL(process.env.POSTGRES_TEST_URL ?? server?.url ?? '');
  const admin = new Client({ connectionString: url.href });
  await admin.connect();
  const name = `simulation_${process.pid}`;
  await admin.query(`CREATE DATABASE ${name}`);
  url.pathname = `/${name}`;
  return {
    make: () => createPostgresPlace(url.href),
    async stop() {
      await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
      await admin.end();
      await server?.stop();
    },
  };
}
