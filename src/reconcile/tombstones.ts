/** What a person can do about clients that were taken for deleted: ask the source again, or forget them. */
import { addSeconds, instantFromMs } from '../clients/instant.ts';
import { SyncError } from '../errors.ts';
import { withLease } from '../ledger/leases.ts';
import { readMirrored } from '../ledger/mirrored.ts';
import { readSweep } from '../ledger/sweeps.ts';
import { dropTombstones, readOldTombstones, readTombstones } from '../ledger/tombstones.ts';
import type { Engine } from '../rows/engine.ts';
import { inLanes } from '../rows/lanes.ts';
import { planPage } from '../rows/planPage.ts';
import type { Lease, StatementResult, Warehouse } from '../warehouse/warehouse.ts';

/** Ids asked for, or rows dropped, in one commit. */
const BATCH = 200;

export interface Recheck {
  readonly checked: number;
  /** Live again. */
  readonly returned: readonly string[];
  /** At the source again, but not yet to be taken: stamped older than here, edited, or held by a user. */
  readonly waiting: readonly string[];
}

/**
 * Asks the source again for each client that a run took for deleted; who is there is live again.
 * @param run its number; null: every tombstone.
 * @throws SyncError NOT_FOUND when there is no such run; LEASE_HELD while a reconcile is under way.
 */
export async function recheckTombstones(engine: Engine, run: number | null): Promise<Recheck> {
  if (run !== null && (await readSweep(engine.warehouse, run)) === null) {
    throw new SyncError('NOT_FOUND', `no reconcile has the number ${run}`, {
      hint: '`clients-mirror tombstones list` shows the run of each.',
    });
  }
  return withLease(engine, 'reconcile', async (lease, signal) => {
    let checked = 0;
    const returned: string[] = [];
    const waiting: string[] = [];
    for (let after: string | null = null; ; ) {
      const batch = await readTombstones(engine.warehouse, { run, after, limit: BATCH });
      const last = batch.at(-1);
      if (last === undefined) return { checked, returned, waiting };
      after = last.id;
      checked += batch.length;
      const ids = batch.map(({ id }) => id);
      const found = await recheckBatch({ ...engine, signal }, lease, ids);
      returned.push(...found.returned);
      waiting.push(...found.waiting);
    }
  });
}

async function recheckBatch(
  engine: Engine,
  lease: Lease,
  ids: readonly string[],
): Promise<Omit<Recheck, 'checked'>> {
  const { warehouse, source, options, signal } = engine;
  const reads = await inLanes(ids, options.concurrency, (id) => source.byId(id, signal));
  const writes = reads.flatMap((read) => (read.found && read.inScope ? planPage([read.row], read) : []));
  if (writes.length > 0) await warehouse.commit(writes, lease);
  const held = await readMirrored(warehouse, ids, false);
  const there = ids.filter((_, index) => {
    const read = reads[index];
    return read?.found === true && read.inScope;
  });
  return {
    returned: there.filter((id) => held.get(id)?.isDeleted === false),
    waiting: there.filter((id) => held.get(id)?.isDeleted !== false),
  };
}

/** Forgets clients deleted at the source longer than so many days ago. Returns how many rows went. */
export async function purgeTombstones(warehouse: Warehouse, nowMs: number, days: number): Promise<number> {
  const before = addSeconds(instantFromMs(nowMs), -days * 86_400);
  for (let purged = 0; ; ) {
    const ids = await readOldTombstones(warehouse, before, BATCH);
    if (ids.length === 0) return purged;
    const results = await warehouse.commit(dropTombstones(ids));
    const { count } = results.at(-1) as StatementResult;
    // Somebody edits them just now: they are kept.
    if (count === 0) return purged;
    purged += count;
  }
}
