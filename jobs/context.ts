/** What a processor is given, and what it gives back: counts for the queue board. */
import type { Splitter } from '../src/pull/split.ts';
import type { PushEngine } from '../src/push/engine.ts';
import type { Queues } from './queue.ts';

export interface JobContext {
  /** Of this job alone: its signal ends with the job's lock, its events are this job's. */
  readonly engine: PushEngine;
  readonly queues: Queues;
  /** Windows that all workers together can read at once. */
  readonly lanes: () => Promise<number>;
  /** One for all windows of a backfill, so that no window is weighed again and again. */
  readonly splitterOf: (backfillId: number) => Splitter;
}

export type JobResult = Readonly<Record<string, number | string>>;
