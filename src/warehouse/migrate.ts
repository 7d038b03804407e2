/**
 * Brings a warehouse to this program's schema. Migrations are numbered and only ever appended; each runs once,
 * in a transaction of its own (all of them in one where there is nothing yet) that shuts out every other migrator, so
 * that twenty processes may start at once.
 * A database that holds our names without our ledger of migrations is somebody else's: nothing is touched.
 */
import { SyncError } from '../errors.ts';
import type { Dialect } from './dialect.ts';
import type { Migration } from './migrations/migration.ts';
import { MIGRATIONS } from './migrations/migrations.ts';
import { TABLES } from './tables.ts';

/** What a driver lends: one connection, statements without parameters. */
export interface MigrationRunner {
  readonly dialect: Dialect;
  readonly label: string;
  /** Runs the body in one transaction that no other migrator shares; rolls back when it throws. */
  exclusively(body: () => Promise<void>): Promise<void>;
  execute(sql: string): Promise<void>;
  read(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Names of the tables and views that the database (or its schema) holds. */
  relations(): Promise<readonly string[]>;
  /** Drops and creates the triggers; run in the transaction of the last migration that was missing. */
  readonly triggers: readonly string[];
}

const LEDGER = 'mirror_migrations';
const OURS = ['clients', 'clients_live', 'mirror_stamps', ...TABLES.map((table) => table.name)];

/** Number of the newest migration that this program knows. */
export const SCHEMA_VERSION = Math.max(...MIGRATIONS.map((migration) => migration.number));

/**
 * Applies what is missing. Takes no lock where nothing is.
 * @param onStep hears of `before migration`, `in migration` (behind each statement) and `after migration`.
 * @throws SyncError SCHEMA_NEWER, WAREHOUSE_FOREIGN
 */
export async function migrate(
  runner: MigrationRunner,
  onStep: (name: string) => Promise<void> = async () => undefined,
): Promise<void> {
  if ((await readVersion(runner)) === SCHEMA_VERSION) return;
  for (const migration of MIGRATIONS) {
    await onStep('before migration');
    await runner.exclusively(async () => {
      // Read again under the lock: another process may have been first.
      const version = await readVersion(runner);
      if (version >= migration.number) return;
      for (const sql of planStatements(runner, version === 0 ? 'new' : migration)) {
        await runner.execute(sql);
        await onStep('in migration');
      }
    });
    await onStep('after migration');
  }
}

/** A new warehouse is made whole: a table clients without its triggers would take edits that nobody notes. */
function planStatements({ dialect, triggers }: MigrationRunner, what: Migration | 'new'): readonly string[] {
  const missing = what === 'new' ? MIGRATIONS : [what];
  const ledger = `CREATE TABLE ${LEDGER} (number INTEGER PRIMARY KEY NOT NULL, name TEXT NOT NULL)`;
  return [
    ...(what === 'new' ? [ledger] : []),
    ...missing.flatMap(({ number, name, up }) => [
      `INSERT INTO ${LEDGER} (number, name) VALUES (${number}, '${name}')`,
      ...up(dialect),
    ]),
    ...(missing.at(-1)?.number === SCHEMA_VERSION ? triggers : []),
  ];
}

/**
 * The schema's version; 0 for an empty database.
 * @throws SyncError SCHEMA_NEWER, WAREHOUSE_FOREIGN
 */
export async function readVersion(runner: MigrationRunner): Promise<number> {
  const relations = await runner.relations();
  if (!relations.includes(LEDGER)) {
    const taken = relations.find((name) => OURS.includes(name));
    if (taken === undefined) return 0;
    throw new SyncError(
      'WAREHOUSE_FOREIGN',
      `${runner.label} holds a table ${taken} that is not the mirror's`,
    );
  }
  const rows = await runner.read(`SELECT max(number) AS version FROM ${LEDGER}`);
  const version = Number(rows[0]?.version ?? 0);
  if (version > SCHEMA_VERSION) {
    throw new SyncError(
      'SCHEMA_NEWER',
      `${runner.label} has schema ${version}, this program knows ${SCHEMA_VERSION}`,
    );
  }
  return version;
}
