/**
 * The backfill: mirrors every client, in windows of `createdOn` that lanes read side by side.
 *
 * `createdOn` never changes, so a window read once is read. What changes meanwhile is seen by the catch-up pull
 * at the end, whose two streams begin where the source stood before the first page. Windows, places and rows are
 * written together: a backfill killed at any instant goes on where it was.
 */
import { type Instant, instantFromMs } from '../clients/instant.ts';
import { isSyncError, SyncError } from '../errors.ts';
import { tryWithLease, waitWithLease } from '../ledger/leases.ts';
import { initialPlaceStatements } from '../ledger/places.ts';
import { closeKilledRuns } from '../ledger/runs.ts';
import { type Backfill, createBackfill, finishBackfill, readBackfill, sameShape } from '../ledger/windows.ts';
import type { Engine } from '../rows/engine.ts';
import type { Lease } from '../warehouse/warehouse.ts';
import { eraseExcluded } from './adopt.ts';
import { readInitialPlaces } from './incremental.ts';
import { pullUnder } from './pull.ts';
import { readAllWindows, replaced, WAIT_FOR_OTHERS_MS } from './readWindows.ts';
import { planWindows } from './windows.ts';

/** Windows a lane finds at the start; more are cut while it reads. */
const WINDOWS_PER_LANE = 2;

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
