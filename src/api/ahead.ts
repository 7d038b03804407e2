/**
 * Fetches the next pages of a read while the caller writes the last one, so that the network and the warehouse
 * do not wait for each other. Bounded: no more than `pages` answers wait at a time.
 */
import { createLinkedAbort } from '../abort.ts';

/**
 * The same values in the same order as `open` gives, and its return value. An error comes where its value would
 * have come, after all the values before it. However the caller leaves, the request in flight is aborted through
 * the signal that `open` is given, and the generator is closed before the caller goes on.
 */
export async function* ahead<T, R>(
  open: (signal: AbortSignal) => AsyncGenerator<T, R, void>,
  signal?: AbortSignal,
  pages = 1,
): AsyncGenerator<T, R, void> {
  const left = createLinkedAbort(signal);
  const source = open(left.signal);
  const waiting: Promise<IteratorResult<T, R>>[] = [];
  const fetchNext = () => {
    const next = source.next();
    // It is awaited in its turn, or thrown away when the caller has left.
    next.catch(() => {});
    waiting.push(next);
  };
  try {
    fetchNext();
    for (;;) {
      const next = await waiting.shift();
      if (next === undefined || next.done) return next?.value as R;
      while (waiting.length < pages) fetchNext();
      yield next.value;
    }
  } finally {
    left.abort();
    await Promise.allSettled([...waiting, source.return(undefined as R)]);
    left.close();
  }
}
