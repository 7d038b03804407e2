/**
 * The connections to Redis. Two kinds, because BullMQ asks for opposites: commands fail at once while Redis is away
 * (else adding a job would hang for ever), workers wait for it for as long as it takes.
 */
import { Redis } from 'ioredis';
import { withoutPassword } from '../config/addresses.ts';
import { isSyncError, SyncError } from '../src/errors.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const COMMAND_TIMEOUT_MS = 5_000;
/** A cut cable says nothing: a connection that owes an answer for longer is dead. Above BullMQ's longest wait, 10 s. */
const SILENCE_MS = 15_000;
const RECONNECT_MS_MAX = 2_000;
const KEEP_ALIVE_MS = 10_000;

export interface RedisConnections {
  /** Fails at once while Redis is away. */
  readonly commands: Redis;
  /** Waits for Redis. */
  readonly waiting: Redis;
  /** Where Redis is, without a password. */
  readonly label: string;
  /** null: it answers; else why not, in words. */
  check(): Promise<string | null>;
  /** Resolves when Redis answers, as often as it is asked. */
  ready(signal: AbortSignal): Promise<void>;
  close(): void;
}

export interface RedisListener {
  /** Called when Redis went away, and when it is back: not for each attempt between. */
  readonly onAway: (reason: string) => void;
  readonly onBack: () => void;
}

export function connectRedis(url: string, listener: RedisListener): RedisConnections {
  const shared = {
    connectTimeout: CONNECT_TIMEOUT_MS,
    keepAlive: KEEP_ALIVE_MS,
    retryStrategy: (times: number) => Math.min(times * 200, RECONNECT_MS_MAX),
  };
  const commands = new Redis(url, {
    ...shared,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: COMMAND_TIMEOUT_MS,
    socketTimeout: COMMAND_TIMEOUT_MS,
  });
  const waiting = new Redis(url, { ...shared, maxRetriesPerRequest: null, socketTimeout: SILENCE_MS });
  let reason: string | null = null;
  const away = (why: string): void => {
    const isNews = reason === null;
    reason = why;
    if (isNews) listener.onAway(why);
  };
  commands.on('error', (error: Error) => away(wordsOf(error)));
  commands.on('close', () => away(reason ?? 'the connection was closed'));
  commands.on('ready', () => {
    if (reason !== null) listener.onBack();
    reason = null;
  });
  // The same server: what one connection tells is enough.
  waiting.on('error', () => undefined);
  return {
    commands,
    waiting,
    label: withoutPassword(url),
    async check() {
      try {
        await commands.ping();
        return null;
      } catch (error) {
        return reason ?? wordsOf(error as Error);
      }
    },
    async ready(signal) {
      while (commands.status !== 'ready') await nextReady(commands, signal);
    },
    close() {
      commands.disconnect();
      waiting.disconnect();
    },
  };
}

/** An address with several records fails with an error without words of its own. */
function wordsOf(error: Error): string {
  const inner = error instanceof AggregateError ? (error.errors[0] as Error) : error;
  return inner.message === '' ? inner.name : inner.message;
}

/** What ioredis says where a command did not reach Redis, or its answer did not come. It has no codes for it. */
const AWAY =
  /Stream isn't writeable|Connection is closed|max retries per request|Command timed out|Socket timeout|^LOADING |ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT/;

/** An error that only says that Redis is away becomes the one which says it in our words; others stay as they are. */
export function asRedisError(error: unknown, label: string): unknown {
  if (!(error instanceof Error) || isSyncError(error) || !AWAY.test(error.message)) return error;
  return new SyncError('REDIS_AWAY', `${label} does not answer: ${error.message}`, {}, error);
}

/** Not `once`, which would take the first failed attempt for the end. */
function nextReady(commands: Redis, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      commands.off('ready', done);
      signal.removeEventListener('abort', done);
      if (signal.aborted) reject(signal.reason);
      else resolve();
    };
    if (signal.aborted) return done();
    commands.on('ready', done);
    signal.addEventListener('abort', done);
  });
}
