/** What SQLite and the file system say → our error table. One place, so that every path tells the same. */
import { isSyncError, SyncError } from '../../errors.ts';

/** Does another connection hold the lock that was asked for? */
export function isBusy(error: unknown): boolean {
  return /^SQLITE_(BUSY|LOCKED)/.test(codeOf(error));
}

/** An error of SQLite or the file system as a SyncError that names the warehouse. */
export function asFailure(error: unknown, label: string): SyncError {
  if (isSyncError(error)) return error;
  const code = codeOf(error);
  const said = error instanceof Error ? error.message : String(error);
  if (isBusy(error))
    return new SyncError('WAREHOUSE_BUSY', `${label} is locked by another connection`, {}, error);
  if (code === 'SQLITE_FULL' || code === 'ENOSPC') {
    return new SyncError('WAREHOUSE_FULL', `no space left to write ${label}`, {}, error);
  }
  if (code === 'SQLITE_NOTADB') {
    return new SyncError('WAREHOUSE_FOREIGN', `${label} is not a SQLite database`, {}, error);
  }
  if (
    /^SQLITE_(READONLY|CANTOPEN|PERM|AUTH)|^E(ACCES|PERM|ROFS|NOTDIR|ISDIR|NOENT|EXIST|LOOP|NAMETOOLONG)$/.test(
      code,
    )
  ) {
    return new SyncError('WAREHOUSE_UNWRITABLE', `cannot write ${label}: ${said}`, {}, error);
  }
  if (code.startsWith('SQLITE_CORRUPT')) {
    const hint = 'Restore the file from a backup, or move it away and run `clients-mirror backfill`.';
    return new SyncError('WAREHOUSE_FAILED', `${label} is damaged: ${said}`, { hint }, error);
  }
  return new SyncError('WAREHOUSE_FAILED', `${label}: ${said}`, {}, error);
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  return typeof code === 'string' ? code : '';
}
