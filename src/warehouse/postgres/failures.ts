/**
 * What Postgres and its connection say, in the words of the error table. The code alone decides; a message of
 * ours names host, port and database, and never the password.
 */
import { type ErrorCode, SyncError } from '../../errors.ts';

/** Five-character SQLSTATEs and Node's own codes; a two-character entry stands for its whole class. */
const CODES: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  '08': ['WAREHOUSE_AWAY', 'lost the connection'],
  '28': ['WAREHOUSE_AWAY', 'refused the user or the password'],
  '3D000': ['WAREHOUSE_AWAY', 'has no such database'],
  '53300': ['WAREHOUSE_AWAY', 'has no free connection'],
  '57P01': ['WAREHOUSE_AWAY', 'is shutting down'],
  '57P02': ['WAREHOUSE_AWAY', 'crashed'],
  '57P03': ['WAREHOUSE_AWAY', 'is starting up or shutting down'],
  '57P05': ['WAREHOUSE_AWAY', 'closed the idle connection'],
  '25P03': ['WAREHOUSE_AWAY', 'ended a transaction of ours that had paused'],
  '53100': ['WAREHOUSE_FULL', 'has no disk space left'],
  '55P03': ['WAREHOUSE_BUSY', 'kept us waiting for a lock'],
  '40P01': ['WAREHOUSE_BUSY', 'kept deadlocking with others'],
  '40001': ['WAREHOUSE_BUSY', 'kept colliding with others'],
  '57014': ['WAREHOUSE_BUSY', 'took too long over a statement'],
  '42501': ['WAREHOUSE_UNWRITABLE', 'does not let this user do that'],
  '25006': ['WAREHOUSE_UNWRITABLE', 'is read-only'],
  ENOENT: ['WAREHOUSE_AWAY', 'cannot be reached: there is no such socket'],
  ECONNREFUSED: ['WAREHOUSE_AWAY', 'cannot be reached: the connection was refused'],
  ENOTFOUND: ['WAREHOUSE_AWAY', 'cannot be reached: the host name is unknown'],
  EAI_AGAIN: ['WAREHOUSE_AWAY', 'cannot be reached: the host name cannot be looked up just now'],
  ETIMEDOUT: ['WAREHOUSE_AWAY', 'does not answer'],
  EHOSTUNREACH: ['WAREHOUSE_AWAY', 'cannot be reached: no route to the host'],
  ENETUNREACH: ['WAREHOUSE_AWAY', 'cannot be reached: no network'],
  ECONNRESET: ['WAREHOUSE_AWAY', 'lost the connection'],
  EPIPE: ['WAREHOUSE_AWAY', 'lost the connection'],
};

/** pg has no codes for these. */
const LOST_CONNECTION =
  /connection (terminated|error)|not queryable|timeout|does not support SSL|certificate/i;

/** The SQLSTATEs after which the same transaction may well succeed. */
const COLLISIONS: ReadonlySet<string> = new Set(['55P03', '40P01', '40001']);
/** Two transactions that insert the same client: the second finds it when it runs again. */
const SAME_CLIENT = 'clients_pkey';

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

/** Did two transactions get in each other's way? Then ours is simply done again. */
export function isCollision(error: unknown): boolean {
  return (
    COLLISIONS.has(codeOf(error)) || (error as { constraint?: unknown } | null)?.constraint === SAME_CLIENT
  );
}

/** Turns what pg threw into a SyncError; what is one already, or is a bug of ours, comes back as it is. */
export function toSyncError(error: unknown, label: string): unknown {
  if (error instanceof SyncError || !(error instanceof Error)) return error;
  const code = codeOf(error);
  const row = CODES[code] ?? CODES[code.slice(0, 2)];
  if (row !== undefined)
    return new SyncError(row[0], `${label} ${row[1]}${ownWords(error, code)}`, {}, error);
  if (/^[0-9A-Z]{5}$/.test(code)) {
    return new SyncError('WAREHOUSE_FAILED', `${label}: ${error.message} (SQLSTATE ${code})`, {}, error);
  }
  if (code !== '' || LOST_CONNECTION.test(error.message)) {
    return new SyncError('WAREHOUSE_AWAY', `${label} lost the connection: ${error.message}`, {}, error);
  }
  return error;
}

/** The server's message where it tells more than the code does: whose right, which database. */
function ownWords(error: Error, code: string): string {
  return code.length === 5 && /^(28|3D|42|53|25006)/.test(code) ? `: ${error.message}` : '';
}
