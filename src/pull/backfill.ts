/**
 * The backfill: mirrors every client, in windows of `createdOn` that lanes read side by side.
 *
 * `createdOn` never changes, so a window read once is read. What changes meanwhile is seen by the catch-up pull
 * at the end, whose two streams begin where the source stood before the first page. Windows, places and rows are
 * written together: a backfill killed at any instant goes on where it was.
 */
import { createLinkedAbort, type LinkedAbort } from '../abort.ts';
import { ahead, readInOrder } from '../api/readInOrder.ts';
import { type Instant, instantFromMs } from '../clients/instant.ts';
import { isSyncError, SyncError } from '../errors.ts';
import { tryWithLease, waitWithLease, withLease } from '../ledger/leases.ts';
import { initialPlaceStatements } from '../ledger/places.ts';
import { closeKilledRuns } from '../ledger/runs.ts';
import {
  type Backfill,
  createBackfill,
  finishBackfill,
  finishWindow,
  readBackfill,
  readOpenWindows,
  readWindow,
  readWindows,
  sameShape,
  saveWindowPlace,
  type Window,
} from '../ledger/windows.ts';
import type { Engine } from '../rows/engine.ts';
import { planPage, tellPage } from '../rows/planPage.ts';
import type { Lease, StatementResult } from '../warehouse/warehouse.ts';
import { eraseExcluded } from './adopt.ts';
import { readInitialPlaces } from './incremental.ts';
import { pullUnder } from './pull.ts';
import { createSplitter, type Splitter } from './split.ts';
import { planWindows, shareDone } from './windows.ts';

/** Windows a lane finds at the start; more are cut while it reads. */
const WINDOWS_PER_LANE = 2;
/** How often a process whose lanes are idle looks whether the other processes are through. */
const WAIT_FOR_OTHERS_MS = 500;
const PROGRESS_EVERY_MS = 500;

export interface BackfillOptions {
  /** Drop unfinished progress and begin anew. */
  readonly restart: boolean;
}

/** Does the mirror need a backfill before it can be pulled? True when none is finished for its shape. */
export async function needsBackfill(engine: Engine): Promise<boolean> {
  const last = await readBackfill(engine.warehouse);
  if (last === null) return true;
  const { shape } = engine.options;
  const adopted = { ...last.shape, columns: shape.columns };
  if (!sameShape(adopted, shape)) {
    const what = last.shape.owner === shape.owner ? 'MIRROR_EXCLUDE_FIELDS' : 'MIRROR_OWNER_ID';
    throw new SyncError('SHAPE_CHANGED', `${what} is not what this mirror was made with`);
  }
  return last.state !== 'done' || !sameShape(last.shape, shape);
}

/**
 * Mirrors every client. Goes on with an unfinished backfill of the same shape; shares it with other processes.
 * @throws SyncError LEASE_HELD when every open window is held by somebody else.
 */
export async function backfill(engine: Engine, options: BackfillOptions): Promise<void> {
  const prepared = await beginBackfill(engine, options);
  await readAllWindows(engine, prepared.id);
  await endBackfill(engine, prepared.id);
}

export interface BegunBackfill {
  readonly id: number;
  readonly resumed: boolean;
}

/** Plans the windows, or finds those of an unfinished backfill of this shape. More lanes get more windows. */
export async function beginBackfill(engine: Engine, options: BackfillOptions): Promise<BegunBackfill> {
  const begun = await waitWithLease(engine, 'backfill', (lease, signal) =>
    prepare(engine, options, { lease, signal }),
  );
  engine.emit({ type: 'runStarted', kind: 'backfill', resumed: begun.resumed });
  return begun;
}

/**
 * Reads one window to its end, from where it stands.
 * @throws SyncError LEASE_HELD when somebody else reads it.
 */
export async function readOneWindow(engine: Engine, backfillId: number, windowId: number): Promise<void> {
  const walk = createWalk(engine, backfillId, engine.signal);
  await withLease(engine, leaseOf(backfillId, windowId), (lease, signal) =>
    readThrough(walk, windowId, { lease, signal }),
  );
}

