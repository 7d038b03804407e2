/**
 * Connections and transactions. A unit of work takes one connection of the pool and passes it on; its statements are
 * sent without waiting for one another, so that a read costs one round trip. A commit costs three: BEGIN is waited for,
 * because were it refused (by a pooler without a server to give) what is sent behind it would be committed each by
 * itself; and the answers are judged before COMMIT.
 *
 * No session state, for a pooler in transaction mode would mix it up: unnamed statements, and every setting is
 * `SET LOCAL`. Deadlock with a user is excluded by patience: we wait for a lock for less time than Postgres
 * waits before it looks for a deadlock (one second), so it is we who give way, and try again.
 */
import pg from 'pg';
import type { Clock } from '../../clock.ts';
import { SyncError } from '../../errors.ts';
import { isCollision, toSyncError } from './failures.ts';
import { quoteName, TYPES } from './values.ts';

export interface ConnectionOptions {
  readonly url: string;
  readonly schema: string;
  readonly clock: Clock;
  /** In all, over several attempts, in milliseconds. */
  readonly lockTimeoutMs?: number;
}

export interface Answer {
  readonly rows: readonly Readonly<Record<string, string | number | null>>[];
  readonly count: number;
}

/** Sends a statement at once; the answers come in the order of sending. */
export type Send = (sql: string, params?: readonly unknown[]) => Promise<Answer>;

export interface Connection {
  /** `postgres://user@host:port/database`, with the schema where it is not `public`. */
  readonly label: string;
  readonly schema: string;
  /** One transaction that reads. */
  read(sql: string, params: readonly unknown[]): Promise<Answer>;
  /**
   * One transaction that writes: committed when `body` returns, rolled back when it throws, run again after a
   * collision with another transaction; attempts are counted from 1. What `body` sends before it awaits anything costs
   * one round trip.
   */
  write<T>(body: (send: Send, attempt: number) => Promise<T>): Promise<T>;
  /** The same for a migration, which may wait longer for a lock. */
  migrate<T>(body: (send: Send) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

const POOL_MAX = 16;
const CONNECT_TIMEOUT_MS = 15_000;
const STATEMENT_TIMEOUT_MS = 120_000;
/** A paused process gives its locks back after this long. */
const IDLE_TIMEOUT_MS = 10_000;
/** Below Postgres' deadlock_timeout of 1 s. */
const ONE_WAIT_MS = 400;
const PATIENCE_MS = 5_000;
/**
 * The triggers know our own writes by `mirror.own`. A table that grows fast has no statistics yet, and the planner
 * then takes every row for a pending create and reads the whole table for each page; and it compiles plans
 * that run for milliseconds. Where no index fits, a table is still read through. Plans are made without looking at
 * the parameters: a page's arrays are half a megabyte, which the planner would copy again and again.
 */
const BEGIN_WRITE = [
  'BEGIN ISOLATION LEVEL READ COMMITTED',
  "SET LOCAL mirror.own = 'on'",
  'SET LOCAL enable_seqscan = off',
  'SET LOCAL jit = off',
  'SET LOCAL plan_cache_mode = force_generic_plan',
].join('; ');
/** Longer than the server's own limit: for a server that answers no more. */
const ANSWER_TIMEOUT_MS = STATEMENT_TIMEOUT_MS + 30_000;

/**
 * Opens the pool; connects with the first statement.
 * @throws SyncError SETTINGS for a URL that cannot be read.
 */
export function createConnection(options: ConnectionOptions): Connection {
  const { pool, label } = createPool(options);
  const oneWaitMs = Math.max(1, Math.min(ONE_WAIT_MS, options.lockTimeoutMs ?? PATIENCE_MS));
  const attempts = Math.max(1, Math.round((options.lockTimeoutMs ?? PATIENCE_MS) / oneWaitMs));
  const settings = settingsFor(options.schema);

  /** Lends a connection, which goes back to the pool without an open transaction or not at all. */
  const lend = async <T>(work: (send: Send) => Promise<T>): Promise<T> => {
    const client = await pool.connect();
    let broken: Error | undefined;
    try {
      return await work(async (sql, params = []) => toAnswer(await client.query(sql, [...params])));
    } catch (error) {
      broken = await rollBack(client);
      throw error;
    } finally {
      client.release(broken);
    }
  };

  const transact = <T>(lockTimeoutMs: number, body: (send: Send) => Promise<T>): Promise<T> =>
    lend(async (send) => {
      await send(`${BEGIN_WRITE}; ${settings(lockTimeoutMs)}`);
      const result = await body(send);
      await send('COMMIT');
      return result;
    });

  const retried = async <T>(run: (attempt: number) => Promise<T>): Promise<T> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await run(attempt);
      } catch (error) {
        if (attempt >= attempts || !isCollision(error)) throw toSyncError(error, label);
        await options.clock.sleep(attempt * 5);
      }
    }
  };

  return {
    label,
    schema: options.schema,
    read: (sql, params) =>
      retried(() =>
        lend(async (send) => {
          // Behind a statement that failed COMMIT rolls back, so it need not wait for the answer.
          const sent = [send(`BEGIN READ ONLY; ${settings(oneWaitMs)}`), send(sql, params), send('COMMIT')];
          return (await inOrder(sent))[1] as Answer;
        }),
      ),
    write: (body) => retried((attempt) => transact(oneWaitMs, (send) => body(send, attempt))),
    migrate: (body) => retried(() => transact(STATEMENT_TIMEOUT_MS, body)),
    close: () => pool.end(),
  };
}

