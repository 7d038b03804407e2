/**
 * The places of the two streams before the first page of a backfill: what changes from then on is the catch-up
 * pull's. They come from the newest stamps that the source shows, never from a clock of its own: one that is two
 * hours ahead would put the places where nothing is, and leave two hours of changes out.
 */
import type { List, PageRequest } from '../api/readInOrder.ts';
import { addSeconds, type Instant, instantFromMs } from '../clients/instant.ts';
import type { Clock } from '../clock.ts';
import { STREAMS, type Stream, type StreamState } from '../ledger/places.ts';
import { AHEAD_MAX_SECONDS, emptyState, type PullAnswer, RANGES } from './begin.ts';

/** Rows without a readable stamp that are passed over; behind more the stream is read from its beginning. */
const UNREADABLE_MAX = 10;

/** One request a stream, one more where the newest stamp lies too far ahead to be a place. */
export async function initialPlaces<A extends PullAnswer>(
  list: List<A>,
  clock: Clock,
  signal: AbortSignal,
): Promise<ReadonlyMap<Stream, StreamState>> {
  const places = new Map<Stream, StreamState>();
  for (const stream of STREAMS) places.set(stream, await newestPlace(list, { stream, clock, signal }));
  return places;
}

async function newestPlace<A extends PullAnswer>(
  list: List<A>,
  { stream, clock, signal }: { stream: Stream; clock: Clock; signal: AbortSignal },
): Promise<StreamState> {
  const { key, also } = RANGES[stream];
  let below: Instant | null = null;
  for (let skip = 0; skip <= UNREADABLE_MAX; ) {
    const bound = below === null ? `${key} ne null` : `${key} lt ${below}`;
    const request: PageRequest = {
      filter: also === null ? bound : `${bound} and ${also}`,
      orderby: `${key} desc,id desc`,
      skip,
      top: 1,
    };
    const answer = await list(request, signal);
    const nowMs = clock.now();
    const empty = { ...emptyState(nowMs), date: answer.date };
    const row = answer.rows[0];
    if (row === undefined) return empty;
    const stamp = row[key];
    const limit = addSeconds(answer.date ?? instantFromMs(nowMs), AHEAD_MAX_SECONDS);
    if (stamp === undefined || stamp === null) {
      skip += 1;
    } else if (stamp <= limit) {
      return { ...empty, key: stamp };
    } else {
      // Met again under the bound, the bound is ignored: then only the beginning is sure.
      if (below !== null) return empty;
      below = limit;
      skip = 0;
    }
  }
  return emptyState(clock.now());
}

/** The same, of what a use case is given. */
export function readInitialPlaces<A extends PullAnswer>(
  from: { readonly source: { readonly page: List<A> }; readonly clock: Clock },
  signal: AbortSignal,
): Promise<ReadonlyMap<Stream, StreamState>> {
  return initialPlaces(from.source.page, from.clock, signal);
}
