/**
 * An abort signal that also follows another one. AbortSignal.any() does the same, but on Node 20 it leaves a trace in
 * the followed signal for each use; ours lives as long as the process, and a worker pulls for months.
 */
export interface LinkedAbort {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
  /** Stops following. */
  close(): void;
}

export function createLinkedAbort(followed?: AbortSignal): LinkedAbort {
  const own = new AbortController();
  const follow = () => own.abort(followed?.reason);
  if (followed?.aborted) follow();
  else followed?.addEventListener('abort', follow, { once: true });
  return {
    signal: own.signal,
    abort: (reason) => own.abort(reason),
    close: () => followed?.removeEventListener('abort', follow),
  };
}
