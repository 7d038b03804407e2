/**
 * Holding a lease while work goes on: taken by name, prolonged in the background, given back at the end. When it
 * is lost the work's signal is aborted; should the work commit all the same, the fence stops it.
 */
import { createLinkedAbort, type LinkedAbort } from '../abort.ts';
import type { Clock } from '../clock.ts';
import { isSyncError, SyncError } from '../errors.ts';
import type { Lease, Warehouse } from '../warehouse/warehouse.ts';

/** How long a holder that gives no sign of life keeps others out. */
export const LEASE_TTL_MS = 30_000;

export interface LeaseContext {
  readonly warehouse: Warehouse;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Runs `work` under the lease `name`.
 * @returns undefined when another holder has the lease; the work has not begun then.
 * @throws what the work throws; SyncError LEASE_LOST through its signal when the lease ran out meanwhile.
 */
export async function tryWithLease<T>(
  context: LeaseContext,
  name: string,
  work: (lease: Lease, signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  const lease = await context.warehouse.acquireLease(name, LEASE_TTL_MS);
  if (lease === null) return undefined;
  const lost = createLinkedAbort(context.signal);
  const done = new AbortController();
  const keeping = keep(context, lease, lost, done.signal);
  try {
    return await work(lease, lost.signal);
  } finally {
    lost.close();
    done.abort();
    await keeping;
    // Giving it back is a courtesy: where it fails the lease runs out by itself.
    await context.warehouse.releaseLease(lease).catch(() => undefined);
  }
}

/** How often a lease that is held for moments only is asked for again. */
const POLL_MS = 250;

/** As withLease, but waits for a holder who needs it for moments only. */
export async function waitWithLease<T>(
  context: LeaseContext,
  name: string,
  work: (lease: Lease, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  // A holder that died without a word is waited for as well.
  for (let waitedMs = 0; waitedMs < 2 * LEASE_TTL_MS; waitedMs += POLL_MS) {
    try {
      return await withLease(context, name, work);
    } catch (error) {
      if (!isSyncError(error, 'LEASE_HELD')) throw error;
      await context.clock.sleep(POLL_MS, context.signal);
    }
  }
  return withLease(context, name, work);
}

/** As tryWithLease, but a lease held by another is an error (exit 75). */
export async function withLease<T>(
  context: LeaseContext,
  name: string,
  work: (lease: Lease, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  let begun = false;
  const result = await tryWithLease(context, name, async (lease, signal) => {
    begun = true;
    return work(lease, signal);
  });
  if (!begun) throw new SyncError('LEASE_HELD', `another run holds the lease '${name}'`);
  return result as T;
}

async function keep(
  context: LeaseContext,
  lease: Lease,
  lost: LinkedAbort,
  done: AbortSignal,
): Promise<void> {
  let misses = 0;
  while (!done.aborted) {
    try {
      await context.clock.sleep(LEASE_TTL_MS / 3, done);
    } catch {
      return;
    }
    const kept = await context.warehouse.renewLease(lease, LEASE_TTL_MS).catch(() => undefined);
    // One renewal may fail on its way; at the third the time is up.
    misses = kept === undefined ? misses + 1 : 0;
    if (kept === false || misses === 3) {
      lost.abort(new SyncError('LEASE_LOST', `the lease '${lease.name}' was lost`));
      return;
    }
  }
}
