/** A user's own connection to the warehouse, with the capture triggers on or off. */
import Database from 'better-sqlite3';
import { Client } from 'pg';
import { SQLITE_TRIGGERS } from '../src/warehouse/sqlite/triggers.ts';

type Row = Readonly<Record<string, unknown>>;

export interface User {
  rows(sql: string): Promise<readonly Row[]>;
  triggers(on: boolean): Promise<void>;
  /** Writes the database anew, without the traces of earlier statements. */
  rewrite(): Promise<void>;
  close(): Promise<void>;
}

export async function openUser(warehouseUrl: string): Promise<User> {
  return warehouseUrl.startsWith('sqlite:')
    ? openSqliteUser(warehouseUrl.slice(7))
    : openPostgresUser(warehouseUrl);
}

function openSqliteUser(path: string): User {
  let open: Database.Database | null = null;
  // Opened at first use: the mirror makes the file.
  const db = () => {
    open ??= new Database(path);
    return open;
  };
  return {
    async rows(sql) {
      const statement = db().prepare(sql);
      if (statement.reader) return statement.all() as Row[];
      statement.run();
      return [];
    },
    async triggers(on) {
      const wanted = SQLITE_TRIGGERS.filter((sql) => on || sql.startsWith('DROP'));
      for (const sql of wanted) db().exec(sql);
    },
    async rewrite() {
      db().exec('VACUUM');
      db().pragma('wal_checkpoint(TRUNCATE)');
    },
    async close() {
      open?.close();
    },
  };
}

async function openPostgresUser(url: string): Promise<User> {
  const client = new Client({ connectionString: url });
  await client.connect();
  return {
    rows: async (sql) => (await client.query(sql)).rows as Row[],
    async triggers(on) {
      const { rows } = await client.query(
        "SELECT tgname FROM pg_trigger WHERE tgrelid = 'clients'::regclass AND NOT tgisinternal",
      );
      const mode = on ? 'ENABLE ALWAYS' : 'DISABLE';
      for (const { tgname } of rows) await client.query(`ALTER TABLE clients ${mode} TRIGGER "${tgname}"`);
    },
    async rewrite() {
      await client.query('VACUUM (FULL, ANALYZE) clients');
      await client.query('CHECKPOINT');
    },
    close: () => client.end(),
  };
}
