/** The contract on SQLite: with the mirror's own library, and with users who bring an older one. */
import { describe } from 'vitest';
import { makeSqlite } from '../support/sqlite.ts';
import { connectWithCommand, sqliteCommandVersion } from '../support/sqliteCommand.ts';
import { describeWarehouse } from './warehouse.ts';

describeWarehouse('sqlite', makeSqlite);

const version = sqliteCommandVersion();
describe.skipIf(version === null)('with the sqlite3 command', () => {
  describeWarehouse(
    `sqlite, edited with sqlite3 ${version}`,
    async () => {
      const made = await makeSqlite();
      return { ...made, userConnection: async () => connectWithCommand(made.path) };
    },
    'users',
  );
});
