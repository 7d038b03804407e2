/** Tries quarantined rows again: asks the source for those that have an id, and judges anew those that have none. */
import { isRejected, parseRow, type ReadRow } from '../clients/record.ts';
import { leaveQuarantine, type Quarantined, readQuarantine } from '../ledger/quarantine.ts';
import { noteMissed } from '../ledger/refetch.ts';
import type { Write } from '../warehouse/warehouse.ts';
import type { Engine } from './engine.ts';
import { findDoubtful, type Proof, planGone } from './gone.ts';
import { inLanes } from './lanes.ts';
import { planPage } from './planPage.ts';

export interface RetryResult {
  /** Rows that fit by now, or whose client is gone at the source. */
  readonly mirrored: number;
  readonly kept: number;
}

const BATCH = 150;

export async function retryQuarantine(engine: Engine): Promise<RetryResult> {
  let mirrored = 0;
  let kept = 0;
  for (let after = ''; ; ) {
    const rows = await readQuarantine(engine.warehouse, after, BATCH);
    const last = rows.at(-1);
    if (last === undefined) return { mirrored, kept };
    after = last.id;
    const left = await retryBatch(engine, rows);
    mirrored += rows.length - left;
    kept += left;
  }
}

/** Returns how many rows stay in quarantine. */
async function retryBatch(engine: Engine, rows: readonly Quarantined[]): Promise<number> {
  const { source, warehouse, signal } = engine;
  const noted = await warehouse.revision();
  const anonymous = rows.filter((row) => row.clientId === null);
  const ids = rows.flatMap((row) => (row.clientId === null ? [] : [row.clientId]));
  const answer = await source.byIds(ids, signal);
  const found = new Set(answer.rows.map((row) => row.id));
  const judged = anonymous.map((row) => ({ row, read: judge(engine, row) }));
  const fits = judged.filter(({ read }) => !isRejected(read));
  const writes: Write[] = [
    ...planPage(answer.rows, answer),
    ...planPage(
      fits.map(({ read }) => read),
      { noted, at: answer.at },
    ),
    ...fits.map(({ row }) => leaveQuarantine(row.id)),
  ];
  const proved = await proveLeft(
    engine,
    rows.filter((row) => row.clientId !== null && !found.has(row.clientId)),
  );
  await warehouse.commit([...writes, ...proved.writes]);
  return answer.rows.filter(isRejected).length + judged.length - fits.length + proved.kept;
}

/** Only a read of the client alone proves that it is gone, and its bad row with it. */
async function proveLeft(
  engine: Engine,
  rows: readonly Quarantined[],
): Promise<{ readonly writes: readonly Write[]; readonly kept: number }> {
  const { source, signal, options } = engine;
  const proofs = await inLanes(rows, options.concurrency, async ({ id, at }) => ({
    id,
    read: await source.byId(id, signal),
    shownAt: at,
  }));
  const doubtful = await findDoubtful(engine, proofs);
  const isKept = ({ id, read }: Proof): boolean =>
    read.found ? read.inScope && isRejected(read.row) : doubtful.has(id);
  const writes = proofs.flatMap((proof) => {
    const { id, read } = proof;
    if (read.found && read.inScope) return planPage([read.row], read);
    return doubtful.has(id) ? [noteMissed(id, read.at, options.lookbackSeconds)] : planGone(proof);
  });
  return { writes, kept: proofs.filter(isKept).length };
}

function judge(engine: Engine, row: Quarantined): ReadRow {
  const excluded = new Set(engine.options.shape.excluded);
  return parseRow(JSON.parse(row.raw), { excluded, acceptsNul: engine.warehouse.acceptsNul });
}
