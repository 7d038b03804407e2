/**
 * What the core tells the world. The core logs nothing and counts nothing: it emits these, and the faces
 * (log, progress bar, metrics, traces) make of them what they like.
 */
import type { Instant } from './clients/instant.ts';

export type RunKind = 'backfill' | 'pull' | 'push' | 'sync' | 'reconcile';

export type SyncEvent =
  | { readonly type: 'runStarted'; readonly kind: RunKind; readonly resumed: boolean }
  | { readonly type: 'runFinished'; readonly kind: RunKind; readonly rows: number; readonly requests: number }
  /** One answer of the API arrived, whatever its status; `status` is null when none came. */
  | {
      readonly type: 'requestDone';
      readonly method: string;
      readonly path: string;
      readonly status: number | null;
      readonly durationMs: number;
      readonly bodyBytes: number;
    }
  | {
      readonly type: 'requestRetried';
      readonly method: string;
      readonly path: string;
      readonly attempt: number;
      readonly delayMs: number;
      readonly reason: string;
    }
  | { readonly type: 'tokenReread' }
  /** Rows and the place that covers them are in the warehouse. `rows` were read, `written` of them differed. */
  | {
      readonly type: 'pageCommitted';
      readonly kind: RunKind;
      readonly rows: number;
      readonly written: number;
      readonly key: Instant | null;
    }
  /** How much of a backfill's span is behind us, 0 to 1, by time rather than by rows: the API has no count. */
  | {
      readonly type: 'backfillProgress';
      readonly share: number;
      readonly windowsOpen: number;
      readonly windowsDone: number;
    }
  /** How much of a reconcile's sweep is done, 0 to 1: rows read, of those that the mirror holds. */
  | { readonly type: 'sweepProgress'; readonly share: number }
  | { readonly type: 'windowSplit'; readonly at: Instant }
  | { readonly type: 'rowQuarantined'; readonly id: string | null; readonly reason: string }
  /** An id was put on the to-do list `mirror_refetch`. */
  | { readonly type: 'rowsDeferred'; readonly count: number }
  /** A local edit is on its way to the source; `field` null: a new client, or a deleted one. */
  | { readonly type: 'editSent'; readonly id: string; readonly field: string | null }
  /** What became of a local edit, in one word of `mirror_edits`. */
  | {
      readonly type: 'editSettled';
      readonly id: string;
      readonly field: string | null;
      readonly outcome: string;
    }
  /**
   * A dead letter: it waits until it is edited, retried or discarded. The source's words stay with it in the warehouse:
   * they may quote a client's values, which belong into no log.
   */
  | { readonly type: 'editRefused'; readonly id: string; readonly field: string | null }
  /** `resolution` null: it waits for a person; else how it ended at once. `field` null: the whole client. */
  | {
      readonly type: 'conflictFound';
      readonly id: string;
      readonly field: string | null;
      readonly resolution: string | null;
    }
  | {
      readonly type: 'conflictClosed';
      readonly id: string;
      readonly field: string | null;
      readonly resolution: string;
    }
  /** The server caps a page below what we ask for. */
  | { readonly type: 'pageCapped'; readonly asked: number; readonly got: number }
  /** Something a person should know, in one line; it does not stop the run. */
  | { readonly type: 'notice'; readonly message: string };

export type Emit = (event: SyncEvent) => void;

export interface Emitter {
  readonly emit: Emit;
  /** Hears every event until the function it returns is called. */
  subscribe(listener: Emit): () => void;
}

export function createEmitter(): Emitter {
  const listeners = new Set<Emit>();
  return {
    emit(event) {
      for (const listener of listeners) listener(event);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
