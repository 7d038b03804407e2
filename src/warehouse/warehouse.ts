/**
 * The port to the warehouse. SQLite and Postgres stand behind it; use cases know neither.
 *
 * A commit is a list of writes, not a callback: planners stay pure, no request can be made inside a
 * transaction, and "rows and place together" is the only way to write. SQL is written once, in the dialect
 * both share, with `?` for parameters; the few statements that differ are the driver's own writes below.
 */
import type { Instant } from '../clients/instant.ts';
import type { ClientRecord, RejectedRow } from '../clients/record.ts';

/** Stored booleans are 0 and 1 in both warehouses' bookkeeping tables; JSON is text there. */
export type SqlValue = string | number | null;

export interface Query {
  readonly sql: string;
  readonly params: readonly SqlValue[];
}

/** A statement of a commit. */
export interface Statement extends Query {
  readonly kind: 'statement';
  /** Rows that it must touch or return; another count rolls the commit back with SyncError EXPECTATION. */
  readonly expect?: number;
}

/** Rows of the source on their way into `clients`, all from one answer. */
export interface RowsWrite {
  readonly kind: 'rows';
  readonly rows: readonly ClientRecord[];
  /** `revision()` as it was before the request was sent (design: older or newer). */
  readonly noted: number;
  /** Our clock, canonical; the time of this write for `mirror_refetch`. */
  readonly at: Instant;
  /**
   * `list`: an older stamp is not taken but listed in `mirror_refetch`.
   * `believed`: a read by id that said the same at least a lookback ago; an older stamp is taken.
   */
  readonly trust: 'list' | 'believed';
}

/** Rows that could not be mirrored, into `mirror_quarantine`, keyed by id or by the hash of the raw row. */
export interface QuarantineWrite {
  readonly kind: 'quarantine';
  readonly rows: readonly RejectedRow[];
  readonly at: Instant;
}

/**
 * Clients that the source answered 404 for by id, or showed out of the mirrored scope: `_deleted_at` is set, the
 * values are kept. Rows with an open edit and rows written since `noted` are left alone.
 */
export interface TombstoneWrite {
  readonly kind: 'tombstone';
  readonly ids: readonly string[];
  /** `revision()` as it was before the proof was asked for. */
  readonly noted: number;
  readonly at: Instant;
}

export type Write = Statement | RowsWrite | QuarantineWrite | TombstoneWrite;

/** What became of a RowsWrite. inserted + updated + unchanged + deferred = rows (duplicates collapse to the newest). */
export interface RowsResult {
  readonly inserted: number;
  readonly updated: number;
  readonly unchanged: number;
  /**
   * Listed in `mirror_refetch` (a row listed again raises its `listings`): locked, dirty, older, or of equal stamp but
   * written since the request.
   */
  readonly deferred: number;
}

export interface StatementResult {
  /** Rows of a SELECT or RETURNING, else empty. */
  readonly rows: readonly Readonly<Record<string, SqlValue>>[];
  /** Rows touched or returned. */
  readonly count: number;
}

/** Result of the write at the same index. Quarantine and tombstone answer the count of rows new or changed. */
export type WriteResult = StatementResult | RowsResult;

/** A held lease. Every commit of its run starts with its fence: no such row any more, no commit (LEASE_LOST). */
export interface Lease {
  readonly name: string;
  readonly holder: string;
  readonly fence: number;
}

export interface Warehouse {
  readonly kind: 'sqlite' | 'postgres';
  /** Can it hold U+0000 in a text? */
  readonly acceptsNul: boolean;
  /** What a user may see of where it is: no password. */
  readonly label: string;

  /** Rows of one SELECT, outside any transaction of ours. */
  read(query: Query): Promise<readonly Readonly<Record<string, SqlValue>>[]>;
  /** All writes or none, in order, in one transaction, fenced by `lease` where one is given. */
  commit(writes: readonly Write[], lease?: Lease): Promise<readonly WriteResult[]>;
  /** The warehouse-wide counter of `_revision`: noted before a request is sent. */
  revision(): Promise<number>;

  /**
   * Takes a lease by name for `ttlMs`; null when another living holder has it. A holder on this very machine
   * whose process is gone is no longer a holder, so that a killed run can be started again at once.
   */
  acquireLease(name: string, ttlMs: number): Promise<Lease | null>;
  /** Prolongs it; false when it was lost. */
  renewLease(lease: Lease, ttlMs: number): Promise<boolean>;
  releaseLease(lease: Lease): Promise<void>;

  close(): Promise<void>;
}

export function isRowsResult(result: WriteResult): result is RowsResult {
  return 'inserted' in result;
}

/** A statement of a commit; `expect` as in Statement. */
export function statement(sql: string, params: readonly SqlValue[] = [], expect?: number): Statement {
  return expect === undefined
    ? { kind: 'statement', sql, params }
    : { kind: 'statement', sql, params, expect };
}
