/** A value that is dear to read, kept for a while: however many look at once, it is read once. */
import type { Clock } from '../clock.ts';

/** Reading takes at most this share of the time. */
const SHARE_MAX = 0.1;

/** @param maxAgeMs how old an answer may be; older where reading takes long. */
export function keepFor<T>(clock: Clock, maxAgeMs: number, read: () => Promise<T>): () => Promise<T> {
  let kept: { readonly value: T; readonly untilMs: number } | null = null;
  let reading: Promise<T> | null = null;

  async function readNow(): Promise<T> {
    const startedMs = clock.now();
    const value = await read();
    const endedMs = clock.now();
    kept = { value, untilMs: endedMs + Math.max(maxAgeMs, (endedMs - startedMs) / SHARE_MAX) };
    return value;
  }

  return () => {
    if (kept !== null && clock.now() < kept.untilMs) return Promise.resolve(kept.value);
    reading ??= readNow().finally(() => {
      reading = null;
    });
    return reading;
  };
}
