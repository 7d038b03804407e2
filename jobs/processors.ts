/** One BullMQ worker for each row of the table of jobs: payload in, engine call, counts out. */

import { type Job, type Telemetry, WaitingChildrenError, Worker } from 'bullmq';
import type { Config } from '../config/settings.ts';
import { createLinkedAbort } from '../src/abort.ts';
import { isSyncError, SyncError } from '../src/errors.ts';
import type { Log } from '../src/observe/log.ts';
import { createSplitter, type Splitter } from '../src/pull/split.ts';
import type { PushEngine } from '../src/push/engine.ts';
import { processBackfill, processWindow } from './backfill.ts';
import type { JobContext, JobResult } from './context.ts';
import { backoffMs, settleFailure } from './failure.ts';
import { withJobEngine } from './jobEngine.ts';
import { processPull } from './pull.ts';
import { processPush } from './push.ts';
import type { Queues } from './queue.ts';
import { processReconcile } from './reconcile.ts';
import { asRedisError, type RedisConnections } from './redis.ts';
import { JOB_NAMES, JOBS, type JobName, type Payloads } from './table.ts';

/** A worker that gives no sign of life loses its job after so long; renewed at half. */
const LOCK_MS = 15_000;
const STALLED_EVERY_MS = 10_000;
/** A job that outlives its worker is no fault of its own: the leases decide whether it may commit. */
const STALLED_MAX = 1_000;
/** High enough to be no limit; it is what makes workers heed `holdBack`. */
const LIMITER = { max: 100_000, duration: 1_000 };
const RESULT_RETRY_MS = 1_000;
const COUNT_WORKERS_EVERY_MS = 2_000;

export interface ProcessorOptions {
  readonly config: Config;
  readonly engine: PushEngine;
  readonly redis: RedisConnections;
  readonly queues: Queues;
  readonly log: Log;
  readonly redact: (text: string) => string;
  /** The process is to stop: windows, which go on where they are, stop at once. */
  readonly stop: AbortSignal;
  readonly freshen: (signal: AbortSignal) => Promise<void>;
  readonly telemetry: Telemetry | undefined;
  /** Runs a job's work so that its spans end with it. */
  readonly within: <T>(work: () => Promise<T>) => Promise<T>;
  readonly onDone: (name: JobName, result: JobResult, durationMs: number) => void;
  /** Why, for the log, where nobody expected it. */
  readonly tellFailure: (name: JobName, words: string) => void;
  /** It ended otherwise; it may be tried again. */
  readonly onFailed: (name: JobName, durationMs: number) => void;
}

export interface Processors {
  /** Takes no more jobs; resolves when those under way have ended. */
  drain(): Promise<void>;
  /** Jobs under way. */
  active(): number;
  /** Waits for nothing. */
  abandon(): Promise<void>;
}

interface At {
  readonly job: Job;
  readonly token: string;
  /** Aborted when the job's lock is lost. */
  readonly lock: AbortSignal;
}

type Run = (name: JobName, at: At) => Promise<JobResult>;

type Handlers = {
  readonly [N in JobName]: (
    context: JobContext,
    payload: Payloads[N],
    job: { readonly job: Job; readonly token: string },
  ) => Promise<JobResult>;
};

const HANDLERS: Handlers = {
  pull: processPull,
  push: processPush,
  reconcile: processReconcile,
  backfill: processBackfill,
  window: processWindow,
};

export function createProcessors(options: ProcessorOptions): Processors {
  const shared = { lanes: createLaneCount(options), splitterOf: createSplitters(options.engine) };
  let active = 0;
  const counted: Run = async (name, at) => {
    active += 1;
    try {
      return await runOne(name, at, options, shared);
    } finally {
      active -= 1;
    }
  };
  const workers = JOB_NAMES.map((name) => createOne(name, options, counted));
  const close = async (force: boolean): Promise<void> => {
    await Promise.allSettled(workers.map((worker) => worker.close(force)));
  };
  return { drain: () => close(false), active: () => active, abandon: () => close(true) };
}