function createPool(options: ConnectionOptions): { pool: pg.Pool; label: string } {
  const config: pg.PoolConfig = {
    connectionString: options.url,
    fallback_application_name: 'clients-mirror',
    max: POOL_MAX,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
    keepAlive: true,
    pipeline: true,
    types: TYPES,
  };
  try {
    const { user, host, port, database } = new pg.Client(config);
    const pool = new pg.Pool(config);
    // A connection that dies while it is idle: the pool drops it, and the next work opens another.
    pool.on('error', () => undefined);
    pool.on('connect', (client) => client.on('error', () => undefined));
    const place = options.schema === 'public' ? '' : `, schema ${options.schema}`;
    return { pool, label: `postgres://${user ?? ''}@${host}:${port}/${database ?? ''}${place}` };
  } catch {
    // The error may quote the URL, and with it the password.
    throw new SyncError('SETTINGS', 'WAREHOUSE_URL is not a readable postgres:// URL');
  }
}

function settingsFor(schema: string): (lockTimeoutMs: number) => string {
  return (lockTimeoutMs) =>
    [
      `SET LOCAL search_path = ${quoteName(schema)}, pg_temp`,
      `SET LOCAL lock_timeout = ${lockTimeoutMs}`,
      `SET LOCAL statement_timeout = ${STATEMENT_TIMEOUT_MS}`,
      `SET LOCAL idle_in_transaction_session_timeout = ${IDLE_TIMEOUT_MS}`,
      "SET LOCAL timezone = 'UTC'",
      "SET LOCAL datestyle = 'ISO'",
      'SET LOCAL extra_float_digits = 1',
    ].join('; ');
}

/** Waits for all, then throws the first error: those behind it only say that the transaction is aborted. */
export async function inOrder<T>(sent: readonly Promise<T>[]): Promise<readonly T[]> {
  const settled = await Promise.allSettled(sent);
  return settled.map((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  });
}

/** @returns an error when the connection is of no use any more. */
async function rollBack(client: pg.PoolClient): Promise<Error | undefined> {
  try {
    await client.query('ROLLBACK');
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function toAnswer(result: pg.QueryResult): Answer {
  return { rows: result.rows, count: result.rowCount ?? 0 };
}