async function prepare(
  engine: Engine,
  options: BackfillOptions,
  held: { lease: Lease; signal: AbortSignal },
): Promise<BegunBackfill> {
  const { warehouse, clock } = engine;
  await engine.source.discover(held.signal);
  const last = await readBackfill(warehouse);
  if (last?.state === 'running' && !options.restart && sameShape(last.shape, engine.options.shape)) {
    return { id: last.id, resumed: true };
  }
  await eraseExcluded(engine, held.lease, engine.options.shape.excluded);
  // The places are taken before the first page: what changes from here on is the catch-up pull's.
  const places = await readInitialPlaces(engine, held.signal);
  const oldest = await edge(engine, 'createdOn,id', held.signal);
  const newest = await edge(engine, 'createdOn desc,id desc', held.signal);
  const windows = planWindows(oldest, newest, engine.options.concurrency * WINDOWS_PER_LANE);
  const at = instantFromMs(clock.now());
  await warehouse.commit(
    [...createBackfill(engine.options.shape, windows, at), ...initialPlaceStatements(places)],
    held.lease,
  );
  const created = (await readBackfill(warehouse)) as Backfill;
  return { id: created.id, resumed: false };
}

async function edge(engine: Engine, orderby: string, signal: AbortSignal): Promise<Instant | null> {
  const request = { filter: 'createdOn ne null', orderby, skip: 0, top: 1 };
  const { rows } = await engine.source.page(request, signal);
  return rows[0]?.createdOn ?? null;
}

interface Walk {
  readonly engine: Engine;
  readonly backfillId: number;
  readonly splitter: Splitter;
  /** Windows that a lane of this process reads just now. */
  readonly busy: Set<number>;
  readonly signal: AbortSignal;
  progressAtMs: number;
}

function createWalk(engine: Engine, backfillId: number, signal: AbortSignal): Walk {
  const splitter = createSplitter(engine, backfillId);
  return { engine, backfillId, splitter, busy: new Set(), signal, progressAtMs: 0 };
}

function leaseOf(backfillId: number, windowId: number): string {
  return `window:${backfillId}:${windowId}`;
}

async function readAllWindows(engine: Engine, backfillId: number): Promise<void> {
  const failed = createLinkedAbort(engine.signal);
  try {
    await readInLanes(createWalk(engine, backfillId, failed.signal), failed);
  } finally {
    failed.close();
  }
}

/** One lane that fails stops the others, and all are waited for: who called closes the warehouse next. */
async function readInLanes(walk: Walk, failed: LinkedAbort): Promise<void> {
  const { engine, backfillId } = walk;
  for (let round = 0; ; round += 1) {
    const lanes = Array.from({ length: engine.options.concurrency }, () =>
      runLane(walk).catch((error: unknown) => {
        failed.abort(error);
        throw failed.signal.reason;
      }),
    );
    let windowsRead = 0;
    for (const lane of await Promise.allSettled(lanes)) {
      if (lane.status === 'rejected') throw lane.reason;
      windowsRead += lane.value;
    }
    const open = await readOpenWindows(engine.warehouse, backfillId);
    if (open.length === 0) return;
    if (round === 0 && windowsRead === 0) {
      throw new SyncError('LEASE_HELD', 'other runs hold every open window of the backfill');
    }
    await engine.clock.sleep(WAIT_FOR_OTHERS_MS, walk.signal);
  }
}

/** Reads windows until none is open and none worth splitting. Returns how many it read. */
async function runLane(walk: Walk): Promise<number> {
  let count = 0;
  for (;;) {
    walk.signal.throwIfAborted();
    if (await workOnOne(walk)) count += 1;
    else if (!(await walk.splitter.split(walk.signal))) return count;
  }
}

async function workOnOne(walk: Walk): Promise<boolean> {
  for (const window of await readOpenWindows(walk.engine.warehouse, walk.backfillId)) {
    if (walk.busy.has(window.id)) continue;
    walk.busy.add(window.id);
    try {
      const name = leaseOf(walk.backfillId, window.id);
      const context = { ...walk.engine, signal: walk.signal };
      const read = await tryWithLease(context, name, (lease, signal) =>
        readThrough(walk, window.id, { lease, signal }),
      );
      if (read !== undefined) return true;
    } finally {
      walk.busy.delete(window.id);
    }
  }
  return false;
}

