/**
 * The queues of one mirror, made from the table of jobs. Redis holds no truth: whatever is lost there is put back
 * by `upsertSchedulers`, which any number of workers may call as often as they like.
 */
import { FlowProducer, type JobsOptions, Queue, type Telemetry } from 'bullmq';
import type { Config } from '../config/settings.ts';
import type { RedisConnections } from './redis.ts';
import { JOB_NAMES, JOBS, type JobName, type Payloads, type Schedule } from './table.ts';

/** Finished jobs that the queue board still shows. */
const KEEP_DONE = 50;
const KEEP_FAILED = 100;
const EVENTS_MAX = 1_000;
/** A retry after 1, 2, 4 … seconds, five minutes at the most. */
const BACKOFF_MS = 1_000;
export const BACKOFF_MS_MAX = 300_000;

export interface Queues {
  readonly all: Readonly<Record<JobName, Queue>>;
  readonly flow: FlowProducer;
  readonly prefix: string;
  /** Brings the schedulers to what the table and the settings say; writes only what differs. */
  upsertSchedulers(config: Config): Promise<void>;
  /** Runs a push soon, once, however many ask for it. */
  pushSoon(): Promise<void>;
  /** Keeps all workers from taking jobs for so many milliseconds. */
  holdBack(delayMs: number): Promise<void>;
  close(): Promise<void>;
}

/** The keys of one mirror; in braces, so that a cluster keeps them on one node. */
export function prefixOf(identity: string): string {
  return `{clients-mirror-${identity}}`;
}

export function jobOptions(name: JobName): JobsOptions {
  return {
    attempts: JOBS[name].attempts,
    backoff: { type: 'custom', delay: BACKOFF_MS },
    removeOnComplete: { count: KEEP_DONE },
    removeOnFail: { count: KEEP_FAILED },
    stackTraceLimit: 3,
  };
}

/**
 * @param redis must be ready: a queue that is made while Redis is away never recovers.
 * @param telemetry so that a job's span knows the one that added it.
 */
export function createQueues(redis: RedisConnections, identity: string, telemetry?: Telemetry): Queues {
  const prefix = prefixOf(identity);
  const options = {
    ...{ connection: redis.commands, prefix, skipWaitingForReady: true, skipVersionCheck: true },
    ...(telemetry === undefined ? {} : { telemetry }),
  };
  const all = Object.fromEntries(
    JOB_NAMES.map((name) => {
      const streams = { events: { maxLen: EVENTS_MAX } };
      const queue = new Queue(name, { ...options, streams, defaultJobOptions: jobOptions(name) });
      queue.on('error', () => undefined);
      return [name, queue];
    }),
  ) as unknown as Record<JobName, Queue>;
  const flow = new FlowProducer(options);
  flow.on('error', () => undefined);
  return {
    all,
    flow,
    prefix,
    async upsertSchedulers(config) {
      for (const name of JOB_NAMES) {
        const { globalConcurrency, schedule } = JOBS[name];
        if (globalConcurrency !== null) await all[name].setGlobalConcurrency(globalConcurrency);
        await upsertOne(all[name], name, schedule(config));
      }
    },
    async pushSoon() {
      const deduplication = { id: 'edits', keepLastIfActive: true };
      await all.push.add('push', {} satisfies Payloads['push'], { deduplication });
    },
    async holdBack(delayMs) {
      await Promise.all(JOB_NAMES.map((name) => all[name].rateLimit(delayMs)));
    },
    async close() {
      await Promise.allSettled([...JOB_NAMES.map((name) => all[name].close()), flow.close()]);
    },
  };
}

async function upsertOne(queue: Queue, name: JobName, schedule: Schedule | null): Promise<void> {
  for (const other of await queue.getJobSchedulers()) {
    if (schedule === null || other.key !== name) await queue.removeJobScheduler(other.key);
  }
  if (schedule === null) return;
  const found = await queue.getJobScheduler(name);
  if (found !== undefined && isSame(found, schedule) && !(await isLost(queue))) return;
  // Each turn is a trace of its own, not one that lasts for months.
  const template = { name, data: {}, opts: { ...jobOptions(name), telemetry: { omitContext: true } } };
  await queue.upsertJobScheduler(name, 'every' in schedule ? schedule : { ...schedule, tz: 'UTC' }, template);
}

function isSame(found: { every?: number; pattern?: string }, schedule: Schedule): boolean {
  return 'every' in schedule ? Number(found.every) === schedule.every : found.pattern === schedule.pattern;
}

/** The next turn is made when one begins, so that a scheduler without any job at all has lost its own. */
async function isLost(queue: Queue): Promise<boolean> {
  const counts = await queue.getJobCounts('waiting', 'active', 'delayed', 'prioritized');
  return Object.values(counts).every((count) => count === 0);
}
