/**
 * The warehouse on SQLite: one file, one connection, WAL. The driver is synchronous; a lock of another
 * connection is waited for in short slices, so that signals and timers of this process are heard meanwhile.
 */
import { existsSync } from 'node:fs';
import type { Habit } from '../decide.ts';
import { NEXT_REVISION, SQLITE } from '../dialect.ts';
import { newHolder } from '../holder.ts';
import { type MigrationRunner, migrate, readVersion } from '../migrate.ts';
import type { OpenOptions } from '../open.ts';
import type { Query, SqlValue, Warehouse } from '../warehouse.ts';
import { commit, createRevisions, readRevision, type Session } from './commit.ts';
import { asFailure, isBusy } from './failure.ts';
import { type Connection, connect, ensureFile, pathOf, tune } from './file.ts';
import { acquire, release, renew } from './lease.ts';
import { bound, createStatements } from './statements.ts';
import { SQLITE_TRIGGERS } from './triggers.ts';

/** How long one try waits inside SQLite, where it blocks this process, in milliseconds. */
const SLICE_MS = 50;
const LOCK_TIMEOUT_MS = 10_000;

/**
 * Opens the file that the URL names, creates it where there is none, and brings its schema up to date.
 * @throws SyncError WAREHOUSE_UNWRITABLE, WAREHOUSE_FOREIGN, WAREHOUSE_BUSY, WAREHOUSE_FULL, SCHEMA_NEWER
 */
export async function openSqlite(options: OpenOptions): Promise<Warehouse> {
  const path = pathOf(options.url);
  const label = `sqlite:${path}`;
  const attempt = createAttempt(label, options.lockTimeoutMs ?? LOCK_TIMEOUT_MS);
  const db = await attempt(() => {
    if (!existsSync(path)) ensureFile(path);
    return connect(path, SLICE_MS);
  });
  try {
    const runner = migrationRunner(db, label, attempt);
    await readVersion(runner);
    await attempt(() => tune(db));
    await migrate(runner, options.onStep);
  } catch (error) {
    db.close();
    throw asFailure(error, label);
  }
  return createWarehouse(db, label, { ...options, attempt });
}

type Attempt = <T>(action: () => T) => Promise<T>;

/** Runs a synchronous action, again while another connection holds the lock, and tells failures by our table. */
function createAttempt(label: string, timeoutMs: number): Attempt {
  return async (action) => {
    for (let left = Math.ceil(timeoutMs / SLICE_MS); ; left -= 1) {
      try {
        return action();
      } catch (error) {
        if (!isBusy(error) || left <= 0) throw asFailure(error, label);
      }
      await new Promise(setImmediate);
    }
  };
}

function createWarehouse(
  db: Connection,
  label: string,
  options: OpenOptions & { readonly attempt: Attempt },
): Warehouse {
  const { attempt, clock } = options;
  const holder = options.holder ?? newHolder();
  const statements = createStatements(db);
  const habit: Habit = { page: 'mixed' };
  const session: Session = { db, statements, revisions: createRevisions(statements), habit };
  db.function(NEXT_REVISION.replace('()', ''), () => BigInt(session.revisions.next()));
  return {
    kind: 'sqlite',
    acceptsNul: true,
    label,
    read: ({ sql, params }: Query) =>
      attempt(() => statements.prepare(sql).all(...bound(params)) as Readonly<Record<string, SqlValue>>[]),
    commit: (writes, lease) => attempt(() => commit(session, writes, lease)),
    revision: () => attempt(() => readRevision(statements)),
    acquireLease: (name, ttlMs) =>
      attempt(() => acquire(statements, { name, holder, ttlMs, nowMs: clock.now() })),
    renewLease: (lease, ttlMs) => attempt(() => renew(statements, lease, clock.now() + ttlMs)),
    releaseLease: (lease) => attempt(() => release(statements, lease)),
    close: async () => {
      db.close();
    },
  };
}

function migrationRunner(db: Connection, label: string, attempt: Attempt): MigrationRunner {
  return {
    dialect: SQLITE,
    label,
    triggers: SQLITE_TRIGGERS,
    async exclusively(body) {
      await attempt(() => db.exec('BEGIN IMMEDIATE'));
      try {
        await body();
        db.exec('COMMIT');
      } catch (error) {
        if (db.inTransaction) db.exec('ROLLBACK');
        throw error;
      }
    },
    execute: async (sql) => {
      db.exec(sql);
    },
    read: (sql) => attempt(() => db.prepare(sql).all() as Record<string, unknown>[]),
    relations: () =>
      attempt(() =>
        db
          .prepare<[], { name: string }>("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
          .all()
          .map(({ name }) => name),
      ),
  };
}
