/**
 * What it takes to believe that a client is gone: a read of it alone that says so, of a client that the source has
 * had for longer than the lookback.
 *
 * A source of many instances may answer 404 for what one of them has not seen yet. So of a client that is younger
 * than the lookback, or that was shown to us within it, a 404 is only noted; said again a lookback later it counts.
 */
import { addSeconds, type Instant, instantFromMs, secondsBetween } from '../clients/instant.ts';
import { readMendedSince } from '../ledger/findings.ts';
import { readMirrored } from '../ledger/mirrored.ts';
import { leaveQuarantine } from '../ledger/quarantine.ts';
import { GONE, missedMark, type Refetch, readListings } from '../ledger/refetch.ts';
import type { Write } from '../warehouse/warehouse.ts';
import type { Engine } from './engine.ts';
import type { SourceClient } from './source.ts';

/** A client and what a read by id said of it. */
export interface Proof {
  readonly id: string;
  readonly read: SourceClient;
  /** When the source last showed it to us, where the caller knows. */
  readonly shownAt?: Instant;
}

/** The ids among them that were answered 404, and of which that proves nothing yet: note them as missed. */
export async function findDoubtful(engine: Engine, proofs: readonly Proof[]): Promise<ReadonlySet<string>> {
  const { warehouse, clock, options } = engine;
  const missed = proofs.filter(({ read }) => !read.found);
  const ids = missed.map(({ id }) => id);
  if (ids.length === 0) return new Set();
  const since = addSeconds(instantFromMs(clock.now()), -options.lookbackSeconds);
  const [held, listings, mended] = await Promise.all([
    readMirrored(warehouse, ids, false),
    readListings(warehouse, ids),
    readMendedSince(warehouse, ids, since),
  ]);
  const isDoubtful = ({ id, read, shownAt }: Proof): boolean => {
    const listing = listings.get(id);
    const missed = missedBefore(listing);
    if (missed !== null) return secondsBetween(missed, read.at) < options.lookbackSeconds;
    if (wasShownSince(listing)) return true;
    // By the source's own clock, where it tells it.
    const young = addSeconds(read.date ?? read.at, -options.lookbackSeconds);
    const row = held.get(id);
    if ((row?.createdOn ?? '') > young || (row?.updatedOn ?? '') > young) return true;
    const recent = addSeconds(read.at, -options.lookbackSeconds);
    const listedAt = listing === undefined || listing.reason === GONE ? '' : listing.listedAt;
    return (shownAt ?? '') > recent || listedAt > recent || mended.includes(id);
  };
  return new Set(missed.filter(isDoubtful).map(({ id }) => id));
}

/** When a 404 was noted, and nothing of the client was heard since; null: none was. */
function missedBefore(listing: Refetch | undefined): Instant | null {
  return listing !== undefined && listing.seen === missedMark(listing) ? listing.seenAt : null;
}

/** Was a 404 noted, and has the source shown the client to us after it? */
function wasShownSince(listing: Refetch | undefined): boolean {
  return listing?.seen?.startsWith(GONE) === true;
}

/** What becomes of a client that is proved gone, or shown to belong to somebody else. Pure. */
export function planGone({ id, read }: Proof): Write[] {
  return [{ kind: 'tombstone', ids: [id], noted: read.noted, at: read.at }, leaveQuarantine(id)];
}
