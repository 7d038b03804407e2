/** Proves by GET /clients/{id}, many side by side, what the lists left out: nothing else sets `_deleted_at`. */

import { isRejected } from '../clients/record.ts';
import { type Finding, type Outcome, readOpenFindings, settleFinding } from '../ledger/findings.ts';
import { readMirrored } from '../ledger/mirrored.ts';
import { listGone, noteMissed, readListings } from '../ledger/refetch.ts';
import { findDoubtful, type Proof, planGone } from '../rows/gone.ts';
import { inLanes } from '../rows/lanes.ts';
import { planPage, tally } from '../rows/planPage.ts';
import type { Write } from '../warehouse/warehouse.ts';
import { judge } from './judge.ts';
import type { SweepContext } from './span.ts';

/** Proofs written in one commit. */
const BATCH = 200;

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
  const doubtful = await findDoubtful(engine, reads);
  const results = await warehouse.commit(
    reads.flatMap(({ id, read }) => (doubtful.has(id) ? [] : planProof({ id, read }))),
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
    // A list showed it, and we hold none: were it an instance that lags, it is found when asked for again.
    if (row === undefined) return [noteMissed(id, read.at, options.lookbackSeconds), settle('agreed')];
    if (row.isDeleted) {
      deleted += 1;
      return [settle('deleted')];
    }
    // Doubtful, edited here, held by a user, or written meanwhile: whoever may settle it asks the source again.
    const again = doubtful.has(id) ? noteMissed(id, read.at, options.lookbackSeconds) : listGone(id, read.at);
    return [again, settle('waiting')];
  });
  await warehouse.commit(writes, lease);
  emit({ type: 'pageCommitted', kind: 'reconcile', rows: 0, written: written + deleted, key: null });
}

/** What one read by id proves, as writes. Pure. */
function planProof(proof: Proof): Write[] {
  const { read } = proof;
  return read.found && read.inScope ? planPage([read.row], read) : planGone(proof);
}
