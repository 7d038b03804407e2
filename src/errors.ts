/**
 * The error table. Each thing that can go wrong has one code here, and the code alone decides whether a
 * request is retried, how the process ends and what the user is told to do. Code throws a SyncError with
 * a code and one line that names the thing; nobody decides anything from a message.
 */

/** now: the request is retried where it stands; later: the next run may succeed; never: a person must act. */
export type Retry = 'now' | 'later' | 'never';

interface ErrorRow {
  readonly retry: Retry;
  /** Exit code of a command that ends with this error (contract: 1 run again, 2 usage or settings, 75 lease). */
  readonly exit: 1 | 2 | 75;
  readonly hint: string;
}

const API_TRY_LATER = 'Nothing is lost: run the command again; it goes on where it was.';

export const ERRORS = {
  // Talking to the API
  NETWORK: { retry: 'now', exit: 1, hint: `Check CLIENTS_API_URL and the network. ${API_TRY_LATER}` },
  TIMEOUT: { retry: 'now', exit: 1, hint: API_TRY_LATER },
  THROTTLED: {
    retry: 'now',
    exit: 1,
    hint: `The API asks for fewer requests: lower MIRROR_CONCURRENCY. ${API_TRY_LATER}`,
  },
  SERVER: { retry: 'now', exit: 1, hint: API_TRY_LATER },
  NOT_JSON: {
    retry: 'now',
    exit: 1,
    hint: `Check that CLIENTS_API_URL names the API itself. ${API_TRY_LATER}`,
  },
  BODY_TOO_LARGE: { retry: 'never', exit: 1, hint: 'Lower MIRROR_PAGE_SIZE.' },
  AUTH: {
    retry: 'later',
    exit: 1,
    hint: 'Renew CLIENTS_API_TOKEN, or the file CLIENTS_API_TOKEN_FILE names.',
  },
  DENIED: {
    retry: 'later',
    exit: 1,
    hint: 'The token lacks the right to read clients: ask for one that has it.',
  },
  UNLISTED: {
    retry: 'later',
    exit: 1,
    hint: 'The API refused a request it should know: `clients-mirror doctor` tells more.',
  },
  FOREIGN_ORIGIN: {
    retry: 'never',
    exit: 1,
    hint: 'The token is sent to the configured origin only. Set CLIENTS_API_URL to the final address.',
  },
  GONE: { retry: 'never', exit: 1, hint: 'The client does not exist at the source.' },
  REFUSED: { retry: 'never', exit: 1, hint: 'The API refused the value: correct it.' },
  NOT_SUPPORTED: { retry: 'never', exit: 1, hint: 'The API does not support this operation.' },
  READ_STUCK: {
    retry: 'later',
    exit: 1,
    hint: 'The API does not page as asked: `clients-mirror doctor` shows whether it honours $filter, $orderby and $skip.',
  },
  // The warehouse
  WAREHOUSE_AWAY: {
    retry: 'later',
    exit: 1,
    hint: 'Check WAREHOUSE_URL and that the database runs. Nothing is lost: run again.',
  },
  WAREHOUSE_BUSY: {
    retry: 'later',
    exit: 1,
    hint: 'Another connection holds a long transaction: end it, then run again. Nothing is lost.',
  },
  WAREHOUSE_FULL: { retry: 'later', exit: 1, hint: 'Free some disk space, then run again. Nothing is lost.' },
  WAREHOUSE_UNWRITABLE: {
    retry: 'later',
    exit: 1,
    hint: 'Give the user that runs clients-mirror the right to write there.',
  },
  WAREHOUSE_FOREIGN: {
    retry: 'never',
    exit: 2,
    hint: 'Name another database, or another schema with MIRROR_SCHEMA.',
  },
  WAREHOUSE_FAILED: {
    retry: 'later',
    exit: 1,
    hint: 'The database refused a statement: run again with --log-level debug for the details.',
  },
  SCHEMA_NEWER: {
    retry: 'never',
    exit: 1,
    hint: 'A newer clients-mirror has written this warehouse: upgrade this one.',
  },
  EXPECTATION: { retry: 'later', exit: 1, hint: 'The warehouse changed meanwhile: run again.' },
  REDIS_AWAY: {
    retry: 'later',
    exit: 1,
    hint: 'Check REDIS_URL and that Redis runs. Nothing is lost: Redis holds no truth.',
  },
  // Runs
  LEASE_HELD: { retry: 'later', exit: 75, hint: 'Another run does this work just now; wait for it to end.' },
  LEASE_LOST: {
    retry: 'later',
    exit: 1,
    hint: 'This run was paused so long that another took over. Nothing is lost: run again.',
  },
  SHAPE_CHANGED: {
    retry: 'never',
    exit: 2,
    hint: 'Run `clients-mirror backfill` to adopt the change, or set it back.',
  },
  GUARDED: {
    retry: 'never',
    exit: 1,
    hint: 'Nothing was deleted. If it is meant: `clients-mirror reconcile --allow-mass-delete`.',
  },
  STOPPED: { retry: 'later', exit: 1, hint: 'The state is kept: run again to go on.' },
  // The person at the keyboard
  USAGE: { retry: 'never', exit: 2, hint: 'See `clients-mirror --help`.' },
  SETTINGS: { retry: 'never', exit: 2, hint: 'See docs/settings.md.' },
  NOT_FOUND: { retry: 'never', exit: 1, hint: 'Check the id.' },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

export interface ErrorDetails {
  /** HTTP status that the API answered, if it answered. */
  readonly status?: number;
  /** How long the server asked us to wait, in milliseconds. */
  readonly retryAfterMs?: number;
  /** The server's own words, cut to a readable length; never holds a secret. */
  readonly body?: string;
  /** Whether the request may have taken effect although no answer came back. */
  readonly mayHaveTakenEffect?: boolean;
  /** Replaces the hint of the table where a more exact remedy is known. */
  readonly hint?: string;
}

/** An operating error: expected to happen, told in one line with its remedy. Anything else is a bug. */
export class SyncError extends Error {
  override readonly name = 'SyncError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = details;
  }

  get retry(): Retry {
    return ERRORS[this.code].retry;
  }

  get exit(): number {
    return ERRORS[this.code].exit;
  }

  /** What the user can do about it. */
  get hint(): string {
    return this.details.hint ?? ERRORS[this.code].hint;
  }
}

export function isSyncError(error: unknown, code?: ErrorCode): error is SyncError {
  return error instanceof SyncError && (code === undefined || error.code === code);
}
