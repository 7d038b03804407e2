/**
 * One incremental pull: the two streams from where they rest, then what is due on the to-do list of single ids.
 * One at a time, under the lease `pull`.
 */
import { withLease } from '../ledger/leases.ts';
import { createPlaceStore } from '../ledger/places.ts';
import type { Engine } from '../rows/engine.ts';
import { workRefetch } from '../rows/refetch.ts';
import { type RunSummary, recordRun } from '../rows/run.ts';
import type { Lease } from '../warehouse/warehouse.ts';
import { pullStreams } from './incremental.ts';

/** @throws SyncError LEASE_HELD when another pull is under way. */
export async function pull(engine: Engine): Promise<RunSummary> {
  return withLease(engine, 'pull', (lease, signal) =>
    recordRun(engine, { kind: 'pull', exclusive: true }, async () => {
      engine.emit({ type: 'runStarted', kind: 'pull', resumed: false });
      await pullUnder({ ...engine, signal }, lease);
    }),
  );
}
