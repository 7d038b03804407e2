/** A SQLite warehouse in a directory of its own, and a connection such as a user would open. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { systemClock } from '../../src/clock.ts';
import { openWarehouse } from '../../src/warehouse/open.ts';
import type { TestWarehouse, UserConnection } from '../contract/warehouse.ts';

export interface SqliteTestWarehouse extends TestWarehouse {
  readonly path: string;
}

export async function makeSqlite(): Promise<SqliteTestWarehouse> {
  const directory = mkdtempSync(join(tmpdir(), 'clients-mirror-'));
  const path = join(directory, 'clients.db');
  return {
    path,
    open: ({ holder, now } = {}) =>
      openWarehouse({
        url: `sqlite:${path}`,
        schema: 'public',
        clock: { ...systemClock, ...(now === undefined ? {} : { now }) },
        ...(holder === undefined ? {} : { holder }),
      }),
    userConnection: async () => connectAsUser(path),
    dispose: async () => rmSync(directory, { recursive: true, force: true }),
  };
}

export function connectAsUser(path: string): UserConnection {
  const db = new Database(path, { timeout: 5000 });
  return {
    run: async (sql) => {
      const prepared = db.prepare(sql);
      if (prepared.reader) return prepared.all() as Record<string, unknown>[];
      prepared.run();
      return [];
    },
    close: async () => {
      db.close();
    },
  };
}
