/**
 * One commit: BEGIN IMMEDIATE, fence, writes, the counter, COMMIT. Synchronous from end to end: nothing of this
 * process can come between, and no transaction is ever open while something is awaited.
 */
import { SyncError } from '../../errors.ts';
import type { Habit } from '../decide.ts';
import { quarantineKey } from '../quarantineKey.ts';
import type {
  Lease,
  QuarantineWrite,
  Statement,
  StatementResult,
  TombstoneWrite,
  Write,
  WriteResult,
} from '../warehouse.ts';
import type { Connection } from './file.ts';
import { isHeld } from './lease.ts';
import { bound, type Statements } from './statements.ts';
import { writeRows } from './upsert.ts';

export interface Session {
  readonly db: Connection;
  readonly statements: Statements;
  /** Numbers of `_revision` drawn in the transaction under way; stored at its end. */
  readonly revisions: Revisions;
  readonly habit: Habit;
}

export interface Revisions {
  begin(stored: number): void;
  /** Tells the triggers that what is written from here on is the mirror's own. */
  own(): void;
  next(): number;
  /** Stores the counter, and gives `clients` back to the users. */
  end(): void;
}

export function createRevisions(statements: Statements): Revisions {
  let value = 0;
  let isOwn = false;
  const own = (): void => {
    // With the write lock ours no capture is under way: a mark that is left comes of a RAISE(FAIL) of the user's.
    if (!isOwn) statements.prepare('UPDATE mirror_revision SET own = 1, capturing = NULL').run();
    isOwn = true;
  };
  return {
    begin: (stored) => {
      value = stored;
      isOwn = false;
    },
    own,
    next: () => {
      own();
      value += 1;
      return value;
    },
    end: () => {
      if (isOwn) statements.prepare('UPDATE mirror_revision SET value = ?, own = 0').run(BigInt(value));
    },
  };
}

/** All writes or none. Throws SQLite's own error, or SyncError LEASE_LOST or EXPECTATION. */
export function commit(session: Session, writes: readonly Write[], lease?: Lease): readonly WriteResult[] {
  const { db, statements } = session;
  // What a lease fences is read from the source and can be read again, so it need not wait for the disk; an intent
  // that was told to the source, or a person's word, cannot.
  db.pragma(`synchronous = ${lease === undefined ? 'FULL' : 'NORMAL'}`);
  statements.prepare('BEGIN IMMEDIATE').run();
  try {
    if (lease !== undefined && !isHeld(statements, lease)) {
      throw new SyncError('LEASE_LOST', `the lease ${lease.name} is no longer held by this run`);
    }
    session.revisions.begin(readRevision(statements));
    const results = writes.map((write) => apply(session, write));
    // Last: until here every row that we wrote is above the counter, by which the triggers know it for ours.
    session.revisions.end();
    statements.prepare('COMMIT').run();
    return results;
  } catch (error) {
    // A full disk may have ended the transaction already.
    if (db.inTransaction) statements.prepare('ROLLBACK').run();
    throw error;
  }
}

/** The counter of `_revision`. */
export function readRevision(statements: Statements): number {
  const row = statements.prepareRaw('SELECT value FROM mirror_revision').get();
  if (row === undefined)
    throw new SyncError('WAREHOUSE_FAILED', 'the table mirror_revision has lost its row');
  return Number(row[0]);
}

function apply(session: Session, write: Write): WriteResult {
  const { statements } = session;
  switch (write.kind) {
    case 'rows':
      return writeRows(statements, write, { nextRevision: session.revisions.next, habit: session.habit });
    case 'quarantine':
      return quarantine(statements, write);
    case 'tombstone':
      return tombstone(statements, write, session.revisions.next());
    case 'statement':
      // A number is drawn in the midst of such a statement, too late for another one.
      if (write.sql.includes('_revision')) session.revisions.own();
      return run(statements, write);
  }
}

function run(statements: Statements, { sql, params, expect }: Statement): StatementResult {
  const prepared = statements.prepare(sql);
  const rows = prepared.reader ? (prepared.all(...bound(params)) as StatementResult['rows']) : [];
  const count = prepared.reader ? rows.length : prepared.run(...bound(params)).changes;
  if (expect !== undefined && count !== expect) {
    throw new SyncError('EXPECTATION', `a statement was to touch ${expect} rows, it touched ${count}`);
  }
  return { rows, count };
}

const QUARANTINE = `INSERT INTO mirror_quarantine (id, client_id, reason, raw, at) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (id) DO UPDATE SET reason = excluded.reason, raw = excluded.raw, at = excluded.at
  WHERE reason <> excluded.reason OR raw <> excluded.raw`;

function quarantine(statements: Statements, write: QuarantineWrite): StatementResult {
  const prepared = statements.prepare(QUARANTINE);
  let count = 0;
  for (const row of write.rows) {
    count += prepared.run(quarantineKey(row), row.id, row.reason, row.raw, write.at).changes;
  }
  return { rows: [], count };
}

const TOMBSTONE = `UPDATE clients SET _deleted_at = ?, _revision = ?
  WHERE id = ? AND _deleted_at IS NULL AND _base IS NULL AND _create IS NULL AND _revision <= ?`;

function tombstone(statements: Statements, write: TombstoneWrite, revision: number): StatementResult {
  const prepared = statements.prepare(TOMBSTONE);
  let count = 0;
  for (const id of write.ids) count += prepared.run(...bound([write.at, revision, id, write.noted])).changes;
  return { rows: [], count };
}
