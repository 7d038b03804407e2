/**
 * Postgres warehouses for tests: one database a test file, one schema a warehouse, and connections as users of the
 * mirror have them, with nothing but the schema in their path.
 */
import { Client, type ClientConfig } from 'pg';
import { systemClock } from '../../src/clock.ts';
import { type OpenOptions, openWarehouse } from '../../src/warehouse/open.ts';
import { TYPES } from '../../src/warehouse/postgres/values.ts';
import type { Warehouse } from '../../src/warehouse/warehouse.ts';
import type { TestWarehouse, UserConnection } from '../contract/warehouse.ts';
import { createTestDatabase, type TestDatabase } from './postgres.ts';

export interface PostgresTestWarehouse extends TestWarehouse {
  readonly url: string;
  readonly schema: string;
  openWith(options: Partial<OpenOptions>): ReturnType<typeof openWarehouse>;
  /** As userConnection, with pg's own client: for transactions and NOTIFY. */
  client(config?: ClientConfig): Promise<Client>;
}

/** Makes the schema's clock, by which leases go, show what it is told. */
async function takeClock(user: Client): Promise<(nowMs: number) => Promise<unknown>> {
  await user.query(`CREATE TABLE test_clock (ms bigint); CREATE OR REPLACE FUNCTION mirror_now_ms() RETURNS bigint
    LANGUAGE sql VOLATILE AS 'SELECT max(ms) FROM test_clock'`);
  return (nowMs) => user.query('INSERT INTO test_clock VALUES ($1)', [nowMs]);
}

function withClock(warehouse: Warehouse, tick: () => Promise<unknown>): Warehouse {
  return {
    ...warehouse,
    async acquireLease(name, ttlMs) {
      await tick();
      return warehouse.acquireLease(name, ttlMs);
    },
    async renewLease(lease, ttlMs) {
      await tick();
      return warehouse.renewLease(lease, ttlMs);
    },
  };
}

export function describePostgres() {
  let database: TestDatabase | null = null;
  let count = 0;
  return {
    async begin(): Promise<void> {
      database = await createTestDatabase();
    },
    async end(): Promise<void> {
      await database?.drop();
    },
    async make(): Promise<PostgresTestWarehouse> {
      if (database === null) throw new Error('call begin first');
      const { url } = database;
      count += 1;
      const schema = `Mirror ${count}`;
      const open: Client[] = [];
      let clock: Promise<(nowMs: number) => Promise<unknown>> | null = null;
      const client = async (config: ClientConfig = {}): Promise<Client> => {
        const made = new Client({ connectionString: url, types: TYPES, ...config });
        made.on('error', () => undefined);
        await made.connect();
        await made.query(`CREATE SCHEMA IF NOT EXISTS "${schema}"; SET search_path = "${schema}"`);
        open.push(made);
        return made;
      };
      const openWith = (options: Partial<OpenOptions>) =>
        openWarehouse({ url, schema, clock: systemClock, ...options });
      return {
        url,
        schema,
        client,
        openWith,
        async open({ now, ...options } = {}) {
          const warehouse = await openWith(options);
          if (now === undefined) return warehouse;
          clock ??= client({ pipeline: true }).then(takeClock);
          const setClock = await clock;
          return withClock(warehouse, () => setClock(now()));
        },
        async userConnection(): Promise<UserConnection> {
          const user = await client();
          return {
            run: async (sql) => (await user.query(sql)).rows,
            close: () => user.end(),
          };
        },
        async dispose() {
          await Promise.all(open.map((one) => one.end().catch(() => undefined)));
        },
      };
    },
  };
}