async function readThrough(
  walk: Walk,
  id: number,
  held: { lease: Lease; signal: AbortSignal },
): Promise<true> {
  const { engine } = walk;
  const window = await readWindow(engine.warehouse, id);
  if (window === null || window.done) return true;
  try {
    await readPages(walk, window, held);
    return true;
  } catch (error) {
    if (!isSyncError(error, 'EXPECTATION') || (await readWindow(engine.warehouse, id)) !== null) throw error;
    throw replaced(walk.backfillId);
  }
}

async function readPages(
  walk: Walk,
  window: Window,
  held: { lease: Lease; signal: AbortSignal },
): Promise<void> {
  const { engine } = walk;
  const { id } = window;
  for await (const page of pagesOf(engine, window, held.signal)) {
    const writes = [...planPage(page.rows, page.answer), saveWindowPlace(id, page.place, page.rows.length)];
    const results = await engine.warehouse.commit(writes, held.lease);
    tellPage(engine.emit, { kind: 'backfill', rows: page.rows, key: page.place.key }, results);
    await tellProgress(walk);
    // An idle lane may have taken over the rest of this window meanwhile.
    const high = (results.at(-1) as StatementResult).rows[0]?.high as Instant | null;
    if (high !== null && page.place.key !== null && page.place.key >= high) break;
  }
  await engine.warehouse.commit([finishWindow(id)], held.lease);
}

/** Its windows are gone: what it has not read the newer one will, and this run must not say that all is done. */
function replaced(backfillId: number): SyncError {
  return new SyncError('LEASE_LOST', `backfill ${backfillId} was replaced by a newer one`, {
    hint: 'Another run has begun it anew. Nothing is lost: that one, or the next run, goes on.',
  });
}

function pagesOf(engine: Engine, window: Window, signal: AbortSignal) {
  const range = {
    key: 'createdOn',
    lane: window.lane,
    from: window.low,
    to: window.high,
    also: null,
  } as const;
  const begun = window.place.seen > 0 || window.place.key !== null;
  const from = begun ? { from: window.place } : {};
  const options = { top: engine.options.pageSize, signal, emit: engine.emit, ...from };
  return ahead((inner) => readInOrder(engine.source.page, range, { ...options, signal: inner }), signal);
}

async function tellProgress(walk: Walk): Promise<void> {
  const now = walk.engine.clock.now();
  if (now - walk.progressAtMs < PROGRESS_EVERY_MS) return;
  walk.progressAtMs = now;
  const windows = await readWindows(walk.engine.warehouse, walk.backfillId);
  const windowsDone = windows.filter((window) => window.done).length;
  const windowsOpen = windows.length - windowsDone;
  walk.engine.emit({ type: 'backfillProgress', share: shareDone(windows), windowsOpen, windowsDone });
}

/**
 * The catch-up pull sees what changed since the places were taken; only then is the backfill done.
 * @throws SyncError LEASE_LOST when it was replaced by a newer one.
 */
export async function endBackfill(engine: Engine, backfillId: number): Promise<void> {
  for (;;) {
    const last = await readBackfill(engine.warehouse);
    if (last?.id !== backfillId) throw replaced(backfillId);
    if (last.state !== 'running') return;
    const caughtUp = await tryWithLease(engine, 'pull', (lease, signal) =>
      catchUp({ ...engine, signal }, backfillId, lease),
    );
    if (caughtUp === true) return;
    if (caughtUp === undefined) await engine.clock.sleep(WAIT_FOR_OTHERS_MS, engine.signal);
  }
}

/** @returns false when somebody else ended or replaced the backfill meanwhile. */
async function catchUp(engine: Engine, backfillId: number, lease: Lease): Promise<boolean> {
  await pullUnder(engine, lease);
  const at = instantFromMs(engine.clock.now());
  try {
    await engine.warehouse.commit(
      [...finishBackfill(backfillId, at), closeKilledRuns('backfill', at)],
      lease,
    );
    return true;
  } catch (error) {
    if (isSyncError(error, 'EXPECTATION')) return false;
    throw error;
  }
}
