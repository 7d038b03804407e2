/**
 * A backfill as a flow: one parent, a child a window, so that any number of workers share it. Windows and their
 * progress stand in the warehouse; the jobs only say that there is something to do. So a lost job is put back by
 * the next `pull`, and a job too many finds its window read, or held by somebody else.
 */
import { type Job, WaitingChildrenError } from 'bullmq';
import { SyncError } from '../src/errors.ts';
import { tryWithLease } from '../src/ledger/leases.ts';
import { readBackfill, readOpenWindows, readWindow, sameShape } from '../src/ledger/windows.ts';
import { beginBackfill, endBackfill } from '../src/pull/backfill.ts';
import { readOneWindow } from '../src/pull/readWindows.ts';
import type { PushEngine } from '../src/push/engine.ts';
import { recordRun } from '../src/rows/run.ts';
import type { JobContext, JobResult } from './context.ts';
import { jobOptions, type Queues } from './queue.ts';
import type { BackfillPayload, WindowPayload } from './table.ts';

export interface ShareOptions {
  readonly queues: Queues;
  /** Windows that can be read at once: it decides how many there are to begin with. */
  readonly lanes: number;
  /** Drop unfinished progress and begin anew. */
  readonly restart: boolean;
}

export interface SharedBackfill {
  readonly backfillId: number;
  readonly windowsOpen: number;
  readonly windowsAdded: number;
}

/** Hands a backfill to the workers: begins one, or goes on with the one that is unfinished. */
export async function shareBackfill(engine: PushEngine, options: ShareOptions): Promise<SharedBackfill> {
  const forAll = { ...engine, options: { ...engine.options, concurrency: Math.max(1, options.lanes) } };
  const last = await readBackfill(engine.warehouse);
  const goesOn = !options.restart && last?.state === 'running' && sameShape(last.shape, engine.options.shape);
  const { id } = goesOn ? last : await beginBackfill(forAll, { restart: options.restart });
  const windowsAdded = await tryWithLease(engine, 'backfill-flow', () =>
    addMissing(engine, options.queues, id),
  );
  const windowsOpen = (await readOpenWindows(engine.warehouse, id)).length;
  return { backfillId: id, windowsOpen, windowsAdded: windowsAdded ?? 0 };
}

const parentIdOf = (backfillId: number): string => `backfill-${backfillId}`;
const windowIdOf = ({ backfillId, windowId }: WindowPayload): string => `window-${backfillId}-${windowId}`;

/** Puts a job behind each open window that has none, and the parent behind them. */
async function addMissing(engine: PushEngine, queues: Queues, backfillId: number): Promise<number> {
  const open = await readOpenWindows(engine.warehouse, backfillId);
  const parentId = parentIdOf(backfillId);
  const parent = (await queues.all.backfill.getJob(parentId)) as Job | undefined;
  const state = parent === undefined ? 'unknown' : await parent.getState();
  const isOver = state === 'failed' || state === 'completed';
  if (isOver) await parent?.remove();
  if (parent !== undefined && !isOver) {
    const added = await addWindows(queues, backfillId, windowIds(open));
    if (added !== null) return added;
  }
  await removeFailed(queues, backfillId, windowIds(open));
  await queues.flow.add({
    name: 'backfill',
    queueName: 'backfill',
    prefix: queues.prefix,
    data: { backfillId } satisfies BackfillPayload,
    opts: { ...jobOptions('backfill'), jobId: parentId },
    children: windowIds(open).map((windowId) => ({
      name: 'window',
      queueName: 'window',
      prefix: queues.prefix,
      data: { backfillId, windowId } satisfies WindowPayload,
      opts: windowOptions({ backfillId, windowId }),
    })),
  });
  return open.length;
}

function windowOptions(payload: WindowPayload) {
  // The parent looks itself at what is still open.
  return { ...jobOptions('window'), jobId: windowIdOf(payload), ignoreDependencyOnFailure: true };
}

