/** Looks again, by id, at what the sweep found at odds, and takes what the source says. */
import { instantFromMs } from '../clients/instant.ts';
import { type ClientRecord, isRejected } from '../clients/record.ts';
import {
  type Finding,
  type Outcome,
  readOpenFindings,
  readWaiting,
  settleFinding,
  turnAbsent,
} from '../ledger/findings.ts';
import { noteLateness } from '../ledger/lateness.ts';
import { type Mirrored, readMirrored } from '../ledger/mirrored.ts';
import { readListings } from '../ledger/refetch.ts';
import { planPage, tellPage } from '../rows/planPage.ts';
import type { Statement, Write } from '../warehouse/warehouse.ts';
import { judge, passedBy } from './judge.ts';
import type { SweepContext } from './span.ts';

/** Ids worked on at a time, as many requests of 15 ids as fit. */
const BATCH = 600;

/** Works through every open finding but those that are absent from the source's lists. */
export async function mendAll(context: SweepContext): Promise<void> {
  for (let after = ''; ; ) {
    context.signal.throwIfAborted();
    const query = { absent: false, after, limit: BATCH };
    const found = await readOpenFindings(context.engine.warehouse, context.sweepId, query);
    const last = found.at(-1);
    if (last === undefined) return;
    after = last.id;
    await mendBatch(context, found);
  }
}

async function mendBatch(context: SweepContext, found: readonly Finding[]): Promise<void> {
  const { engine, lease, sweepId, signal, pulled } = context;
  const { warehouse, source, emit } = engine;
  const ids = found.map((one) => one.id);
  const answer = await source.byIds(ids, signal);
  const held = await readMirrored(warehouse, ids, true);
  const outcomes = new Map<string, Outcome>();
  for (const row of answer.rows) {
    if (row.id === null) continue;
    const isEqual = !isRejected(row) && judge(row, held.get(row.id), pulled, true) === null;
    outcomes.set(row.id, isRejected(row) ? 'unfit' : isEqual ? 'agreed' : 'mended');
  }
  const late = answer.rows.flatMap((row) =>
    isRejected(row) ? [] : (planLateness(context, row, held.get(row.id)) ?? []),
  );
  const results = await warehouse.commit([...planPage(answer.rows, answer), ...late], lease);
  tellPage(emit, { kind: 'reconcile', rows: answer.rows, key: null }, results);
  // What could not be taken as it came was put on the to-do list by the write itself.
  const listed = await readListings(
    warehouse,
    ids.filter((id) => outcomes.get(id) === 'mended'),
  );
  const writes = ids.map((id): Write => {
    const outcome = outcomes.get(id);
    if (outcome === undefined) return turnAbsent(sweepId, id);
    return settleFinding(sweepId, id, listed.has(id) ? 'waiting' : outcome, answer.at);
  });
  await warehouse.commit(writes, lease);
}

/** A new version behind what a complete pull had passed: the lookback was too short for it. */
function planLateness(
  { engine, pulled }: SweepContext,
  row: ClientRecord,
  held: Mirrored | undefined,
): Statement | null {
  const isNewer = held === undefined || (row.updatedOn ?? '') > (held.updatedOn ?? '');
  if (!isNewer || held?.isDeleted === true || held?.isDirty === true) return null;
  const { lookbackSeconds } = pulled;
  const at = instantFromMs(engine.clock.now());
  return noteLateness(passedBy(row, pulled), row.updatedOn ?? row.createdOn, { lookbackSeconds, at });
}

/** What waited and has left the to-do list since is mended. */
export async function settleWaiting(context: SweepContext): Promise<void> {
  const { engine, sweepId, lease } = context;
  const { warehouse, clock } = engine;
  for (let after = ''; ; ) {
    const ids = await readWaiting(warehouse, sweepId, after, BATCH);
    const last = ids.at(-1);
    if (last === undefined) return;
    after = last;
    const listed = await readListings(warehouse, ids);
    const done = ids.filter((id) => !listed.has(id));
    const at = instantFromMs(clock.now());
    await warehouse.commit(
      done.map((id) => settleFinding(sweepId, id, 'mended', at)),
      lease,
    );
  }
}
