/**
 * How a backfill's span is cut: at first into equal spans of time, later by halving the window that has the most
 * time left, as soon as a lane has nothing to do. Real data is skewed (half of all clients may carry one day's
 * `createdOn`), so halving goes on for as long as a window holds pages enough to share. Pure.
 */
import { addSeconds, type Instant, midpoint, nextTick, secondsBetween } from '../clients/instant.ts';
import type { Window } from '../ledger/windows.ts';

export type Span = Pick<Window, 'lane' | 'low' | 'high'>;

/**
 * The first windows: `count` equal spans from the oldest to the newest `createdOn`, and the lane of rows without. What
 * lies before and behind is a window too, empty as a rule: the two bounds came from one row each, and a server
 * that did not order just then must not hide all others.
 * @param oldest null when the source showed no client with a `createdOn`.
 */
export function planWindows(oldest: Instant | null, newest: Instant | null, count: number): Span[] {
  const nulls: Span = { lane: 'nulls', low: null, high: null };
  if (oldest === null || newest === null) return [{ lane: 'values', low: null, high: null }, nulls];
  const end = nextTick(newest);
  const step = secondsBetween(oldest, end) / count;
  const spans: Span[] = [{ lane: 'values', low: null, high: oldest }];
  let low = oldest;
  for (let index = 1; index <= count; index += 1) {
    const high = index === count ? end : addSeconds(oldest, step * index);
    if (high <= low) continue;
    spans.push({ lane: 'values', low, high });
    low = high;
  }
  return [...spans, { lane: 'values', low: end, high: null }, nulls];
}

/** Where a window's unread part begins. */
export function unreadFrom(window: Window): Instant | null {
  return window.place.key ?? window.low;
}

/** Seconds of `createdOn` that a window has not read; 0 for one without an end, which is not split. */
export function unreadSeconds(window: Window): number {
  const from = unreadFrom(window);
  return from === null || window.high === null ? 0 : Math.max(0, secondsBetween(from, window.high));
}

/**
 * Where to cut a window in two: in the middle of its unread time, but never before `worth`, the key of a row
 * pages ahead, so that the window's own reader keeps something to read. null where no cut is possible.
 */
export function planCut(window: Window, worth: Instant): Instant | null {
  const from = unreadFrom(window);
  if (from === null || window.high === null) return null;
  const middle = midpoint(from, window.high);
  const cut = middle > worth ? middle : worth;
  return cut > from && cut < window.high ? cut : null;
}

/** How much of all windows' time lies behind us, 0 to 1. */
export function shareDone(windows: readonly Window[]): number {
  let total = 0;
  let unread = 0;
  for (const window of windows) {
    if (window.low === null || window.high === null) continue;
    total += secondsBetween(window.low, window.high);
    if (!window.done) unread += unreadSeconds(window);
  }
  return total === 0 ? 0 : 1 - unread / total;
}
