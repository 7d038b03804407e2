/**
 * Takes over a changed shape at the start of a backfill: fields that are excluded now are erased from everything
 * the mirror holds before the new shape is stored, so that a crash between the two only erases again.
 */
import { SyncError } from '../errors.ts';
import { readDeletedText, redactDeleted } from '../ledger/deletes.ts';
import { readQuarantine, redactQuarantined } from '../ledger/quarantine.ts';
import { putSetting } from '../ledger/settings.ts';
import type { Engine } from '../rows/engine.ts';
import { countHolding, eraseBatch, eraseJournals } from '../warehouse/erase.ts';
import type { Lease, Statement, StatementResult } from '../warehouse/warehouse.ts';

const ROWS_PER_BATCH = 5_000;
const TEXTS_PER_BATCH = 200;
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
  await eraseTexts(engine, lease, { read: readQuarantine, redact: redactQuarantined, excluded });
  await eraseTexts(engine, lease, { read: readDeletedText, redact: redactDeleted, excluded });
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

/** Where rows are kept as text. */
interface Texts<Row> {
  read(warehouse: Engine['warehouse'], after: string, limit: number): Promise<readonly Row[]>;
  redact(row: Row, fields: readonly string[]): readonly Statement[];
  readonly excluded: readonly string[];
}

async function eraseTexts<Row extends { readonly id: string }>(
  { warehouse }: Engine,
  lease: Lease,
  { read, redact, excluded }: Texts<Row>,
): Promise<void> {
  for (let after = ''; ; ) {
    const rows = await read(warehouse, after, TEXTS_PER_BATCH);
    const writes = rows.flatMap((row) => redact(row, excluded));
    if (writes.length > 0) await warehouse.commit(writes, lease);
    const last = rows.at(-1);
    if (last === undefined) return;
    after = last.id;
  }
}
