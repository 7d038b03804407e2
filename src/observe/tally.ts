/**
 * What a run has come to so far, counted from its events: the progress bar and the log's summaries are both
 * drawn from this. Pure: the caller gives the time.
 */
import type { RunKind, SyncEvent } from '../events.ts';

export interface Tally {
  readonly kind: RunKind | null;
  readonly startedMs: number;
  readonly rows: number;
  readonly written: number;
  readonly requests: number;
  /** Largest key committed so far; pages of several windows arrive in any order. */
  readonly key: string | null;
  /** 0 to 1; null where the run does not know how much there is. */
  readonly share: number | null;
  /** The share as it was when the run began: a resumed one does not begin at nothing. */
  readonly firstShare: number;
  readonly windowsOpen: number;
  /** Rows at some moments of the last seconds, for the rate; the oldest first. */
  readonly samples: readonly Sample[];
}

interface Sample {
  readonly atMs: number;
  readonly rows: number;
}

const RATE_SPAN_MS = 10_000;
const SAMPLE_EVERY_MS = 500;

export function emptyTally(nowMs: number): Tally {
  return {
    kind: null,
    startedMs: nowMs,
    rows: 0,
    written: 0,
    requests: 0,
    key: null,
    share: null,
    firstShare: 0,
    windowsOpen: 0,
    samples: [{ atMs: nowMs, rows: 0 }],
  };
}

export function addEvent(tally: Tally, event: SyncEvent, nowMs: number): Tally {
  switch (event.type) {
    case 'runStarted':
      // The catch-up pull inside a backfill is a part of it.
      return tally.kind === null ? { ...emptyTally(nowMs), kind: event.kind } : tally;
    case 'requestDone':
      return { ...tally, requests: tally.requests + 1 };
    case 'pageCommitted':
      return addPage(tally, event, nowMs);
    case 'backfillProgress':
      return { ...withShare(tally, event.share), windowsOpen: event.windowsOpen };
    case 'sweepProgress':
      return withShare(tally, event.share);
    default:
      return tally;
  }
}

function withShare(tally: Tally, share: number): Tally {
  return { ...tally, share, firstShare: tally.share === null ? share : tally.firstShare };
}

function addPage(tally: Tally, page: Extract<SyncEvent, { type: 'pageCommitted' }>, nowMs: number): Tally {
  const rows = tally.rows + page.rows;
  const key = page.key !== null && (tally.key === null || page.key > tally.key) ? page.key : tally.key;
  const last = tally.samples.at(-1);
  const isDue = last === undefined || nowMs - last.atMs >= SAMPLE_EVERY_MS;
  const samples = isDue
    ? [...tally.samples.filter((sample) => nowMs - sample.atMs <= RATE_SPAN_MS), { atMs: nowMs, rows }]
    : tally.samples;
  return { ...tally, rows, key, samples, written: tally.written + page.written };
}

/** Rows a second over the last seconds; 0 where nothing can be said yet. */
export function rowsPerSecond(tally: Tally, nowMs: number): number {
  const first = tally.samples.find((sample) => nowMs - sample.atMs <= RATE_SPAN_MS) ?? tally.samples.at(-1);
  if (first === undefined) return 0;
  const spanMs = Math.max(nowMs - first.atMs, 0);
  return spanMs < SAMPLE_EVERY_MS ? 0 : ((tally.rows - first.rows) * 1000) / spanMs;
}

/** Time still to go, in milliseconds; null where nothing can be said yet. */
export function remainingMs(tally: Tally, nowMs: number): number | null {
  const elapsedMs = nowMs - tally.startedMs;
  const done = tally.share === null ? 0 : tally.share - tally.firstShare;
  if (tally.share === null || done < 0.005 || elapsedMs < 1000) return null;
  return (elapsedMs * (1 - tally.share)) / done;
}
