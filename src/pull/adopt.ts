/**
 * Takes over a changed shape at the start of a backfill: fields that are excluded now are erased from everything
 * the mirror holds before the new shape is stored, so that a crash between the two only erases again.
 */
import { SyncError } from '../errors.ts';
import { readQuarantine, redactQuarantined } from '../ledger/quarantine.ts';
import { putSetting } from '../ledger/settings.ts';
import type { Engine } from '../rows/engine.ts';
import { countHolding, eraseBatch, eraseJournals } from '../warehouse/erase.ts';
import type { Lease, StatementResult } from '../warehouse/warehouse.ts';

const ROWS_PER_BATCH = 5_000;
const QUARANTINED_PER_BATCH = 200;
/** Rows that users hold are waited for this long; then the backfill ends and can be run again. */
const LOCKED_ATTEMPTS = 60;
const LOCKED_WAIT_MS = 1_000;

/**
 * @param excluded API names that must not be in the mirror any more.
 * @throws SyncError WAREHOUSE_BUSY when a user's transaction holds such a row for more than a minute.
 */
export async function eraseExcluded(
  engine: Engine,
  lease: Lease,
  excluded: readonly string[],
): Promise<void> {
  const { warehouse } = engine;
  // From here on the triggers refuse new edits of these fields.
  await warehouse.commit([putSetting('excluded', JSON.stringify(excluded))], lease);
  if (excluded.length === 0) return;
  await eraseRows(engine, lease, excluded);
  await warehouse.commit(eraseJournals(warehouse.kind, excluded), lease);
  await eraseQuarantine(engine, lease, excluded);
}

async function eraseRows(engine: Engine, lease: Lease, excluded: readonly string[]): Promise<void> {
  const { warehouse, clock, signal } = engine;
  for (let attempt = 0; ; ) {
    const [result] = await warehouse.commit([eraseBatch(warehouse.kind, excluded, ROWS_PER_BATCH)], lease);
    if ((result as StatementResult).count > 0) continue;
    const [left] = await warehouse.read(countHolding(warehouse.kind, excluded));
    if (Number(left?.count) === 0) return;
    attempt += 1;
    if (attempt === LOCKED_ATTEMPTS) {
      throw new SyncError(
        'WAREHOUSE_BUSY',
        `${left?.count} rows that hold an excluded field are locked by others`,
      );
    }
    await clock.sleep(LOCKED_WAIT_MS, signal);
  }
}

async function eraseQuarantine(engine: Engine, lease: Lease, excluded: readonly string[]): Promise<void> {
  let after = '';
  for (;;) {
    const rows = await readQuarantine(engine.warehouse, after, QUARANTINED_PER_BATCH);
    const writes = rows.flatMap((row) => redactQuarantined(row, excluded));
    if (writes.length > 0) await engine.warehouse.commit(writes, lease);
    const last = rows.at(-1);
    if (last === undefined) return;
    after = last.id;
  }
}
