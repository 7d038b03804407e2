/**
 * Where the next pull of a stream begins, and how its place advances. Pure.
 *
 * A row may become visible after its own stamp, by up to the lookback L. What the last complete walk could not see
 * became visible after that walk began, so it is stamped later than began − L. A place whose key was first seen
 * longer than L before that walk began therefore has nothing left to show behind it: the stream resumes there,
 * with one row as proof. Until then the next walk starts lower by what is left of L. `Date`, where the source
 * sends one, says the same by the source's own clock, and is right even where a stamp runs ahead of it.
 */
import { createHash } from 'node:crypto';
import { identityOf, isReadable, placeAt } from '../api/page.ts';
import type { Asked, PageAnswer, Place, Range } from '../api/readInOrder.ts';
import { addSeconds, type Instant, instantFromMs } from '../clients/instant.ts';
import type { ReadRow } from '../clients/record.ts';
import { NO_TAIL, type Rest, type Stream, type StreamState, type Tail, type Walk } from '../ledger/places.ts';

/** A row stamped farther ahead of the source's clock is mirrored, but never becomes a place. */
export const AHEAD_MAX_SECONDS = 86_400;
/** Rows behind a resting place that are worth remembering; more cost a request a pull. */
const BEHIND_MAX = 200;

const WHOLE = { lane: 'values', from: null, to: null } as const;

/** What each stream reads. */
export const RANGES: Readonly<Record<Stream, Range>> = {
  updated: { ...WHOLE, key: 'updatedOn', also: null },
  created: { ...WHOLE, key: 'createdOn', also: 'updatedOn eq null' },
};

export interface PullAnswer extends PageAnswer {
  /** The answer's `Date`; null where the source sends none. */
  readonly date: Instant | null;
  /** The warehouse's revision counter before the request was sent. */
  readonly noted: number;
}

/** The state of a stream in which no row was ever seen: it is read from its beginning. */
export function emptyState(nowMs: number): StreamState {
  return {
    key: null,
    seen: 0,
    seam: null,
    atMs: nowMs,
    beganMs: null,
    date: null,
    tail: NO_TAIL,
    walk: null,
  };
}

/** Where a pull begins when no walk is under way. */
export function planBegin(state: StreamState, lookbackSeconds: number): Place {
  const { key, seen, seam } = state;
  const resting: Place = { key, seen, seam: seam === null ? null : { id: seam, key } };
  if (key === null) return resting;
  // Before a first complete walk the place itself, taken from the newest stamp, is all that is known.
  const knownSeconds = ((state.beganMs ?? state.atMs) - state.atMs) / 1000;
  const leftSeconds = Math.max(0, lookbackSeconds - knownSeconds);
  const byOurClock = addSeconds(key, -leftSeconds);
  const bySource = state.date === null ? key : addSeconds(state.date, -lookbackSeconds);
  const from = earlier(byOurClock, bySource);
  return from === key ? resting : { key: from, seen: 0, seam: null };
}

function earlier(a: Instant, b: Instant): Instant {
  if (a <= b) return a;
  return b;
}

/** The walk that a pull goes on with: the one that was killed, with its own `began` and `date`, or a new one. */
export function planWalk(state: StreamState, lookbackSeconds: number, nowMs: number): Walk {
  if (state.walk !== null) return state.walk;
  const place = planBegin(state, lookbackSeconds);
  const { key, atMs } = state;
  // A walk that starts lower counts the group at the old key by itself, and finds it empty if it is.
  const rest: Rest =
    place.key === key
      ? { key, seen: state.seen, seam: state.seam, atMs }
      : { key, seen: 0, seam: null, atMs };
  return { place, rest, beganMs: nowMs, date: null, behind: [] };
}

/** One answer of a walk, as the stream sees it. */
export interface Stretch {
  readonly rows: readonly ReadRow[];
  readonly asked: Asked;
  /** Where the read stands behind it. */
  readonly place: Place;
  /** The answer's own `Date`; null where there is none. */
  readonly date: Instant | null;
}

/** The walk once the rows of an answer are stored. `nowMs`: our clock. */
export function advanceWalk(stream: Stream, walk: Walk, stretch: Stretch, nowMs: number): Walk {
  const range = RANGES[stream];
  const { rows, asked, place } = stretch;
  const limit = addSeconds(stretch.date ?? instantFromMs(nowMs), AHEAD_MAX_SECONDS);
  const last = rows.findLastIndex((row) => isReadable(range, row) && (row[range.key] ?? limit) <= limit);
  const found = last < 0 ? emptyGroup(walk.rest, asked) : placeAt(range, asked, rows, last);
  const behind = identities(range, rows.slice(last + 1));
  return {
    ...walk,
    place,
    rest: found === null ? walk.rest : laterRest(walk.rest, found, nowMs),
    behind: last < 0 && walk.behind !== null ? bounded([...walk.behind, ...behind]) : bounded(behind),
  };
}

/** How a walk ended. */
export interface Ending {
  /** Where the read ended: it knows a group that was counted again, even one that is empty now. */
  readonly place: Place;
  /** The most rows that one answer of this server ever held. */
  readonly widest: number;
  /** The digest of the tail that was met unchanged; null: the walk met its end by itself. */
  readonly met: string | null;
}

/** The state in which a stream rests after a walk. */
export function finishWalk(walk: Walk, ending: Ending): StreamState {
  const { rest, beganMs, date, behind } = walk;
  const { place, widest } = ending;
  const counted = place.key === rest.key ? { seen: place.seen, seam: place.seam?.id ?? null } : {};
  const digest = ending.met ?? (behind === null || behind.length === 0 ? null : digestOf(behind));
  return { ...rest, ...counted, beganMs, date, tail: { widest, digest }, walk: null };
}

/**
 * Are the rows behind a seam the very ones that were behind the resting place when the last walk ended, all
 * stored, and is nothing behind them? The latter is sure only of an answer of fewer rows than one this server gave
 * before, and than were asked for.
 */
export function isKnownTail(
  stream: Stream,
  tail: Tail,
  behind: readonly ReadRow[],
  limits: { readonly answered: number; readonly top: number },
): boolean {
  if (tail.digest === null || limits.answered >= Math.min(tail.widest, limits.top)) return false;
  const now = bounded(identities(RANGES[stream], behind));
  return now !== null && digestOf(now) === tail.digest;
}

/** An answer from the beginning of the resting group that holds no row of it says that it is empty. */
function emptyGroup(rest: Rest, asked: Asked): Place | null {
  return asked.key === rest.key && asked.skip === 0 ? { key: rest.key, seen: 0, seam: null } : null;
}

function laterRest(rest: Rest, found: Place, nowMs: number): Rest {
  const { key, seen } = found;
  const isLater = key !== null && (rest.key === null || key > rest.key);
  if (key !== rest.key && !isLater) return rest;
  return { key, seen, seam: found.seam?.id ?? null, atMs: isLater ? nowMs : rest.atMs };
}

function identities(range: Range, rows: readonly ReadRow[]): readonly string[] {
  return rows.map((row) => identityOf(range, row));
}

/** Each once, in order: pages overlap. */
function bounded(all: readonly string[]): readonly string[] | null {
  const once = [...new Set(all)];
  return once.length > BEHIND_MAX ? null : once;
}

function digestOf(behind: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(behind)).digest('base64');
}
