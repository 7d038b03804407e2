/** Proves by GET /clients/{id}, many side by side, what the lists left out: nothing else sets `_deleted_at`. */

import { addSeconds, instantFromMs } from '../clients/instant.ts';
import { isRejected } from '../clients/record.ts';
import {
  type Finding,
  type Outcome,
  readMendedSince,
  readOpenFindings,
  settleFinding,
} from '../ledger/findings.ts';
import { type Mirrored, readMirrored } from '../ledger/mirrored.ts';
import { listRefetch, readListings } from '../ledger/refetch.ts';
import { inLanes } from '../rows/lanes.ts';
import { planPage, tally } from '../rows/planPage.ts';
import type { SourceClient } from '../rows/source.ts';
import type { Write } from '../warehouse/warehouse.ts';
import { judge } from './judge.ts';
import type { SweepContext } from './span.ts';

/** Proofs written in one commit. */
const BATCH = 200;

/** Why an id is on the to-do list whose client was proved gone, but whose row could not be written just then. */
const GONE = 'gone';

export async function confirmAll(context: SweepContext): Promise<void> {
  for (let after = ''; ; ) {
    context.signal.throwIfAborted();
    const query = { absent: true, after, limit: BATCH };
    const found = await readOpenFindings(context.engine.warehouse, context.sweepId, query);
    const last = found.at(-1);
    if (last === undefined) return;
    after = last.id;
    await confirmBatch(context, found);
  }
}

async function confirmBatch(context: SweepContext, found: readonly Finding[]): Promise<void> {
  const { engine, lease, sweepId, signal } = context;
  const { warehouse, source, options, emit } = engine;
  const reads = await inLanes(found, options.concurrency, async ({ id }) => ({
    id,
    read: await source.byId(id, signal),
  }));
  const ids = found.map((one) => one.id);
  const before = await readMirrored(warehouse, ids, true);
  const young = await findYoung(context, reads, before);
  const results = await warehouse.commit(
    reads.flatMap(({ id, read }) => (young.has(id) ? [] : planProof(id, read))),
    lease,
  );
  const { written } = tally(results);
  const after = await readMirrored(warehouse, ids, false);
  const listed = await readListings(warehouse, ids);
  let deleted = 0;
  const writes = reads.flatMap(({ id, read }): Write[] => {
    const settle = (outcome: Outcome) => settleFinding(sweepId, id, outcome, read.at);
    if (read.found && read.inScope) {
      if (isRejected(read.row)) return [settle('unfit')];
      if (judge(read.row, before.get(id), context.pulled, true) === null) return [settle('agreed')];
      return [settle(listed.has(id) ? 'waiting' : 'mended')];
    }
    const row = after.get(id);
    if (row === undefined) return [settle('agreed')];
    if (row.isDeleted) {
      deleted += 1;
      return [settle('deleted')];
    }
    // Young, edited here, held by a user, or written meanwhile: whoever may settle it asks the source again.
    const dueAt = young.has(id) ? addSeconds(read.at, options.lookbackSeconds) : read.at;
    return [listRefetch(id, GONE, read.at, dueAt), settle('waiting')];
  });
  await warehouse.commit(writes, lease);
  emit({ type: 'pageCommitted', kind: 'reconcile', rows: 0, written: written + deleted, key: null });
}

/**
 * Of the clients that were answered 404 those that are younger than the lookback, or came back within it: an
 * instance of the source that lags has not seen them yet. They are asked for again when it must have.
 */
async function findYoung(
  { engine }: SweepContext,
  reads: readonly { readonly id: string; readonly read: SourceClient }[],
  held: ReadonlyMap<string, Mirrored>,
): Promise<ReadonlySet<string>> {
  const { warehouse, clock, options } = engine;
  const gone = reads.filter(({ read }) => !read.found);
  const since = addSeconds(instantFromMs(clock.now()), -options.lookbackSeconds);
  const young = new Set(
    await readMendedSince(
      warehouse,
      gone.map(({ id }) => id),
      since,
    ),
  );
  for (const { id, read } of gone) {
    const row = held.get(id);
    const limit = addSeconds(read.date ?? read.at, -options.lookbackSeconds);
    if ((row?.createdOn ?? '') > limit || (row?.updatedOn ?? '') > limit) young.add(id);
  }
  return young;
}

/** What one read by id proves, as writes. Pure. */
export function planProof(id: string, read: SourceClient): Write[] {
  if (read.found && read.inScope) return planPage([read.row], read);
  return [{ kind: 'tombstone', ids: [id], noted: read.noted, at: read.at }];
}
