/**
 * The long-running worker: schedulers, processors, the ear for local edits. It starts whatever is away and goes on by
 * itself; the first signal drains it within ten seconds, `kill -9` costs nothing but time.
 */
import { once } from 'node:events';
import type { Config } from '../config/settings.ts';
import { withEngine } from '../src/app.ts';
import type { Clock } from '../src/clock.ts';
import { isSyncError, SyncError } from '../src/errors.ts';
import type { Emit } from '../src/events.ts';
import { readIdentity } from '../src/ledger/identity.ts';
import type { Log } from '../src/observe/log.ts';
import type { Traces } from '../src/observe/traces.ts';
import type { PushEngine } from '../src/push/engine.ts';
import type { Warehouse } from '../src/warehouse/warehouse.ts';
import { createFieldWatch } from './jobEngine.ts';
import { createJobLog, type JobLog } from './jobLog.ts';
import { createProcessors, type Processors } from './processors.ts';
import { createQueues, type Queues } from './queue.ts';
import { connectRedis, type RedisConnections } from './redis.ts';
import type { JobName } from './table.ts';
import { keepUp, warnOfRedis } from './upkeep.ts';

/** Jobs under way may end by themselves for so long. */
const GRACE_MS = 5_000;
/** Then they are aborted, and waited for until the process has been at it for so long in all. */
const LEAVE_MS = 9_000;
const CLOSE_MS = 500;
const WAREHOUSE_RETRY_MS = 2_000;

export interface WorkerOptions {
  readonly config: Config;
  readonly clock: Clock;
  /** Hears every event of the core. */
  readonly emit: Emit;
  /** Hears those that are for the log. */
  readonly tell: Emit;
  /** null: no spans. They hear the core by `emit`. */
  readonly traces: Pick<Traces, 'within'> | null;
  readonly log: Log;
  readonly redact: (text: string) => string;
  /** Aborted when the worker is to stop. */
  readonly signal: AbortSignal;
  readonly onJob: (name: JobName, outcome: 'done' | 'skipped' | 'failed', durationMs: number) => void;
  /** Told what there is as soon as it is there, for the HTTP face. */
  readonly onRedis: (redis: RedisConnections) => void;
  readonly onWarehouse: (warehouse: Warehouse) => void;
  readonly onQueues: (queues: Queues) => void;
}

/**
 * Works until the signal is aborted, then drains and returns.
 * @throws SyncError that no waiting mends: SETTINGS, SCHEMA_NEWER, WAREHOUSE_FOREIGN.
 */
export async function runWorker(options: WorkerOptions): Promise<void> {
  const { config, log, signal } = options;
  const redis = connectRedis(config.redisUrl, {
    onAway: (reason) => log.warn(`Redis is away (${options.redact(reason)}); waiting for it`),
    onBack: () => log.info('Redis is back'),
  });
  options.onRedis(redis);
  const jobLog = createJobLog(log, options.tell, options.clock.now);
  const emit: Emit = (event) => {
    options.emit(event);
    jobLog.emit(event);
  };
  const work = withPatience({ ...options, emit }, async (engine, abort) => {
    options.onWarehouse(engine.warehouse);
    await redis.ready(signal);
    await warnOfRedis(redis, log);
    await workWith({ engine, abort, redis, jobLog }, options);
  });
  try {
    // Whatever hangs then, a database that answers no more say, the process leaves.
    await Promise.race([work, timeToLeave(options)]);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    redis.close();
  }
}

async function timeToLeave({ clock, signal }: WorkerOptions): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
  await clock.sleep(LEAVE_MS + CLOSE_MS);
}

/** Opens the engine; a warehouse that is away is waited for. */
async function withPatience(
  options: WorkerOptions,
  work: (engine: PushEngine, abort: AbortController) => Promise<void>,
): Promise<void> {
  const { config, clock, emit, log, signal } = options;
  for (let isFirst = true; ; isFirst = false) {
    const abort = new AbortController();
    let isOpen = false;
    try {
      return await withEngine({ config, clock, emit, signal: abort.signal }, (engine) => {
        isOpen = true;
        return work(engine, abort);
      });
    } catch (error) {
      if (isOpen || !isSyncError(error) || error.retry === 'never' || error.exit === 2) throw error;
      if (isFirst) log.warn(`${options.redact(error.message)}; waiting for it`);
      await clock.sleep(WAREHOUSE_RETRY_MS, signal);
    }
  }
}

interface Parts {
  readonly engine: PushEngine;
  readonly abort: AbortController;
  readonly redis: RedisConnections;
  readonly jobLog: JobLog;
}

async function workWith({ engine, abort, redis, jobLog }: Parts, options: WorkerOptions): Promise<void> {
  const { config, log, redact, signal, traces } = options;
  const telemetry = traces === null ? undefined : (await import('./telemetry.ts')).createTelemetry();
  const queues = createQueues(redis, await readIdentity(engine.warehouse), telemetry);
  const freshen = await createFieldWatch(engine);
  const processors = createProcessors({
    ...{ config, engine, redis, queues, log, redact, freshen, telemetry },
    within: traces?.within ?? ((work) => work()),
    stop: signal,
    onDone(name, result, durationMs) {
      jobLog.done(name, result, durationMs);
      options.onJob(name, 'skipped' in result ? 'skipped' : 'done', durationMs);
    },
    tellFailure: jobLog.failed,
    onFailed: (name, durationMs) => options.onJob(name, 'failed', durationMs),
  });
  options.onQueues(queues);
  log.info(`worker runs: ${engine.warehouse.label}, ${redis.label}`);
  await keepUp({ engine, queues, redis, config, log, redact, signal });
  await leave(processors, { abort, redis }, options);
  await within(CLOSE_MS, queues.close(), options.clock);
  log.info('worker drained');
}

async function leave(
  processors: Processors,
  { abort, redis }: Pick<Parts, 'abort' | 'redis'>,
  options: WorkerOptions,
): Promise<void> {
  const { clock } = options;
  const drained = processors.drain();
  // BullMQ waits for a Redis that is away; with no job under way there is nothing to wait for.
  if (redis.commands.status !== 'ready' && processors.active() === 0) return;
  if (await within(GRACE_MS, drained, clock)) return;
  abort.abort(new SyncError('STOPPED', 'the worker stops, state kept'));
  if (await within(LEAVE_MS - GRACE_MS, drained, clock)) return;
  options.log.warn('some jobs did not end in time; others take them over');
  void processors.abandon();
}

/** Did it end within so many milliseconds? */
async function within(ms: number, work: Promise<unknown>, clock: Clock): Promise<boolean> {
  const done = new AbortController();
  const timeout = clock.sleep(ms, done.signal).then(
    () => false,
    () => true,
  );
  const ended = work.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([ended, timeout]);
  } finally {
    done.abort();
  }
}
