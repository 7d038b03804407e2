/**
 * The use cases, each as one call, and the cycle that cron starts: a backfill where there is none yet, else what
 * changed at the source; then the local edits.
 */
import { backfill, needsBackfill } from './pull/backfill.ts';
import { pull } from './pull/pull.ts';
import type { PushEngine } from './push/engine.ts';
import { mergeOnly, type PushChoice, push } from './push/push.ts';
import { type ReconcileChoice, type ReconcileReport, reconcile } from './reconcile/reconcile.ts';
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
 * Brings the mirror up to date. Local edits of clients that the source has changed too are merged and not sent.
 * @throws SyncError SHAPE_CHANGED when owner or excluded fields are not those that the mirror was made with.
 */
export async function runPull(engine: PushEngine): Promise<RunSummary> {
  if (await needsBackfill(engine)) return runBackfill(engine, { restart: false });
  return pull(engine, () => mergeOnly(engine));
}

/** Carries the local edits to the source. */
export function runPush(engine: PushEngine, choice: PushChoice): Promise<RunSummary> {
  return push(engine, choice);
}

/** Both halves: what changed at the source, then what changed here. */
export async function runSync(engine: PushEngine): Promise<RunSummary> {
  const isNew = await needsBackfill(engine);
  const pulled = isNew ? await runBackfill(engine, { restart: false }) : await pull(engine);
  const pushed = await push(engine, { allowMassEdit: false });
  return {
    rows: pulled.rows + pushed.rows,
    written: pulled.written + pushed.written,
    requests: pulled.requests + pushed.requests,
  };
}

/**
 * Compares every client with the source, mends what differs and certifies the rest; a backfill comes first where
 * none is finished.
 * @throws SyncError GUARDED when far too many clients seem deleted; SHAPE_CHANGED as runPull.
 */
export async function runReconcile(engine: Engine, choice: ReconcileChoice): Promise<ReconcileReport> {
  if ((await needsBackfill(engine)) && !choice.dryRun) await runBackfill(engine, { restart: false });
  return reconcile(engine, choice);
}
