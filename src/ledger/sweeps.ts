/**
 * `mirror_sweeps` and its spans: how far a comparison of source and mirror has come, so that a killed one goes on
 * where it was. Spans are half-open in `createdOn`, as a backfill's windows are, with one lane of rows without it.
 */
import type { Place } from '../api/readInOrder.ts';
import type { Instant } from '../clients/instant.ts';
import { canonicalJson } from '../clients/record.ts';
import { type SqlValue, type Statement, statement, type Warehouse } from '../warehouse/warehouse.ts';
import type { Shape } from './windows.ts';

/** plain: ids and stamps. deep: every field. Either may be dry: it tells and changes nothing. */
export type SweepMode = 'plain' | 'deep' | 'dry plain' | 'dry deep';

export interface Sweep {
  readonly id: number;
  readonly mode: SweepMode;
  readonly startedAt: Instant;
}

export interface Span {
  readonly id: number;
  readonly lane: 'values' | 'nulls';
  /** Inclusive; null: from the beginning. */
  readonly low: Instant | null;
  /** Exclusive; null: to the end. */
  readonly high: Instant | null;
  /** Everything before its key is compared; `seen` > 0: that many ids at the key are in the scratch table. */
  readonly place: Place;
  readonly rows: number;
}

export type SpanBounds = Pick<Span, 'lane' | 'low' | 'high'>;

/**
 * The sweep of that mode and shape that has not ended, unless it began before `notBefore`. One that a guard stopped
 * counts where `isAllowed`: else what the guard saw may be over, and is looked for anew.
 */
export async function readOpenSweep(
  warehouse: Warehouse,
  mode: SweepMode,
  shape: Shape,
  query: { readonly notBefore: Instant; readonly isAllowed: boolean },
): Promise<Sweep | null> {
  const sql = `SELECT id, mode, started_at FROM mirror_sweeps
    WHERE (state = 'running' OR state = ?) AND mode = ? AND shape = ? AND started_at >= ? ORDER BY id DESC LIMIT 1`;
  const stopped = query.isAllowed ? 'guarded' : 'running';
  const [row] = await warehouse.read({ sql, params: [stopped, mode, canonicalJson(shape), query.notBefore] });
  return row === undefined ? null : toSweep(row);
}

export async function readSweep(warehouse: Warehouse, id: number): Promise<Sweep | null> {
  const sql = 'SELECT id, mode, started_at FROM mirror_sweeps WHERE id = ?';
  const [row] = await warehouse.read({ sql, params: [id] });
  return row === undefined ? null : toSweep(row);
}

function toSweep(row: Readonly<Record<string, SqlValue>>): Sweep {
  return {
    id: Number(row.id),
    mode: row.mode as SweepMode,
    startedAt: row.started_at as Instant,
  };
}

/** A guard stopped it: it goes on by a person's word only. */
export function holdSweep(id: number): Statement {
  return statement("UPDATE mirror_sweeps SET state = 'guarded' WHERE id = ?", [id], 1);
}

/** A new sweep with its spans. What others left unfinished is dropped with all that it had found. */
export function createSweep(
  mode: SweepMode,
  shape: Shape,
  spans: readonly SpanBounds[],
  at: Instant,
): Statement[] {
  const newest = "(SELECT max(id) FROM mirror_sweeps WHERE state = 'running')";
  const span = `INSERT INTO mirror_sweep_spans (sweep_id, lane, low, high) VALUES (${newest}, ?, ?, ?)`;
  return [
    statement(
      "UPDATE mirror_sweeps SET state = 'abandoned', finished_at = ? WHERE state IN ('running', 'guarded')",
      [at],
    ),
    statement('DELETE FROM mirror_sweep_spans'),
    statement('DELETE FROM mirror_sweep_ids'),
    statement(`DELETE FROM mirror_findings WHERE outcome IS NULL`),
    statement(
      "INSERT INTO mirror_sweeps (mode, state, shape, started_at) VALUES (?, 'running', ?, ?)",
      [mode, canonicalJson(shape), at],
      1,
    ),
    ...spans.map(({ lane, low, high }) => statement(span, [lane, low, high], 1)),
  ];
}

/** Ends a sweep. `certificate` null: it certifies nothing (a dry one). */
export function finishSweep(id: number, at: Instant, certificate: string | null): Statement[] {
  return [
    statement("UPDATE mirror_sweeps SET state = 'done', finished_at = ?, certificate = ? WHERE id = ?", [
      at,
      certificate,
      id,
    ]),
    statement('DELETE FROM mirror_sweep_spans WHERE sweep_id = ?', [id]),
  ];
}

const SPAN = 'SELECT id, lane, low, high, key, seen, seam, rows FROM mirror_sweep_spans WHERE sweep_id = ?';

export async function readOpenSpans(warehouse: Warehouse, sweepId: number): Promise<Span[]> {
  const rows = await warehouse.read({ sql: `${SPAN} AND done = 0 ORDER BY id`, params: [sweepId] });
  return rows.map(toSpan);
}

/** Rows compared so far, all spans together. */
export async function countSwept(warehouse: Warehouse, sweepId: number): Promise<number> {
  const sql = 'SELECT sum(rows) AS rows FROM mirror_sweep_spans WHERE sweep_id = ?';
  const [row] = await warehouse.read({ sql, params: [sweepId] });
  return Number(row?.rows ?? 0);
}

export function saveSpan(id: number, place: Place, rows: number): Statement {
  const sql = 'UPDATE mirror_sweep_spans SET key = ?, seen = ?, seam = ?, rows = ? WHERE id = ?';
  return statement(sql, [place.key, place.seen, place.seam?.id ?? null, rows, id], 1);
}

export function finishSpan(id: number, rows: number): Statement {
  return statement('UPDATE mirror_sweep_spans SET done = 1, rows = ? WHERE id = ?', [rows, id], 1);
}

function toSpan(row: Readonly<Record<string, SqlValue>>): Span {
  const key = row.key as Instant | null;
  return {
    id: Number(row.id),
    lane: row.lane as Span['lane'],
    low: row.low as Instant | null,
    high: row.high as Instant | null,
    place: { key, seen: Number(row.seen), seam: row.seam === null ? null : { id: String(row.seam), key } },
    rows: Number(row.rows),
  };
}

const SCRATCH_ROWS = 500;

/** Puts ids of one instant into the scratch table. */
export function noteIds(spanId: number, ids: readonly string[]): Statement[] {
  const writes: Statement[] = [];
  for (let start = 0; start < ids.length; start += SCRATCH_ROWS) {
    const part = ids.slice(start, start + SCRATCH_ROWS);
    const sql = `INSERT INTO mirror_sweep_ids (span_id, id) VALUES ${part.map(() => '(?, ?)').join(', ')}
      ON CONFLICT (span_id, id) DO NOTHING`;
    writes.push(
      statement(
        sql,
        part.flatMap((id) => [spanId, id]),
      ),
    );
  }
  return writes;
}

export async function countIds(warehouse: Warehouse, spanId: number): Promise<number> {
  const sql = 'SELECT count(*) AS count FROM mirror_sweep_ids WHERE span_id = ?';
  const [row] = await warehouse.read({ sql, params: [spanId] });
  return Number(row?.count ?? 0);
}

export function forgetIds(spanId: number): Statement {
  return statement('DELETE FROM mirror_sweep_ids WHERE span_id = ?', [spanId]);
}
