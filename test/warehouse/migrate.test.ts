import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { openWarehouse } from '../../src/warehouse/open.ts';
import type { UserConnection } from '../contract/warehouse.ts';
import { describePostgres } from '../support/postgresWarehouse.ts';
import { makeSqlite } from '../support/sqlite.ts';

const postgres = describePostgres();
beforeAll(() => postgres.begin());
afterAll(() => postgres.end());

const INSERT = "INSERT INTO clients (email, first_name, last_name) VALUES ('a@example.com', 'A', 'B')";

/** A user who inserts a client as soon as there is a table for it. @returns what the mirror noted of it */
async function insertEarly(
  user: UserConnection,
  open: (onStep: (name: string) => Promise<void>) => Promise<{ close(): Promise<void> }>,
): Promise<unknown> {
  let hasInserted = false;
  const warehouse = await open(async (name) => {
    if (name !== 'after migration' || hasInserted) return;
    await user.run(INSERT);
    hasInserted = true;
  });
  const rows = await user.run('SELECT _create FROM clients');
  await warehouse.close();
  return rows;
}

describe('migrate', () => {
  const NOTED = [{ _create: expect.stringContaining('made') }];

  it('never shows a table clients that takes edits and does not note them, on SQLite', async () => {
    const fresh = await makeSqlite();
    const path = `sqlite:${fresh.path}`;
    let user: UserConnection | undefined;
    const lazy: UserConnection = {
      run: async (sql) => {
        user ??= await fresh.userConnection();
        return user.run(sql);
      },
      close: async () => user?.close(),
    };
    const open = (onStep: (name: string) => Promise<void>) =>
      openWarehouse({ url: path, schema: 'public', clock: systemClock, onStep });
    expect(await insertEarly(lazy, open)).toEqual(NOTED);
    await lazy.close();
    await fresh.dispose();
  });

  it('never shows a table clients that takes edits and does not note them, on Postgres', async () => {
    const fresh = await postgres.make();
    const user = await fresh.userConnection();
    expect(await insertEarly(user, (onStep) => fresh.openWith({ onStep }))).toEqual(NOTED);
    await user.close();
    await fresh.dispose();
  });
});
