/**
 * `mirror_backfills` and `mirror_windows`: a backfill is a set of windows, half-open spans of `createdOn` and one
 * lane of rows without it. Their progress stands here, so that a killed backfill goes on where it was and any
 * number of processes share one.
 */
import type { Place } from '../api/readInOrder.ts';
import { FIELD_NAMES } from '../clients/fields.ts';
import type { Instant } from '../clients/instant.ts';
import { canonicalJson } from '../clients/record.ts';
import { type SqlValue, type Statement, statement, type Warehouse } from '../warehouse/warehouse.ts';

/** What decides which rows and columns are mirrored. When it changes, stamps stay equal and no pull would tell. */
export interface Shape {
  readonly owner: string | null;
  readonly excluded: readonly string[];
  readonly columns: readonly string[];
}

export interface Backfill {
  readonly id: number;
  readonly state: 'running' | 'done' | 'abandoned';
  readonly shape: Shape;
  readonly finishedAt: Instant | null;
}

export interface Window {
  readonly id: number;
  readonly lane: 'values' | 'nulls';
  /** Inclusive; null in lane nulls. */
  readonly low: Instant | null;
  /** Exclusive; null in lane nulls. */
  readonly high: Instant | null;
  readonly place: Place;
  readonly done: boolean;
}

export function shapeOf(owner: string | null, excluded: Iterable<string>): Shape {
  return { owner, excluded: [...excluded].sort(), columns: FIELD_NAMES };
}

export function sameShape(a: Shape, b: Shape): boolean {
  return canonicalJson(a) === canonicalJson(b);
}

/** The backfill that decides what the mirror holds: the newest one that was not abandoned. */
export async function readBackfill(warehouse: Warehouse): Promise<Backfill | null> {
  const sql = `SELECT id, state, shape, finished_at FROM mirror_backfills
    WHERE id = (SELECT max(id) FROM mirror_backfills WHERE state <> 'abandoned')`;
  const [row] = await warehouse.read({ sql, params: [] });
  if (row === undefined) return null;
  return {
    id: Number(row.id),
    state: row.state as Backfill['state'],
    shape: JSON.parse(String(row.shape)) as Shape,
    finishedAt: row.finished_at as Instant | null,
  };
}

/** A new backfill with its windows; any unfinished one before it is abandoned. */
export function createBackfill(
  shape: Shape,
  windows: readonly Pick<Window, 'lane' | 'low' | 'high'>[],
  at: Instant,
): Statement[] {
  const newest = "(SELECT max(id) FROM mirror_backfills WHERE state = 'running')";
  const insert = `INSERT INTO mirror_windows (backfill_id, lane, low, high) VALUES (${newest}, ?, ?, ?)`;
  return [
    statement("UPDATE mirror_backfills SET state = 'abandoned', finished_at = ? WHERE state = 'running'", [
      at,
    ]),
    statement('DELETE FROM mirror_windows'),
    statement(
      "INSERT INTO mirror_backfills (state, shape, started_at) VALUES ('running', ?, ?)",
      [canonicalJson(shape), at],
      1,
    ),
    ...windows.map((window) => statement(insert, [window.lane, window.low, window.high], 1)),
  ];
}

/** Refused (EXPECTATION) when it is over already, or was replaced by a newer one. */
export function finishBackfill(id: number, at: Instant): Statement[] {
  return [
    statement(
      "UPDATE mirror_backfills SET state = 'done', finished_at = ? WHERE id = ? AND state = 'running'",
      [at, id],
      1,
    ),
    statement('DELETE FROM mirror_windows WHERE backfill_id = ?', [id]),
  ];
}

const WINDOW = 'SELECT id, lane, low, high, key, seen, seam, done FROM mirror_windows';

export async function readOpenWindows(warehouse: Warehouse, backfillId: number): Promise<Window[]> {
  const sql = `${WINDOW} WHERE backfill_id = ? AND done = 0 ORDER BY id`;
  return (await warehouse.read({ sql, params: [backfillId] })).map(toWindow);
}

export async function readWindows(warehouse: Warehouse, backfillId: number): Promise<Window[]> {
  return (await warehouse.read({ sql: `${WINDOW} WHERE backfill_id = ?`, params: [backfillId] })).map(
    toWindow,
  );
}

export async function readWindow(warehouse: Warehouse, id: number): Promise<Window | null> {
  const [row] = await warehouse.read({ sql: `${WINDOW} WHERE id = ?`, params: [id] });
  return row === undefined ? null : toWindow(row);
}

/** Moves a window's place with the rows it covers. Returns `high`, which another process may have lowered. */
export function saveWindowPlace(id: number, place: Place, rows: number): Statement {
  const sql =
    'UPDATE mirror_windows SET key = ?, seen = ?, seam = ?, rows = rows + ? WHERE id = ? RETURNING high';
  return statement(sql, [place.key, place.seen, place.seam?.id ?? null, rows, id], 1);
}

export function finishWindow(id: number): Statement {
  return statement('UPDATE mirror_windows SET done = 1 WHERE id = ?', [id], 1);
}

/** Ends a window earlier; refused (EXPECTATION) when it moved past `at` or was split by somebody else. */
export function lowerHigh(window: Window, at: Instant): Statement {
  const sql =
    'UPDATE mirror_windows SET high = ? WHERE id = ? AND done = 0 AND high = ? AND (key IS NULL OR key < ?)';
  return statement(sql, [at, window.id, window.high, at], 1);
}

/** Gives the part of a window from `at` on to a new window. */
export function splitWindow(backfillId: number, window: Window, at: Instant): Statement[] {
  const insert = "INSERT INTO mirror_windows (backfill_id, lane, low, high) VALUES (?, 'values', ?, ?)";
  return [lowerHigh(window, at), statement(insert, [backfillId, at, window.high], 1)];
}

function toWindow(row: Readonly<Record<string, SqlValue>>): Window {
  const key = row.key as Instant | null;
  return {
    id: Number(row.id),
    lane: row.lane as Window['lane'],
    low: row.low as Instant | null,
    high: row.high as Instant | null,
    place: { key, seen: Number(row.seen), seam: row.seam === null ? null : { id: String(row.seam), key } },
    done: Number(row.done) === 1,
  };
}
