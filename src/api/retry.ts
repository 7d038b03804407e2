/**
 * When to try again. Server timing in, milliseconds out; and the gate at which the whole process waits once
 * the server has asked for time, so that forty requests do not each find out by themselves.
 */
import { type Instant, instantFromMs, secondsBetween } from '../clients/instant.ts';
import type { Clock } from '../clock.ts';
import { SyncError } from '../errors.ts';
import { parseHttpDate } from './httpDate.ts';

const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 30_000;
/** Longer than this nobody waits in a running command: it fails and says when to come back. */
export const WAIT_MS_MAX = 5 * 60_000;
/** A server or proxy that says "in thirty years" is asked again after this long all the same. */
const HOLD_MS_MAX = 60 * 60_000;
/** Keeps a nonsensical wait within the calendar. */
const YEAR_MS = 365 * 86_400_000;

/** Exponential with full jitter: anything between nothing and the bound, so that clients do not march in step. */
export function backoffMs(attempt: number, random: () => number): number {
  return Math.round(random() * Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (attempt - 1)));
}

/**
 * Reads `Retry-After`, seconds or a date. A date is the server's clock, so it is compared with the answer's
 * own `Date` where there is one: ours may be hours off.
 * @returns null when absent or unreadable; never negative.
 */
export function parseRetryAfterMs(
  header: string | undefined,
  serverNow: Instant | null,
  nowMs: number,
): number | null {
  const text = header?.trim() ?? '';
  if (/^\d+(?:\.\d+)?$/.test(text)) return Math.ceil(Number(text) * 1000);
  const until = parseHttpDate(text);
  if (until === null) return null;
  return Math.max(0, Math.ceil(secondsBetween(serverNow ?? instantFromMs(nowMs), until) * 1000));
}

export interface Gate {
  /** Nobody passes for the next `ms` milliseconds. */
  hold(ms: number): void;
  /** Our clock's milliseconds from which on the gate is open; minus infinity where it never was shut. */
  opensAtMs(): number;
  /** Waits until the gate is open. @throws SyncError THROTTLED when nobody waits that long. */
  pass(where: string, signal: AbortSignal | undefined): Promise<void>;
}

export function createGate(clock: Clock): Gate {
  let openAtMs = Number.NEGATIVE_INFINITY;
  return {
    hold(ms) {
      openAtMs = Math.max(openAtMs, clock.now() + Math.min(ms, HOLD_MS_MAX));
    },
    opensAtMs: () => openAtMs,
    async pass(where, signal) {
      for (let waitMs = openAtMs - clock.now(); waitMs > 0; waitMs = openAtMs - clock.now()) {
        if (waitMs > WAIT_MS_MAX) throw tooLongToWait(where, clock.now(), waitMs);
        await clock.sleep(waitMs, signal);
      }
      signal?.throwIfAborted();
    },
  };
}

/** The error of a wait that nobody sits out. */
export function tooLongToWait(where: string, nowMs: number, waitMs: number): SyncError {
  const when = `${instantFromMs(nowMs + Math.min(waitMs, YEAR_MS)).slice(0, 19)}Z`;
  return new SyncError('THROTTLED', `${where}: the API asks to be left alone until ${when}`, {
    retryAfterMs: waitMs,
    hint: `Nothing is lost: run the command again after ${when}.`,
  });
}
