/**
 * The only user of `Date` and of timers in the core. Everything else is given a Clock, so that a test
 * can turn hours into milliseconds.
 */
import { setTimeout as delay } from 'node:timers/promises';

export interface Clock {
  /** Our own time, in milliseconds since 1970-01-01 UTC. */
  now(): number;
  /** Resolves after `ms` milliseconds; rejects with the signal's reason when it is aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    try {
      await delay(ms, undefined, signal ? { signal } : {});
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
  },
};
