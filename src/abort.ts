/**
 * Abort signals that follow others. AbortSignal.any() and AbortSignal.timeout() do the same, but on Node 20 each use
 * leaves a trace in a signal that lives as long as the process, and a worker runs for months; and a timeout that is
 * followed by nothing else may be collected as garbage before its time, and never comes
 * (nodejs/node#57736, and #65995 for any signal).
 */
export interface LinkedAbort {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
  /** Stops following. */
  close(): void;
}

/** A signal of one's own that is aborted with any of those it follows, and for the same reason. */
export function createLinkedAbort(...followed: readonly (AbortSignal | undefined)[]): LinkedAbort {
  const own = new AbortController();
  const links = followed.flatMap((signal) => {
    if (signal === undefined) return [];
    const follow = () => own.abort(signal.reason);
    if (signal.aborted) follow();
    else signal.addEventListener('abort', follow, { once: true });
    return [{ signal, follow }];
  });
  return {
    signal: own.signal,
    abort: (reason) => own.abort(reason),
    close() {
      for (const { signal, follow } of links) signal.removeEventListener('abort', follow);
    },
  };
}

/**
 * Gives work so many milliseconds: its signal is aborted then, or with the one followed. Whether the work heeds it
 * is its own affair.
 */
export async function withTimeLimit<T>(
  ms: number,
  followed: AbortSignal,
  work: (limit: AbortSignal) => Promise<T>,
): Promise<T> {
  const link = createLinkedAbort(followed);
  const timer = setTimeout(() => link.abort(new Error(`not done within ${ms} ms`)), ms);
  try {
    return await work(link.signal);
  } finally {
    clearTimeout(timer);
    link.close();
  }
}
