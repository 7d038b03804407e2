/** The sweep: spans of about as many clients each, read side by side, until every one is compared. */
import { createLinkedAbort } from '../abort.ts';
import { addSeconds, type Instant, instantFromMs } from '../clients/instant.ts';
import { countLive, readQuantiles } from '../ledger/mirrored.ts';
import { readStreamStates, type StreamState } from '../ledger/places.ts';
import {
  countSwept,
  createSweep,
  readOpenSpans,
  readOpenSweep,
  type SpanBounds,
  type Sweep,
  type SweepMode,
} from '../ledger/sweeps.ts';
import type { Engine } from '../rows/engine.ts';
import type { Lease } from '../warehouse/warehouse.ts';
import type { Pulled } from './judge.ts';
import { type SweepContext, sweepSpan } from './span.ts';

/** Spans a lane finds: one that holds a large group keeps its lane busy while the others share the rest. */
const SPANS_PER_LANE = 4;
/** A sweep that was left longer ago is begun anew: what it found says too little by now. */
const RESUME_MAX_SECONDS = 86_400;

/** The sweep to go on with, or a new one. */
export async function openSweep(
  engine: Engine,
  lease: Lease,
  mode: SweepMode,
  choice: { readonly allowMassDelete: boolean },
): Promise<{ readonly sweep: Sweep; readonly isResumed: boolean }> {
  const { warehouse, clock, options } = engine;
  const now = instantFromMs(clock.now());
  const query = { notBefore: addSeconds(now, -RESUME_MAX_SECONDS), isAllowed: choice.allowMassDelete };
  const left = await readOpenSweep(warehouse, mode, options.shape, query);
  if (left !== null) return { sweep: left, isResumed: true };
  const bounds = await readQuantiles(warehouse, options.concurrency * SPANS_PER_LANE);
  await warehouse.commit(createSweep(mode, options.shape, planSpans(bounds), now), lease);
  const sweep = await readOpenSweep(warehouse, mode, options.shape, { notBefore: now, isAllowed: false });
  if (sweep === null) throw new Error('the sweep that was just begun is not there');
  return { sweep, isResumed: false };
}

/** Half-open spans from the beginning to the end of time, cut at the bounds, and the lane of rows without a key. */
export function planSpans(bounds: readonly Instant[]): SpanBounds[] {
  const edges = [null, ...bounds, null];
  const spans = edges
    .slice(1)
    .map((high, index): SpanBounds => ({ lane: 'values', low: edges[index] ?? null, high }));
  return [...spans, { lane: 'nulls', low: null, high: null }];
}

/** Compares what is not compared yet, in as many lanes as requests may be under way. */
export async function sweepAll(context: SweepContext): Promise<void> {
  const { engine, signal } = context;
  const open = await readOpenSpans(engine.warehouse, context.sweepId);
  const onRead = await createProgress(context);
  const failed = createLinkedAbort(signal);
  const inner = { ...context, onRead, signal: failed.signal };
  const lane = async (): Promise<void> => {
    for (let span = open.shift(); span !== undefined; span = open.shift()) {
      inner.signal.throwIfAborted();
      await sweepSpan(inner, span);
    }
  };
  const lanes = Array.from({ length: engine.options.concurrency }, () =>
    lane().catch((error: unknown) => {
      failed.abort(error);
      throw failed.signal.reason;
    }),
  );
  const ended = await Promise.allSettled(lanes);
  failed.close();
  for (const one of ended) if (one.status === 'rejected') throw one.reason;
}

/** Tells how much is done; the mirror's count stands for the source's, which has none. */
async function createProgress({ engine, sweepId }: SweepContext): Promise<(count: number) => void> {
  const total = await countLive(engine.warehouse);
  let read = await countSwept(engine.warehouse, sweepId);
  return (count) => {
    read += count;
    engine.emit({ type: 'sweepProgress', share: Math.min(1, read / Math.max(1, total)) });
  };
}

/** What complete pulls have passed. */
export async function readPulled(engine: Engine): Promise<Pulled> {
  const states = await readStreamStates(engine.warehouse);
  const passed = (state: StreamState | undefined): Instant | null =>
    state === undefined || state.beganMs === null ? null : state.key;
  return {
    updated: passed(states.get('updated')),
    created: passed(states.get('created')),
    lookbackSeconds: engine.options.lookbackSeconds,
  };
}
