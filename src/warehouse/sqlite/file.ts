/**
 * The database file and the connection to it. The file is created for its owner alone; one that exists is
 * looked at before anything is written, so that somebody else's database stays as it is.
 */
import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import Database from 'better-sqlite3';
import { SyncError } from '../../errors.ts';

export type Connection = Database.Database;

/** Memory for pages, in KiB; bounds what a long backfill holds. */
const CACHE_KIB = 32 * 1024;
/** Pages of 4 KiB between two checkpoints: fewer of them write a hot index page less often. */
const CHECKPOINT_PAGES = 4000;
/** Bytes to which the write-ahead log is cut back once it is empty. */
const LOG_BYTES_KEPT = 64 * 1024 * 1024;

/**
 * The path that a `sqlite:` URL names, made absolute.
 * @throws SyncError SETTINGS when it names none.
 */
export function pathOf(url: string): string {
  const path = url.replace(/^sqlite:(\/\/(?=\/))?/i, '');
  if (path === '') throw new SyncError('SETTINGS', 'WAREHOUSE_URL names no file: sqlite:PATH');
  return resolve(path);
}

/** Creates the file, 0600, and its directories where they are missing. Throws what the file system says. */
export function ensureFile(path: string): void {
  ensureDirectory(dirname(path));
  closeSync(openSync(path, 'a', 0o600));
}

/** Not mkdir's own recursion: where a system refuses with ENOENT, as /proc does, Node 20 never comes back from it. */
function ensureDirectory(directory: string): void {
  if (existsSync(directory)) return;
  ensureDirectory(dirname(directory));
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    // Another process that starts at the same moment may have been first.
    if (!existsSync(directory)) throw error;
  }
}

/** A connection that has written nothing yet. A statement waits `lockMs` milliseconds for another's lock. */
export function connect(path: string, lockMs: number): Connection {
  return new Database(path, { fileMustExist: true, timeout: lockMs });
}

/** Makes the connection fit for work. To be called once the database is known to be ours, or empty. */
export function tune(db: Connection): void {
  db.pragma('journal_mode = WAL');
  db.pragma(`cache_size = -${CACHE_KIB}`);
  db.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  db.pragma(`journal_size_limit = ${LOG_BYTES_KEPT}`);
  db.pragma('foreign_keys = ON');
  // What was erased, an excluded field above all, is to be gone from the file too, not only from its tables.
  db.pragma('secure_delete = ON');
}
