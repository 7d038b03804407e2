/**
 * Reads the windows of a backfill: lanes take one each, under a lease of its own, and cut the largest for one that finds
 * none. A page's rows and the window's place go into one commit.
 */
import { createLinkedAbort, type LinkedAbort } from '../abort.ts';
import { ahead, readInOrder } from '../api/readInOrder.ts';
import type { Instant } from '../clients/instant.ts';
import { isSyncError, SyncError } from '../errors.ts';
import { tryWithLease, withLease } from '../ledger/leases.ts';
import {
  finishWindow,
  readOpenWindows,
  readWindow,
  readWindows,
  saveWindowPlace,
  type Window,
} from '../ledger/windows.ts';
import type { Engine } from '../rows/engine.ts';
import { planPage, tellPage } from '../rows/planPage.ts';
import type { Lease, StatementResult } from '../warehouse/warehouse.ts';
import { createSplitter, type Splitter } from './split.ts';
import { shareDone } from './windows.ts';

/** How often a process whose lanes are idle looks whether the other processes are through. */
export const WAIT_FOR_OTHERS_MS = 500;
const PROGRESS_EVERY_MS = 500;

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

/**
 * Reads every open window, in as many lanes as requests may be under way; waits for those that other processes read.
 * @throws SyncError LEASE_HELD when every open window is held by somebody else; LEASE_LOST when the backfill was replaced.
 */
export async function readAllWindows(engine: Engine, backfillId: number): Promise<void> {
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

/** A window's lease, and the signal that says it is lost. */
interface Held {
  readonly lease: Lease;
  readonly signal: AbortSignal;
}

async function readThrough(walk: Walk, id: number, held: Held): Promise<true> {
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

async function readPages(walk: Walk, window: Window, held: Held): Promise<void> {
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
export function replaced(backfillId: number): SyncError {
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
