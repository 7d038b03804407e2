/**
 * The incremental pull: walks the two streams from where they rest to their ends, side by side. One stream is all
 * clients by `updatedOn`; the other, by `createdOn`, those that were never updated and so have none.
 *
 * Rows and place are handed to the store together, so a walk killed at any instant goes on where its rows end.
 */
import { createLinkedAbort, type LinkedAbort } from '../abort.ts';
import { ahead, type List, readInOrder } from '../api/readInOrder.ts';
import { addSeconds } from '../clients/instant.ts';
import type { Clock } from '../clock.ts';
import type { Emit } from '../events.ts';
import {
  type Began,
  type PlaceStore,
  STREAMS,
  type Stream,
  type StreamState,
  type Walk,
} from '../ledger/places.ts';
import {
  advanceWalk,
  emptyState,
  finishWalk,
  isKnownTail,
  type PullAnswer,
  planWalk,
  RANGES,
} from './begin.ts';

export type { PullAnswer } from './begin.ts';
export { initialPlaces, readInitialPlaces } from './initialPlaces.ts';

export interface PullOptions<A extends PullAnswer> {
  readonly list: List<A>;
  readonly store: PlaceStore<A>;
  readonly clock: Clock;
  readonly lookbackSeconds: number;
  readonly pageSize: number;
  readonly signal?: AbortSignal | undefined;
  readonly emit?: Emit | undefined;
}

export interface PullResult {
  /** Rows that were read and handed to the store. */
  readonly rows: number;
  readonly requests: number;
}

/**
 * Brings both streams up to date. With nothing changed for longer than the lookback it costs one request of at most
 * one row a stream.
 * @throws what `list` or the store throws; the state is kept, and the next pull goes on from there.
 */
export async function pullStreams<A extends PullAnswer>(options: PullOptions<A>): Promise<PullResult> {
  const stop = createLinkedAbort(options.signal);
  try {
    return await pullBoth({ ...options, signal: stop.signal }, stop);
  } finally {
    stop.close();
  }
}

async function pullBoth<A extends PullAnswer>(
  options: PullOptions<A>,
  stop: LinkedAbort,
): Promise<PullResult> {
  const nowMs = options.clock.now();
  const stored = await options.store.read();
  const states = STREAMS.map((stream) => stored.get(stream) ?? emptyState(nowMs));
  const server: Server = { widest: Math.max(...states.map((state) => state.tail.widest)) };
  const walks = STREAMS.map(async (stream, index) => {
    const state = states[index] ?? emptyState(nowMs);
    try {
      return await pullStream(stream, state, { ...options, server });
    } catch (error) {
      // The first failure stops the other stream, whose own error then says no more than that.
      stop.abort(error);
      throw stop.signal.reason;
    }
  });
  const ended = await Promise.allSettled(walks);
  let [rows, requests] = [0, 0];
  for (const walk of ended) {
    if (walk.status === 'rejected') throw walk.reason;
    rows += walk.value.rows;
    requests += walk.value.requests;
  }
  return { rows, requests };
}

/** What both streams learn of the server. */
interface Server {
  /** The most rows that one answer ever held. */
  widest: number;
}

interface StreamOptions<A extends PullAnswer> extends PullOptions<A> {
  readonly server: Server;
}

async function pullStream<A extends PullAnswer>(
  stream: Stream,
  state: StreamState,
  options: StreamOptions<A>,
): Promise<PullResult> {
  const first = await walkThrough(stream, state, options);
  // A walk that was killed long ago ends without what changed behind it since: this pull must see that too.
  if (state.walk === null) return first;
  const rested = (await options.store.read()).get(stream) ?? state;
  const second = await walkThrough(stream, rested, options);
  return { rows: first.rows + second.rows, requests: first.requests + second.requests };
}

async function walkThrough<A extends PullAnswer>(
  stream: Stream,
  state: StreamState,
  options: StreamOptions<A>,
): Promise<PullResult> {
  const { store, clock } = options;
  let walk = planWalk(state, options.lookbackSeconds, clock.now());
  const read = observed(options, state, walk);
  const pages = ahead(
    (signal) => readInOrder(read.list, RANGES[stream], readOptions(signal)),
    options.signal,
  );
  const readOptions = (signal: AbortSignal) => ({
    top: options.pageSize,
    from: walk.place,
    signal,
    emit: options.emit,
    isKnownEnd: (behind: A['rows'], answer: A) => read.endsWith(stream, behind, answer),
  });
  let rows = 0;
  try {
    let next = await pages.next();
    for (; !next.done; next = await pages.next()) {
      const { answer, asked, place } = next.value;
      const stretch = { rows: answer.rows, asked, place, date: answer.date };
      walk = advanceWalk(stream, { ...walk, ...read.began() }, stretch, clock.now());
      const page = { rows: next.value.rows, answer, state: { ...state, walk } };
      await store.commitPage(stream, page);
      rows += page.rows.length;
    }
    const ended: Walk = { ...walk, ...read.began() };
    await store.commitState(stream, finishWalk(ended, { place: next.value, ...read.end() }));
  } finally {
    await pages.return({ key: null, seen: 0, seam: null });
  }
  return { rows, requests: read.requests() };
}

/** What a walk learns from its requests beyond their rows. */
interface Observed<A extends PullAnswer> {
  readonly list: List<A>;
  requests(): number;
  /** Of the walk's first request: its own, or that of the walk it goes on with. */
  began(): Began;
  /** Is this the tail that the last walk left? */
  endsWith(stream: Stream, behind: A['rows'], answer: A): boolean;
  end(): { readonly widest: number; readonly met: string | null };
}

function observed<A extends PullAnswer>(
  options: StreamOptions<A>,
  state: StreamState,
  walk: Walk,
): Observed<A> {
  const { clock, pageSize, server } = options;
  let requests = 0;
  let began: Began | null = state.walk;
  let met: string | null = null;
  return {
    async list(request, signal) {
      requests += 1;
      const sentMs = clock.now();
      const answer = await options.list(request, signal);
      // The answer was dated after its rows were looked up, at most as long as the request took.
      const tookSeconds = Math.max(0, clock.now() - sentMs) / 1000;
      const date = answer.date === null ? null : addSeconds(answer.date, -tookSeconds);
      began ??= { beganMs: sentMs, date };
      server.widest = Math.max(server.widest, answer.rows.length);
      return answer;
    },
    requests: () => requests,
    began: () => ({ beganMs: began?.beganMs ?? walk.beganMs, date: began?.date ?? null }),
    endsWith(stream, behind, answer) {
      const limits = { answered: answer.rows.length, top: pageSize };
      if (!isKnownTail(stream, { ...state.tail, widest: server.widest }, behind, limits)) return false;
      met = state.tail.digest;
      return true;
    },
    end: () => ({ widest: server.widest, met }),
  };
}
