/** Keeps the book of a run in `mirror_runs`: opened before its work, closed with what became of it. */
import { addSeconds, instantFromMs } from '../clients/instant.ts';
import { isSyncError } from '../errors.ts';
import type { RunKind, SyncEvent } from '../events.ts';
import { closeKilledRuns, dropRun, finishRun, pruneRuns, type RunOutcome, startRun } from '../ledger/runs.ts';
import type { StatementResult } from '../warehouse/warehouse.ts';
import type { Engine } from './engine.ts';

export interface RunSummary {
  /** Rows read from the source. */
  readonly rows: number;
  /** Rows that differed: written, put on the to-do list or quarantined. */
  readonly written: number;
  readonly requests: number;
}

/** Counts what the core tells of a run. */
export function createCount(): { hear(event: SyncEvent): void; summary(): RunSummary } {
  let rows = 0;
  let written = 0;
  let requests = 0;
  return {
    hear(event) {
      if (event.type === 'requestDone') requests += 1;
      else if (event.type === 'pageCommitted') {
        rows += event.rows;
        written += event.written;
      } else if (event.type === 'rowsDeferred') written += event.count;
      else if (event.type === 'rowQuarantined') written += 1;
    },
    summary: () => ({ rows, written, requests }),
  };
}

/**
 * Runs `work` as a run of that kind. What it throws is noted with the run and thrown on.
 * @param exclusive the kind's lease is held: a run of the kind still open is then one that was killed.
 */
export async function recordRun(
  engine: Engine,
  run: { kind: RunKind; exclusive: boolean },
  work: () => Promise<void>,
): Promise<RunSummary> {
  const { warehouse, emit, clock } = engine;
  const now = () => instantFromMs(clock.now());
  const count = createCount();
  const opening = run.exclusive ? [closeKilledRuns(run.kind, now())] : [];
  const results = await warehouse.commit([...opening, startRun(run.kind, now())]);
  const id = Number((results.at(-1) as StatementResult).rows[0]?.id);
  const close = (outcome: Pick<RunOutcome, 'state' | 'error'>) => {
    const before = addSeconds(now(), -engine.options.keepDays * 86_400);
    const closing = finishRun({ id, kind: run.kind }, { ...outcome, ...count.summary() }, now());
    return warehouse.commit([...closing, pruneRuns(before)]);
  };
  const unsubscribe = engine.subscribe(count.hear);
  try {
    await work();
    await close({ state: 'done', error: null });
    const { rows, requests } = count.summary();
    emit({ type: 'runFinished', kind: run.kind, rows, requests });
    return count.summary();
  } catch (error) {
    const state = isSyncError(error, 'STOPPED') ? 'stopped' : 'failed';
    const message = error instanceof Error ? error.message : String(error);
    const closed = isSyncError(error, 'LEASE_HELD')
      ? warehouse.commit([dropRun(id)])
      : close({ state, error: message });
    // The warehouse itself may be what failed; the first error is the one to tell.
    await closed.catch(() => undefined);
    throw error;
  } finally {
    unsubscribe();
  }
}
