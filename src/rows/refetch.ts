/**
 * Works on the to-do list: reads what is due by id, many ids a request, and settles it.
 *
 * A stamp older than ours is not taken at first sight, for the answer may come from a replica that lags. It is
 * taken when a read by id says the same at least a lookback later: else a row restored at the source from a backup
 * would be refused for ever. An id that a list leaves out proves nothing; only a read of that client alone does
 * (gone.ts).
 */
import { type Instant, instantFromMs, secondsBetween } from '../clients/instant.ts';
import { isRejected, type ReadRow } from '../clients/record.ts';
import { type Held, readHeld } from '../ledger/clients.ts';
import { noteMissed, noteSeen, type Refetch, readDueRefetch, settleRefetch } from '../ledger/refetch.ts';
import type { Lease, Write } from '../warehouse/warehouse.ts';
import type { Engine } from './engine.ts';
import { findDoubtful, planGone } from './gone.ts';
import { inLanes } from './lanes.ts';
import { type Answered, planPage, tally } from './planPage.ts';

/** Ids worked on at a time; a page's worth of requests at 15 ids each. */
const BATCH = 150;
/** Why an id is listed whose client was deleted here and then at the source: a pull under way may bring it back. */
export const DELETED = 'deleted';

/** Works on everything that is due now. Returns how many rows were written. */
export async function workRefetch(engine: Engine, lease: Lease): Promise<number> {
  const now = instantFromMs(engine.clock.now());
  let written = 0;
  let last: Refetch | undefined;
  do {
    const due = await readDueRefetch(engine.warehouse, now, last ?? null, BATCH);
    if (due.length > 0) written += await workBatch(engine, lease, due);
    last = due.length === BATCH ? due.at(-1) : undefined;
  } while (last !== undefined);
  return written;
}

async function workBatch(engine: Engine, lease: Lease, due: readonly Refetch[]): Promise<number> {
  const { warehouse, source, signal, options } = engine;
  const ids = due.map((item) => item.id);
  const held = await readHeld(warehouse, ids);
  // A row with a local edit stays listed: only the merge pass, which holds its claim, may settle it.
  const clean = due.filter((item) => held.get(item.id)?.dirty !== true);
  // What was deleted here and stayed away has nothing to be asked for.
  const away = clean.filter((item) => item.reason === DELETED && held.get(item.id) === undefined);
  if (away.length > 0) await warehouse.commit(away.map(settleRefetch), lease);
  const asked = clean.filter((item) => !away.includes(item));
  if (asked.length === 0) return 0;
  const answer = await source.byIds(
    asked.map((item) => item.id),
    signal,
  );
  const rows = new Map(answer.rows.map((row) => [row.id, row]));
  const { lookbackSeconds } = options;
  const planOf = (item: Refetch, row: ReadRow, from: Answered): Write[] =>
    planRefetch({ item, held: held.get(item.id), lookbackSeconds, row, answer: from });
  const listed = asked.flatMap((item) => {
    const row = rows.get(item.id);
    return row === undefined ? [] : planOf(item, row, answer);
  });
  const left = asked.filter((item) => !rows.has(item.id));
  const proofs = await inLanes(left, options.concurrency, async (item) => ({
    item,
    id: item.id,
    read: await source.byId(item.id, signal),
  }));
  const doubtful = await findDoubtful(engine, proofs);
  const proved = proofs.flatMap(({ item, id, read }) => {
    if (read.found && read.inScope) return planOf(item, read.row, read);
    return doubtful.has(id)
      ? [noteMissed(id, read.at, lookbackSeconds)]
      : [...planGone({ id, read }), settleRefetch(item)];
  });
  return tally(await warehouse.commit([...listed, ...proved], lease)).written;
}

interface RefetchPlan {
  readonly item: Refetch;
  readonly held: Held | undefined;
  readonly lookbackSeconds: number;
}

/** What a read by id of a listed client means. Pure. */
export function planRefetch(plan: RefetchPlan & { row: ReadRow; answer: Answered }): Write[] {
  const { item, held, row, answer } = plan;
  const says = row.updatedOn ?? '';
  if (isRejected(row) || held === undefined || !isOlder(row.updatedOn, held.updatedOn)) {
    return [...planPage([row], answer), settleRefetch(item)];
  }
  if (item.seen !== says || item.seenAt === null)
    return [noteSeen(item, says, answer.at, plan.lookbackSeconds)];
  if (secondsBetween(item.seenAt, answer.at) < plan.lookbackSeconds) return [];
  return [...planPage([row], answer, 'believed'), settleRefetch(item)];
}

/** A stamp of null is the oldest: the source has never changed that client. */
function isOlder(stamp: Instant | null | undefined, than: Instant | null): boolean {
  return than !== null && (stamp ?? '') < than;
}
