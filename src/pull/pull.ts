/**
 * One incremental pull: the two streams from where they rest, then what is due on the to-do list of single ids.
 * One at a time, under the lease `pull`.
 */
import { instantFromMs } from '../clients/instant.ts';
import { watchLateness } from '../ledger/lateness.ts';
import { withLease } from '../ledger/leases.ts';
import { createPlaceStore } from '../ledger/places.ts';
import type { Engine } from '../rows/engine.ts';
import { planPage, tellPage } from '../rows/planPage.ts';
import { workRefetch } from '../rows/refetch.ts';
import { type RunSummary, recordRun } from '../rows/run.ts';
import type { SourceAnswer } from '../rows/source.ts';
import type { Lease } from '../warehouse/warehouse.ts';
import { pullStreams } from './incremental.ts';

/**
 * @param afterwards a part of the run that comes last.
 * @throws SyncError LEASE_HELD when another pull is under way.
 */
export function pull(engine: Engine, afterwards?: () => Promise<void>): Promise<RunSummary> {
  return withLease(engine, 'pull', (lease, signal) =>
    recordRun(engine, { kind: 'pull', exclusive: true }, async () => {
      engine.emit({ type: 'runStarted', kind: 'pull', resumed: false });
      await pullUnder({ ...engine, signal }, lease);
      await afterwards?.();
    }),
  );
}

/** The work of a pull, for a caller that holds its lease. */
export async function pullUnder(engine: Engine, lease: Lease): Promise<void> {
  const { warehouse, source, clock, signal, emit, options } = engine;
  const places = createPlaceStore<SourceAnswer>(warehouse, {
    lease,
    planRows: (rows, answer) => planPage(rows, answer),
    onPage: (page, results) =>
      tellPage(emit, { kind: 'pull', rows: page.rows, key: page.state.walk?.place.key ?? null }, results),
  });
  const { lookbackSeconds, pageSize } = options;
  const now = () => instantFromMs(clock.now());
  const store = watchLateness(places, warehouse, { lease, lookbackSeconds, now });
  await pullStreams({ list: source.page, store, clock, lookbackSeconds, pageSize, signal, emit });
  await workRefetch(engine, lease);
}
