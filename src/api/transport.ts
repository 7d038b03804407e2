/**
 * Sends requests to the API until they have an answer, by the error table.
 *
 * Two ideas carry it. The token leaves for the configured origin only, whatever a server says. And a write is
 * sent again only where that is harmless: PATCH, PUT and DELETE carry absolute values, a POST does not, so a
 * POST whose fate is unknown ends with an error that says so.
 */
import pRetry from 'p-retry';
import type { Clock } from '../clock.ts';
import { isSyncError, SyncError } from '../errors.ts';
import type { Emit } from '../events.ts';
import type { Answer } from './answer.ts';
import { createSender } from './attempt.ts';
import { mayHaveTakenEffect } from './failure.ts';
import { backoffMs, createGate, WAIT_MS_MAX } from './retry.ts';
import { attempt, type Course, type RequestSpec, type SendContext } from './send.ts';
import { createSlots } from './slots.ts';
import type { TokenSource } from './token.ts';

export interface TransportOptions {
  /** May carry a path: `https://host/homedashboard`. */
  readonly baseUrl: string;
  readonly tokenSource: TokenSource;
  readonly clock: Clock;
  readonly emit: Emit;
  /** Requests in flight at the most. */
  readonly concurrency: number;
  /** From sending to the last byte of the answer. */
  readonly timeoutMs?: number;
  readonly connectTimeoutMs?: number;
  readonly bodyBytesMax?: number;
  /** How often one request is sent at the most; waits that the server asks for are bounded by time instead. */
  readonly attemptsMax?: number;
  readonly userAgent?: string;
  /** For the jitter: from 0 up to, not including, 1. */
  readonly random?: () => number;
}

export interface Transport {
  /** @throws SyncError by the error table; the signal's reason when it is aborted. */
  request(spec: RequestSpec): Promise<Answer>;
  /** Ends idle connections. */
  close(): void;
}

/** Slow pages of a thousand rows come well within a minute; a dead peer costs no more than that. */
const TIMEOUT_MS = 60_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** A page of 1,000 clients is about 0.6 MB. */
const BODY_BYTES_MAX = 32 * 1024 * 1024;
/** With the backoff of retry.ts about half a minute of trying. */
const ATTEMPTS_MAX = 8;
/** How long one request may be put off by the server's own `Retry-After` before such waits count as attempts. */
const THROTTLED_MS_MAX = 30 * 60_000;
/** A shorter `Retry-After` is no wait worth the name, and counts as an attempt. */
const THROTTLED_MS_MIN = 1000;

/** @throws SyncError SETTINGS for a base URL that is none. */
export function createTransport(options: TransportOptions): Transport {
  const { clock, emit } = options;
  const random = options.random ?? Math.random;
  const retries = (options.attemptsMax ?? ATTEMPTS_MAX) - 1;
  const context: SendContext = {
    base: parseBaseUrl(options.baseUrl),
    clock,
    emit,
    sender: createSender(options.concurrency),
    slots: createSlots(options.concurrency),
    gate: createGate(clock),
    currentToken: () => options.tokenSource.current(),
    rereadToken: createReread(options.tokenSource, emit),
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    connectTimeoutMs: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    bodyBytesMax: options.bodyBytesMax ?? BODY_BYTES_MAX,
    userAgent: options.userAgent ?? 'clients-mirror',
  };
  const { host, pathname } = new URL(context.base);
  const place = `${host}${pathname.replace(/\/$/, '')}`;

  /** Waits before the next attempt; false: there is to be none. */
  async function wait(error: unknown, spec: RequestSpec, course: Course): Promise<boolean> {
    if (!isSyncError(error) || !isWorthRetrying(error, spec, course)) return false;
    const askedMs = error.details.retryAfterMs ?? 0;
    const delayMs = Math.max(askedMs, backoffMs(course.attempt, random));
    if (spec.deadlineMs !== undefined && clock.now() + delayMs >= spec.deadlineMs) return false;
    const reason = error.message.slice(course.where.length).replace(/^[: ]+/, '');
    const { method, path } = spec;
    emit({ type: 'requestRetried', method, path, attempt: course.attempt, delayMs, reason });
    course.throttledMs += askedMs;
    await clock.sleep(delayMs, spec.signal);
    return true;
  }

  return {
    async request(spec) {
      const where = `${spec.method} ${place}${spec.path}`;
      const course: Course = {
        where,
        attempt: 0,
        reauthorized: false,
        lost: false,
        tooLate: false,
        throttledMs: 0,
      };
      try {
        // p-retry counts and decides. It must not wait, that is the Clock's part; nor see the signal: it would
        // throw away an answer that comes in the moment of the abort, and with it the fate of a write.
        return await pRetry(() => attempt(context, spec, course), {
          retries,
          minTimeout: 0,
          maxTimeout: 0,
          shouldConsumeRetry: ({ error }) => !isServersWait(error) || course.throttledMs > THROTTLED_MS_MAX,
          shouldRetry: ({ error }) => wait(error, spec, course),
        });
      } catch (error) {
        if (!isSyncError(error)) {
          spec.signal?.throwIfAborted();
          throw error;
        }
        throw course.lost && spec.method !== 'GET' ? mayHaveTakenEffect(error) : error;
      }
    },
    close: () => context.sender.close(),
  };
}

function isWorthRetrying(error: SyncError, spec: RequestSpec, course: Course): boolean {
  if (error.retry !== 'now' || spec.retry === false || course.tooLate) return false;
  if (spec.method === 'POST' && course.lost) return false;
  return (error.details.retryAfterMs ?? 0) <= WAIT_MS_MAX;
}

function isServersWait(error: Error): boolean {
  return isSyncError(error) && (error.details.retryAfterMs ?? 0) >= THROTTLED_MS_MIN;
}

/** All that meet a 401 at once share one reading, and one event. */
function createReread(tokenSource: TokenSource, emit: Emit): () => Promise<void> {
  let rereading: Promise<void> | null = null;
  const reread = async () => {
    if (await tokenSource.reread()) emit({ type: 'tokenReread' });
  };
  return () => {
    rereading ??= reread().finally(() => {
      rereading = null;
    });
    return rereading;
  };
}

/** The base URL without a slash at its end. Messages do not quote it: somebody may have put a password in. */
function parseBaseUrl(text: string): string {
  const fault = (problem: string) => new SyncError('SETTINGS', `CLIENTS_API_URL ${problem}`);
  if (!URL.canParse(text)) throw fault('is not a URL');
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw fault('must begin with https:// or http://');
  if (url.username !== '' || url.password !== '') throw fault('must not hold a user name or password');
  if (url.search !== '' || url.hash !== '') throw fault('must not hold a query or fragment');
  return url.href.replace(/\/+$/, '');
}
