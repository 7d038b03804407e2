/** One cycle for cron: a backfill where there is none yet, else what changed at the source. */
import { backfill, needsBackfill } from './pull/backfill.ts';
import { pull } from './pull/pull.ts';
import type { Engine } from './rows/engine.ts';
import { type RunSummary, recordRun } from './rows/run.ts';

export interface BackfillChoice {
  /** Drop unfinished progress and read everything anew. */
  readonly restart: boolean;
}

/**
 * Mirrors every client, or goes on with a backfill that was stopped.
 * @throws SyncError LEASE_HELD when other processes hold all of its work.
 */
export function runBackfill(engine: Engine, choice: BackfillChoice): Promise<RunSummary> {
  return recordRun(engine, { kind: 'backfill', exclusive: false }, () => backfill(engine, choice));
}

/**
 * Brings the mirror up to date.
 * @throws SyncError SHAPE_CHANGED when owner or excluded fields are not those that the mirror was made with.
 */
export async function runPull(engine: Engine): Promise<RunSummary> {
  return (await needsBackfill(engine)) ? runBackfill(engine, { restart: false }) : pull(engine);
}