/** @returns how many; null: the parent is gone, for Redis was flushed or the backfill is over. */
async function addWindows(
  queues: Queues,
  backfillId: number,
  ids: readonly number[],
): Promise<number | null> {
  await removeFailed(queues, backfillId, ids);
  let added = 0;
  for (const windowId of ids) {
    const payload: WindowPayload = { backfillId, windowId };
    if ((await queues.all.window.getJob(windowIdOf(payload))) !== undefined) continue;
    const parent = { id: parentIdOf(backfillId), queue: `${queues.prefix}:backfill` };
    try {
      await queues.all.window.add('window', payload, { ...windowOptions(payload), parent });
    } catch (error) {
      if (isWithoutParent(error)) return null;
      throw error;
    }
    added += 1;
  }
  return added;
}

/** BullMQ has a code for it within, and only these words outside. */
function isWithoutParent(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('Missing key for parent job');
}

/** A job of an open window that is over, however it ended, makes room for a new one. */
async function removeFailed(queues: Queues, backfillId: number, ids: readonly number[]): Promise<void> {
  for (const windowId of ids) {
    const job = (await queues.all.window.getJob(windowIdOf({ backfillId, windowId }))) as Job | undefined;
    if (job === undefined) continue;
    const state = await job.getState();
    if (state === 'failed' || state === 'completed') await job.remove();
  }
}

function windowIds(windows: readonly { readonly id: number }[]): readonly number[] {
  return windows.map(({ id }) => id);
}

/** One window, from where it stands to its end; then the largest one left is cut for lanes that have none. */
export async function processWindow(context: JobContext, payload: WindowPayload): Promise<JobResult> {
  const { engine } = context;
  const { backfillId, windowId } = payload;
  if (!(await isRunning(engine, backfillId))) return { skipped: 'the backfill is over' };
  const window = await readWindow(engine.warehouse, windowId);
  if (window === null || window.done) return { skipped: 'the window is read' };
  const summary = await recordRun(engine, { kind: 'backfill', exclusive: false }, () =>
    readOneWindow(engine, backfillId, windowId),
  );
  return { ...summary, cut: await cutForIdle(context, backfillId) };
}

/** @throws SyncError SHAPE_CHANGED in a worker whose settings are not those of the backfill. */
async function isRunning(engine: PushEngine, backfillId: number): Promise<boolean> {
  const last = await readBackfill(engine.warehouse);
  if (last?.id !== backfillId || last.state !== 'running') return false;
  if (sameShape(last.shape, engine.options.shape)) return true;
  throw new SyncError('LEASE_HELD', 'the backfill is for workers with other MIRROR_ settings');
}

async function cutForIdle(context: JobContext, backfillId: number): Promise<number> {
  const { engine, queues } = context;
  const splitter = context.splitterOf(backfillId);
  const lanes = await context.lanes();
  let cuts = 0;
  for (;;) {
    const { waiting = 0, active = 0 } = await queues.all.window.getJobCounts('waiting', 'active');
    // This job is still one of the active ones, and its lane is free.
    if (waiting + active > lanes || !(await splitter.split(engine.signal))) return cuts;
    const open = await readOpenWindows(engine.warehouse, backfillId);
    const added = await addWindows(queues, backfillId, windowIds(open));
    // A window without a job is found by the next pull.
    if (added === null || added === 0) return cuts;
    cuts += added;
  }
}

/** The parent: catches up and closes the backfill, or waits for windows that are open still. */
export async function processBackfill(
  { engine, queues }: JobContext,
  { backfillId }: BackfillPayload,
  job: { readonly job: Job; readonly token: string },
): Promise<JobResult> {
  if (!(await isRunning(engine, backfillId))) return { skipped: 'the backfill is over' };
  const open = await readOpenWindows(engine.warehouse, backfillId);
  if (open.length > 0) {
    const isThere = (await addWindows(queues, backfillId, windowIds(open))) !== null;
    if (isThere && (await job.job.moveToWaitingChildren(job.token))) throw new WaitingChildrenError();
    throw new SyncError('LEASE_HELD', 'other runs read the last windows of the backfill');
  }
  const run = { kind: 'backfill', exclusive: false } as const;
  return { ...(await recordRun(engine, run, () => endBackfill(engine, backfillId))) };
}
