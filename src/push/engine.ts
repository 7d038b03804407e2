/** What a push is given beyond what every use case has, and what one pass over the local edits carries along. */
import type { ClientsApi } from '../api/api.ts';
import { type Instant, instantFromMs } from '../clients/instant.ts';
import type { ConflictPolicy } from '../clients/merge.ts';
import type { SyncError } from '../errors.ts';
import { type SqlClock, sqlClock } from '../ledger/pushes.ts';
import type { Engine } from '../rows/engine.ts';
import { newHolder } from '../warehouse/holder.ts';

export interface PushEngine extends Engine {
  /** The endpoints that change a client. */
  readonly api: Pick<ClientsApi, 'create' | 'update' | 'delete'>;
  readonly push: PushOptions;
}

export interface PushOptions {
  /** Who wins a field that was changed on both sides. */
  readonly policy: ConflictPolicy;
  /** false: the mirror is read-only; what was edited before is merged and not sent. */
  readonly sends: boolean;
  /** Is a row deleted here deleted at the source? */
  readonly deletes: boolean;
}

/** How long a claim holds: a batch of slow requests, with room to spare. */
export const CLAIM_MS = 120_000;
/** So long before its claim's end a request is given up, so that the next holder meets none of ours on its way. */
const MARGIN_MS = 15_000;

/** One pass over the local edits. */
export interface Pass {
  readonly engine: PushEngine;
  readonly excluded: ReadonlySet<string>;
  /** Names this pass in `mirror_pushes`. */
  readonly holder: string;
  readonly sends: boolean;
  /** A new name for one commit of this pass. */
  token(): string;
  /** Has it had anything to do? Only then can it hold a claim. */
  isBusy(): boolean;
  /** Our clock, canonical. */
  now(): Instant;
  sqlClock(): SqlClock;
  /** Our clock's milliseconds after which a request under a claim made now must not be sent. */
  deadlineMs(): number;
  /** Does the source send ETags? null: not known yet. */
  sendsEtags: boolean | null;
  /** The guard holds changes back: what is merged from now on is not sent. */
  holdsChanges: boolean;
  /** Rows with the intent of an earlier push: they come last. */
  readonly unsettled: string[];
  /** Is it their turn now? */
  readonly triesAgain: boolean;
  /** What went wrong with single rows, which stay as they are for the next pass. */
  readonly failures: Failures;
}

export interface Failures {
  /** Notes it. @throws the error itself when so many failed in a row that the source must be down. */
  note(error: SyncError): void;
  /** A request of the same kind went through. */
  passed(): void;
  readonly count: number;
  /** The first one; null: none. */
  readonly first: SyncError | null;
}

export function createPass(engine: PushEngine, sends: boolean): Pass {
  const { clock, warehouse, options } = engine;
  const holder = newHolder();
  let commits = 0;
  return {
    engine,
    excluded: new Set(options.shape.excluded),
    holder,
    sends,
    token() {
      commits += 1;
      return `${holder} ${commits}`;
    },
    isBusy: () => commits > 0,
    now: () => instantFromMs(clock.now()),
    sqlClock: () => sqlClock(warehouse.kind, clock.now()),
    deadlineMs: () => clock.now() + CLAIM_MS - MARGIN_MS,
    sendsEtags: null,
    holdsChanges: false,
    unsettled: [],
    triesAgain: false,
    failures: createFailures(options.concurrency * 2),
  };
}

function createFailures(rowMax: number): Failures {
  let count = 0;
  let inRow = 0;
  let first: SyncError | null = null;
  return {
    note(error) {
      count += 1;
      inRow += 1;
      first ??= error;
      if (inRow >= rowMax) throw error;
    },
    passed() {
      inRow = 0;
    },
    get count() {
      return count;
    },
    get first() {
      return first;
    },
  };
}