function createOne<N extends JobName>(name: N, options: ProcessorOptions, run: Run): Worker {
  const { redis, queues, config, log, engine } = options;
  const worker = new Worker(
    name,
    async (job, token = '', lock = new AbortController().signal) => {
      const startedMs = engine.clock.now();
      try {
        const result = await run(name, { job, token, lock });
        options.onDone(name, result, engine.clock.now() - startedMs);
        return result;
      } catch (error) {
        options.onFailed(name, engine.clock.now() - startedMs);
        throw error;
      }
    },
    {
      connection: redis.waiting,
      prefix: queues.prefix,
      concurrency: JOBS[name].concurrency(config),
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_EVERY_MS,
      maxStalledCount: STALLED_MAX,
      limiter: LIMITER,
      runRetryDelay: RESULT_RETRY_MS,
      settings: { backoffStrategy: (attemptsMade) => backoffMs(attemptsMade) },
      ...(options.telemetry === undefined ? {} : { telemetry: options.telemetry }),
    },
  );
  worker.on('lockRenewalFailed', (ids) => {
    for (const id of ids) worker.cancelJob(id);
  });
  // While Redis is away this comes again and again; that it is away is told elsewhere.
  worker.on('error', (error) => log.debug(`queue ${name}: ${options.redact(error.message)}`));
  return worker;
}

async function runOne<N extends JobName>(
  name: N,
  at: At,
  options: ProcessorOptions,
  shared: Pick<JobContext, 'lanes' | 'splitterOf'>,
): Promise<JobResult> {
  const { engine, queues, redact, config } = options;
  const lost = createLinkedAbort(name === 'window' ? options.stop : undefined);
  const lose = (): void => lost.abort(new SyncError('LEASE_LOST', `the job ${name} lost its lock`));
  at.lock.addEventListener('abort', lose, { once: true });
  const { signal } = lost;
  try {
    return await withJobEngine(engine, signal, async (own) => {
      await options.freshen(own.signal);
      const context = { engine: own, queues, ...shared };
      return options.within(() => HANDLERS[name](context, JOBS[name].parse(at.job.data), at));
    });
  } catch (error) {
    if (error instanceof WaitingChildrenError) throw error;
    const cause = asRedisError(causeOf(error, [signal, engine.signal]), options.redis.label);
    if (!isExpected(cause)) options.tellFailure(name, redact(wordsOf(cause)));
    return settleFailure(cause, {
      ...at,
      isScheduled: JOBS[name].schedule(config) !== null,
      holdBack: queues.holdBack,
      redact,
      now: engine.clock.now,
    });
  } finally {
    lost.close();
  }
}

/** What is interrupted throws all sorts of things; what happened is that it was interrupted. */
function causeOf(error: unknown, signals: readonly AbortSignal[]): unknown {
  const aborted = signals.find((signal) => signal.aborted);
  return aborted === undefined || isSyncError(error, 'LEASE_HELD') ? error : aborted.reason;
}

function isExpected(error: unknown): boolean {
  return isSyncError(error, 'LEASE_HELD') || isSyncError(error, 'STOPPED');
}

function wordsOf(error: unknown): string {
  if (isSyncError(error)) return error.hint === '' ? error.message : `${error.message}. ${error.hint}`;
  return error instanceof Error ? `unexpected ${error.name}: ${error.message}` : String(error);
}

/** How many windows all workers can read at once; asked of Redis now and then only. */
function createLaneCount({ queues, config, engine }: ProcessorOptions): () => Promise<number> {
  let lanes = config.concurrency;
  let countedMs = Number.NEGATIVE_INFINITY;
  return async () => {
    const nowMs = engine.clock.now();
    if (nowMs - countedMs < COUNT_WORKERS_EVERY_MS) return lanes;
    countedMs = nowMs;
    // Some hosted Redis do not list their clients.
    const workers = await queues.all.window.getWorkersCount().catch(() => 1);
    lanes = Math.max(1, workers) * config.concurrency;
    return lanes;
  };
}

function createSplitters(engine: PushEngine): JobContext['splitterOf'] {
  let last: { readonly id: number; readonly splitter: Splitter } | null = null;
  return (id) => {
    if (last?.id !== id) last = { id, splitter: createSplitter(engine, id) };
    return last.splitter;
  };
}
