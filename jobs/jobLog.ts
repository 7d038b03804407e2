/**
 * What a worker that runs for months says. A pull a minute that found nothing is not worth a line, and windows that
 * are read side by side make one backfill: jobs tell their own results, and the core's events tell only the rest.
 */
import type { Emit, SyncEvent } from '../src/events.ts';
import type { Log } from '../src/observe/log.ts';
import { countText, durationText, shareText } from '../src/observe/numbers.ts';
import type { JobResult } from './context.ts';
import type { JobName } from './table.ts';

const PROGRESS_EVERY_MS = 10_000;
const FAILURE_EVERY_MS = 60_000;

const TOLD_BY_JOBS: ReadonlySet<SyncEvent['type']> = new Set([
  'runStarted',
  'runFinished',
  'pageCommitted',
  'backfillProgress',
]);

const TOLD_ALWAYS: ReadonlySet<JobName> = new Set(['backfill', 'reconcile']);

export interface JobLog {
  /** Takes the core's events, and gives on what the log is to tell. */
  readonly emit: Emit;
  done(name: JobName, result: JobResult, durationMs: number): void;
  /** A job that fails the same way with each turn is told now and then only. */
  failed(name: JobName, words: string): void;
}

export function createJobLog(log: Log, emit: Emit, now: () => number): JobLog {
  let toldMs = Number.NEGATIVE_INFINITY;
  const failing = new Map<JobName, { readonly words: string; readonly atMs: number }>();
  return {
    emit(event) {
      if (event.type === 'backfillProgress' && now() - toldMs >= PROGRESS_EVERY_MS) {
        toldMs = now();
        log.info(`backfill: ${shareText(event.share)}, ${countText(event.windowsOpen)} windows open`);
      }
      if (!TOLD_BY_JOBS.has(event.type)) emit(event);
    },
    failed(name, words) {
      const last = failing.get(name);
      if (last?.words === words && now() - last.atMs < FAILURE_EVERY_MS) return;
      failing.set(name, { words, atMs: now() });
      log.warn(`${name} failed: ${words}`);
    },
    done(name, result, durationMs) {
      if (!('skipped' in result) && failing.delete(name)) log.info(`${name} works again`);
      const isNews =
        Number(result.written ?? 0) > 0 || TOLD_ALWAYS.has(name) || result.backfill !== undefined;
      const level = isNews && name !== 'window' ? 'info' : 'debug';
      log[level](`${name} done in ${durationText(durationMs)}`, result);
    },
  };
}
