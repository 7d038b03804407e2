/**
 * A Clock whose time passes only when somebody sleeps, or is told to. `sleeps` holds what was asked for, so that
 * a test reads the delays instead of waiting them out.
 */
import type { Clock } from '../../src/clock.ts';

export interface FakeClock extends Clock {
  readonly sleeps: number[];
  /** Lets time pass; who sleeps until then wakes. */
  advance(ms: number): void;
  /** Sets time, as an administrator would: nobody wakes. */
  set(nowMs: number): void;
}

interface Sleeper {
  readonly untilMs: number;
  readonly wake: () => void;
}

/** @param auto does a sleep of so many milliseconds pass at once, and move time? Else only `advance` does. */
export function createFakeClock(
  startMs = Date.UTC(2026, 0, 1),
  auto: boolean | ((ms: number) => boolean) = true,
): FakeClock {
  const passes = typeof auto === 'boolean' ? () => auto : auto;
  let nowMs = startMs;
  const sleeps: number[] = [];
  const sleepers = new Set<Sleeper>();

  function advanceTo(toMs: number): void {
    nowMs = Math.max(nowMs, toMs);
    for (const sleeper of sleepers) if (sleeper.untilMs <= nowMs) sleeper.wake();
  }

  return {
    sleeps,
    now: () => nowMs,
    advance: (ms) => advanceTo(nowMs + ms),
    set(ms) {
      nowMs = ms;
    },
    sleep(ms, signal) {
      sleeps.push(ms);
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const leave = () => {
          sleepers.delete(sleeper);
          signal?.removeEventListener('abort', giveUp);
        };
        const giveUp = () => {
          leave();
          reject(signal?.reason);
        };
        const sleeper: Sleeper = {
          untilMs: nowMs + ms,
          wake() {
            leave();
            resolve();
          },
        };
        sleepers.add(sleeper);
        signal?.addEventListener('abort', giveUp, { once: true });
        // Behind what is ready to run now, so that a test may abort a sleep it has just seen begin.
        if (passes(ms)) setImmediate(() => sleepers.has(sleeper) && advanceTo(sleeper.untilMs));
      });
    },
  };
}
