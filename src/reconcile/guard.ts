/**
 * The guards before anything is taken for deleted. A source that answers wrongly looks just like one whose clients
 * were deleted, so a sweep that would take many for deleted stops, keeps what it found and says what it looks like.
 */
import { SyncError } from '../errors.ts';
import { countAbsent, readOpenFindings } from '../ledger/findings.ts';
import { countLive } from '../ledger/mirrored.ts';
import { countSwept } from '../ledger/sweeps.ts';
import { inLanes } from '../rows/lanes.ts';
import type { SweepContext } from './span.ts';

/** More of the live rows than this share, and more rows than this, are never deleted unasked. */
const SHARE_MAX = 1 / 10;
const COUNT_MAX = 10;
/** Absent clients asked for by id, to say what is wrong. */
const PROBES = 10;
/** Listed clients asked for by id, to see that such a read works. */
const CONTROLS = 5;

/** What the guard sees; null: nothing out of the ordinary. */
export async function findGuard(context: SweepContext): Promise<string | null> {
  const { warehouse } = context.engine;
  const absent = await countAbsent(warehouse, context.sweepId);
  if (absent === 0) return null;
  const live = await countLive(warehouse);
  if ((await countSwept(warehouse, context.sweepId)) === 0) {
    return `empty source: it lists no client at all, the mirror holds ${live}`;
  }
  if (absent <= COUNT_MAX || absent <= live * SHARE_MAX) return null;
  return `${await describe(context)}: ${absent} of ${live} mirrored clients are not in the source's lists`;
}

/** @throws SyncError GUARDED when a sweep may not go on by itself. */
export async function guard(context: SweepContext, isAllowed: boolean): Promise<void> {
  if (!isAllowed) {
    const found = await findGuard(context);
    if (found !== null) throw new SyncError('GUARDED', `stopped before deleting anything: ${found}`);
  }
  if ((await countAbsent(context.engine.warehouse, context.sweepId)) > 0) await control(context);
}

/** Asks for some of the absent ones: each way to be wrong has its own look. */
async function describe(context: SweepContext): Promise<string> {
  const { warehouse, source, options } = context.engine;
  const query = { absent: true, after: '', limit: PROBES };
  const some = await readOpenFindings(warehouse, context.sweepId, query);
  const reads = await inLanes(some, options.concurrency, ({ id }) => source.byId(id, context.signal));
  const found = reads.filter((read) => read.found);
  if (found.some((read) => read.inScope)) return 'partial read: lists leave out clients that exist';
  if (found.length > 0) return 'changed owner: these clients belong to others';
  return 'mass delete (or a token of another account)';
}

/** A source that answers 404 to any read by id would prove everything gone. */
async function control(context: SweepContext): Promise<void> {
  const { source, options } = context.engine;
  const newest = { filter: null, orderby: 'createdOn desc,id desc', skip: 0, top: CONTROLS };
  const { rows } = await source.stamps(newest, context.signal);
  const ids = rows.flatMap((row) => row.id ?? []);
  if (ids.length === 0) return;
  const reads = await inLanes(ids, options.concurrency, (id) => source.byId(id, context.signal));
  if (reads.some((read) => read.found)) return;
  const what = `reads by id fail: the source lists clients, but answers 404 to GET /clients/${ids[0]}`;
  throw new SyncError('GUARDED', `stopped before deleting anything: ${what}`, {
    hint: 'A 404 proves nothing at this source just now: `clients-mirror doctor` tells more. State is kept; run again.',
  });
}
