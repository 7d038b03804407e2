/**
 * Databases of the run's one Postgres server. Each test file takes its own and drops it at the end, so that
 * files run side by side; within it a test takes a schema.
 */
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { Client, type QueryResult } from 'pg';
import { inject } from 'vitest';

export interface TestDatabase {
  readonly url: string;
  /** Runs SQL as the superuser in a connection of its own. */
  run(sql: string, params?: readonly unknown[]): Promise<QueryResult>;
  /** A connection as a user of the mirror has one; ended with `drop` at the latest. */
  connect(): Promise<Client>;
  drop(): Promise<void>;
}

/** URL of a superuser of the run's server; POSTGRES_TEST_URL where it is set. */
async function postgresUrl(): Promise<string> {
  const given = process.env.POSTGRES_TEST_URL;
  if (given !== undefined && given !== '') return given;
  const answer = JSON.parse(await text(connect(inject('postgresDoor'), '127.0.0.1'))) as {
    url?: string;
    error?: string;
  };
  if (answer.url === undefined) throw new Error(answer.error);
  return answer.url;
}

export async function createTestDatabase(): Promise<TestDatabase> {
  const serverUrl = await postgresUrl();
  const name = `mirror_test_${randomUUID().slice(0, 8)}`;
  await once(serverUrl, `CREATE DATABASE ${name} TEMPLATE template0`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  const open: Client[] = [];
  return {
    url: url.href,
    run: (sql, params) => once(url.href, sql, params),
    async connect() {
      const client = new Client({ connectionString: url.href });
      client.on('error', () => undefined);
      await client.connect();
      open.push(client);
      return client;
    },
    async drop() {
      await Promise.all(open.map((client) => client.end().catch(() => undefined)));
      await once(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

async function once(url: string, sql: string, params: readonly unknown[] = []): Promise<QueryResult> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await client.query(sql, [...params]);
  } finally {
    await client.end();
  }
}
