/** Tries quarantined rows again: asks the source for those that have an id, and judges anew those that have none. */
import { isRejected, parseRow, type ReadRow } from '../clients/record.ts';
import { leaveQuarantine, type Quarantined, readQuarantine } from '../ledger/quarantine.ts';
import type { Write } from '../warehouse/warehouse.ts';
import type { Engine } from './engine.ts';
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
  let left = answer.rows.filter(isRejected).length + judged.length - fits.length;
  for (const id of ids.filter((one) => !found.has(one))) {
    // Only a read of the client alone proves that it is gone, and its bad row with it.
    const client = await source.byId(id, signal);
    if (client.found) {
      writes.push(...planPage([client.row], client));
      if (isRejected(client.row)) left += 1;
    } else
      writes.push(leaveQuarantine(id), { kind: 'tombstone', ids: [id], noted: client.noted, at: client.at });
  }
  await warehouse.commit(writes);
  return left;
}

function judge(engine: Engine, row: Quarantined): ReadRow {
  const excluded = new Set(engine.options.shape.excluded);
  return parseRow(JSON.parse(row.raw), { excluded, acceptsNul: engine.warehouse.acceptsNul });
}
