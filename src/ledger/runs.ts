/**
 * `mirror_runs`: one row a run, so that a person can see what happened and when. Idle runs of a kind share one
 * row with a count, else a pull a minute would write half a million rows a year to say that nothing happened.
 */
import type { Instant } from '../clients/instant.ts';
import type { RunKind } from '../events.ts';
import { type Query, type Statement, statement, type Warehouse } from '../warehouse/warehouse.ts';

export type RunState = 'running' | 'done' | 'failed' | 'stopped';

export interface Run {
  readonly id: number;
  readonly kind: RunKind;
  readonly state: RunState;
  readonly startedAt: Instant;
  readonly finishedAt: Instant | null;
  readonly rows: number;
  readonly written: number;
  readonly requests: number;
  readonly count: number;
  readonly error: string | null;
}

export interface RunOutcome {
  readonly state: Exclude<RunState, 'running'>;
  readonly rows: number;
  /** Rows that differed and were written, listed or quarantined; 0 makes the run an idle one. */
  readonly written: number;
  readonly requests: number;
  readonly error: string | null;
}

export function startRun(kind: RunKind, at: Instant): Statement {
  const sql = "INSERT INTO mirror_runs (kind, state, started_at) VALUES (?, 'running', ?) RETURNING id";
  return statement(sql, [kind, at], 1);
}

/** A run that ended without a word (killed) is told as such by the next one, which holds the same lease. */
export function closeKilledRuns(kind: RunKind, at: Instant): Statement {
  const sql =
    "UPDATE mirror_runs SET state = 'stopped', finished_at = ?, error = ? WHERE kind = ? AND state = 'running'";
  return statement(sql, [at, 'the process ended without a word', kind]);
}

/** Ends a run; where it and the run before it were idle, the two become one row. */
export function finishRun(run: { id: number; kind: RunKind }, outcome: RunOutcome, at: Instant): Statement[] {
  const { state, rows, written, requests, error } = outcome;
  const finish = statement(
    'UPDATE mirror_runs SET state = ?, finished_at = ?, rows = ?, written = ?, requests = ?, error = ? WHERE id = ?',
    [state, at, rows, written, requests, error, run.id],
  );
  if (state !== 'done' || written > 0) return [finish];
  const fold = statement(
    `UPDATE mirror_runs SET count = count + 1, finished_at = ?, requests = ?, rows = ?
     WHERE state = 'done' AND written = 0
       AND id = (SELECT max(id) FROM mirror_runs WHERE kind = ? AND id < ?)`,
    [at, requests, rows, run.kind, run.id],
  );
  const drop = statement(
    `DELETE FROM mirror_runs WHERE id = ?
       AND EXISTS (SELECT 1 FROM mirror_runs WHERE kind = ? AND finished_at = ? AND count > 1 AND id < ?)`,
    [run.id, run.kind, at, run.id],
  );
  return [finish, fold, drop];
}

/** A run that found another at its work never was one. */
export function dropRun(id: number): Statement {
  return statement('DELETE FROM mirror_runs WHERE id = ?', [id]);
}

/** Forgets runs older than `before`, those too that nobody ended, but never the last of a kind. */
export function pruneRuns(before: Instant): Statement {
  const sql = `DELETE FROM mirror_runs WHERE coalesce(finished_at, started_at) < ?
    AND id NOT IN (SELECT max(id) FROM mirror_runs GROUP BY kind)`;
  return statement(sql, [before]);
}

const LAST_RUNS: Query = {
  sql: `SELECT id, kind, state, started_at, finished_at, rows, written, requests, count, error
    FROM mirror_runs WHERE id IN (SELECT max(id) FROM mirror_runs GROUP BY kind) ORDER BY id DESC`,
  params: [],
};

/** The last run of each kind, newest first. */
export async function readLastRuns(warehouse: Warehouse): Promise<Run[]> {
  const rows = await warehouse.read(LAST_RUNS);
  return rows.map((row) => ({
    id: Number(row.id),
    kind: row.kind as RunKind,
    state: row.state as RunState,
    startedAt: row.started_at as Instant,
    finishedAt: row.finished_at as Instant | null,
    rows: Number(row.rows),
    written: Number(row.written),
    requests: Number(row.requests),
    count: Number(row.count),
    error: row.error as string | null,
  }));
}
