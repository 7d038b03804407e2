/**
 * THE table of jobs: one row a job, data only. Queues, processors and schedulers are made from it, each job in a
 * queue of its own, so that a long backfill never delays a push. A job of every minute is tried once: its next
 * turn is its retry.
 */
import type { Config } from '../config/settings.ts';

/** One window of a backfill, as the warehouse numbers them. */
export interface WindowPayload {
  readonly backfillId: number;
  readonly windowId: number;
}

export interface BackfillPayload {
  readonly backfillId: number;
}

export interface Payloads {
  readonly pull: Record<never, never>;
  readonly push: Record<never, never>;
  readonly reconcile: Record<never, never>;
  readonly backfill: BackfillPayload;
  readonly window: WindowPayload;
}

export type JobName = keyof Payloads;

export type Schedule = { readonly every: number } | { readonly pattern: string };

export interface JobRow<Payload> {
  /** Checks what stands in Redis. @throws Error for what no version of ours has written. */
  readonly parse: (data: unknown) => Payload;
  /** When it runs by itself, `every` in milliseconds; null: never. */
  readonly schedule: (config: Config) => Schedule | null;
  /** Jobs at once in one process. */
  readonly concurrency: (config: Config) => number;
  /** Jobs at once in all processes together; null: no limit. */
  readonly globalConcurrency: number | null;
  readonly attempts: number;
}

/** Enough for a night without the API, as the waits between them grow to five minutes. */
const ATTEMPTS_OF_A_NIGHT = 150;

export const JOBS: { readonly [N in JobName]: JobRow<Payloads[N]> } = {
  pull: {
    parse: parseNothing,
    schedule: (config) => ({ every: config.pullSeconds * 1000 }),
    concurrency: () => 1,
    globalConcurrency: 1,
    attempts: 1,
  },
  push: {
    parse: parseNothing,
    schedule: (config) => ({ every: config.pushSeconds * 1000 }),
    concurrency: () => 1,
    globalConcurrency: 1,
    attempts: 1,
  },
  reconcile: {
    parse: parseNothing,
    schedule: (config) => (config.reconcileCron === null ? null : { pattern: config.reconcileCron }),
    concurrency: () => 1,
    globalConcurrency: 1,
    attempts: ATTEMPTS_OF_A_NIGHT,
  },
  /** The parent of a backfill's windows: runs when they are through, catches up and closes the backfill. */
  backfill: {
    parse: (data) => ({ backfillId: numberIn(data, 'backfillId') }),
    schedule: () => null,
    concurrency: () => 1,
    globalConcurrency: 1,
    attempts: ATTEMPTS_OF_A_NIGHT,
  },
  window: {
    parse: (data) => ({ backfillId: numberIn(data, 'backfillId'), windowId: numberIn(data, 'windowId') }),
    schedule: () => null,
    concurrency: (config) => config.concurrency,
    globalConcurrency: null,
    attempts: ATTEMPTS_OF_A_NIGHT,
  },
};

export const JOB_NAMES = Object.keys(JOBS) as readonly JobName[];

function parseNothing(): Record<never, never> {
  return {};
}

function numberIn(data: unknown, key: string): number {
  const value =
    typeof data === 'object' && data !== null ? (data as Record<string, unknown>)[key] : undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  throw new Error(`a job's ${key} is no whole number`);
}
