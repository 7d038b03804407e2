/**
 * The warehouse on Postgres: several machines, several connections. What a page does is in rows.ts, what a user's
 * edit does in triggers.ts, how a transaction runs in connection.ts; this file joins them to the port.
 */
import { SyncError } from '../../errors.ts';
import type { Habit } from '../decide.ts';
import { POSTGRES } from '../dialect.ts';
import { newHolder } from '../holder.ts';
import { type MigrationRunner, migrate } from '../migrate.ts';
import type { OpenOptions } from '../open.ts';
import type { Warehouse } from '../warehouse.ts';
import { commit } from './commit.ts';
import { type Connection, createConnection, type Send } from './connection.ts';
import { acquireLease, releaseLease, renewLease } from './lease.ts';
import { postgresTriggers } from './triggers.ts';
import { numberParameters, quoteName } from './values.ts';

/** gen_random_uuid without an extension. */
const OLDEST_VERSION = 130_000;

/** The counter as the last number drawn; a sequence that was never used says 1 as well. */
const REVISION = 'SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS value FROM mirror_revision';

/**
 * Connects to the database that the URL names and brings its schema up to date.
 * @throws SyncError WAREHOUSE_AWAY, WAREHOUSE_UNWRITABLE, WAREHOUSE_FOREIGN, WAREHOUSE_BUSY, SCHEMA_NEWER, SETTINGS
 */
export async function openPostgres(options: OpenOptions): Promise<Warehouse> {
  const connection = createConnection(options);
  try {
    await migrate(migrationRunner(connection), options.onStep);
  } catch (error) {
    await connection.close();
    throw error;
  }
  return createWarehouse(connection, options.holder ?? newHolder());
}

function createWarehouse(connection: Connection, holder: string): Warehouse {
  const read: Warehouse['read'] = async ({ sql, params }) =>
    (await connection.read(numberParameters(sql), params)).rows;
  const habit: Habit = { page: 'mixed' };
  return {
    kind: 'postgres',
    acceptsNul: false,
    label: connection.label,
    read,
    commit: (writes, lease) =>
      connection.write((send, attempt) => commit(send, { writes, lease, habit, attempt })),
    revision: async () => Number((await connection.read(REVISION, [])).rows[0]?.value),
    acquireLease: (name, ttlMs) => connection.write((send) => acquireLease(send, { name, holder, ttlMs })),
    renewLease: (lease, ttlMs) => connection.write((send) => renewLease(send, lease, ttlMs)),
    releaseLease: (lease) => connection.write((send) => releaseLease(send, lease)),
    close: () => connection.close(),
  };
}

function migrationRunner(connection: Connection): MigrationRunner {
  const { schema, label } = connection;
  // Inside `exclusively` statements go to its transaction, outside each has its own.
  let inside: Send | null = null;
  const read = async (sql: string, params: readonly unknown[] = []) =>
    (await (inside === null ? connection.read(sql, params) : inside(sql, params))).rows;
  return {
    dialect: POSTGRES,
    label,
    triggers: postgresTriggers(schema),
    read: (sql) => read(sql),
    async relations() {
      const sql = `SELECT relname AS name FROM pg_catalog.pg_class
        WHERE relnamespace = to_regnamespace($1) AND relkind IN ('r', 'p', 'v', 'm', 'f')`;
      return (await read(sql, [quoteName(schema)])).map((row) => String(row.name));
    },
    async execute(sql) {
      if (inside === null) throw new Error('a migration runs inside exclusively');
      await inside(sql);
    },
    exclusively: (body) =>
      connection.migrate(async (send) => {
        await prepareSchema(send, schema, label);
        inside = send;
        try {
          await body();
        } finally {
          inside = null;
        }
      }),
  };
}

/** Shuts out other migrators until the transaction ends, and makes the schema where there is none. */
async function prepareSchema(send: Send, schema: string, label: string): Promise<void> {
  // Of the transaction, not of the session: a pooler between us and the server does no harm.
  await send("SELECT pg_advisory_xact_lock(hashtextextended('clients-mirror ' || $1, 0))::text AS locked", [
    schema,
  ]);
  const [server] = (
    await send(
      `SELECT current_setting('server_version_num')::int AS version,
        to_regnamespace($1) IS NULL AS missing`,
      [quoteName(schema)],
    )
  ).rows;
  if (Number(server?.version) < OLDEST_VERSION) {
    throw new SyncError('WAREHOUSE_FAILED', `${label} is too old a server`, {
      hint: 'clients-mirror needs Postgres 13 or newer.',
    });
  }
  if (server?.missing === 1) await send(`CREATE SCHEMA ${quoteName(schema)}`);
}
