/** At most so many requests in flight: a counting semaphore, first come, first served. */

export interface Slots {
  /** Resolves with the function that gives the slot back, to be called once. Rejects with the signal's reason. */
  acquire(signal?: AbortSignal): Promise<() => void>;
}

export function createSlots(count: number): Slots {
  let free = count;
  const waiting = new Set<() => void>();

  function release(): void {
    const [next] = waiting;
    if (next === undefined) free += 1;
    else next();
  }

  return {
    async acquire(signal) {
      signal?.throwIfAborted();
      if (free > 0) {
        free -= 1;
        return release;
      }
      return new Promise((resolve, reject) => {
        const leave = () => {
          waiting.delete(enter);
          signal?.removeEventListener('abort', giveUp);
        };
        const enter = () => {
          leave();
          resolve(release);
        };
        const giveUp = () => {
          leave();
          reject(signal?.reason);
        };
        waiting.add(enter);
        signal?.addEventListener('abort', giveUp, { once: true });
      });
    },
  };
}
