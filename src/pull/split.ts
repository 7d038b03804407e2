/**
 * Gives an idle lane something to do: cuts the window with the most unread time in two. Whether a cut is worth it
 * is asked of the source: is there still a row some pages ahead? An empty upper half is cut off on the way.
 */
import type { Instant } from '../clients/instant.ts';
import { isSyncError } from '../errors.ts';
import { lowerHigh, readOpenWindows, splitWindow, type Window } from '../ledger/windows.ts';
import type { Engine } from '../rows/engine.ts';
import { planCut, unreadFrom, unreadSeconds } from './windows.ts';

/** A window with fewer pages left than this is left to the lane that reads it. */
const PAGES_WORTH_A_CUT = 2;

/** Splits one at a time: the second idle lane must see what the first one did. */
export interface Splitter {
  /** false: no window is worth a cut any more. */
  split(signal: AbortSignal): Promise<boolean>;
}

export function createSplitter(engine: Engine, backfillId: number): Splitter {
  const notWorth = new Set<number>();
  let turn: Promise<unknown> = Promise.resolve();

  async function splitLargest(signal: AbortSignal): Promise<boolean> {
    const open = await readOpenWindows(engine.warehouse, backfillId);
    const candidates = open
      .filter((window) => unreadSeconds(window) > 0 && !notWorth.has(window.id))
      .sort((a, b) => unreadSeconds(b) - unreadSeconds(a));
    for (const window of candidates) {
      if (await splitOne(engine, backfillId, window, signal)) return true;
      notWorth.add(window.id);
    }
    return false;
  }

  return {
    split(signal) {
      const mine = turn.then(() => splitLargest(signal));
      turn = mine.catch(() => undefined);
      return mine;
    },
  };
}

async function splitOne(
  engine: Engine,
  backfillId: number,
  found: Window,
  signal: AbortSignal,
): Promise<boolean> {
  let window = found;
  const from = unreadFrom(window);
  if (from === null) return false;
  const ahead = window.place.seen + PAGES_WORTH_A_CUT * engine.options.pageSize;
  const worth = await firstKey(engine, window, { from, skip: ahead }, signal);
  if (worth === null) return false;
  try {
    for (;;) {
      const cut = planCut(window, worth);
      if (cut === null) return false;
      if ((await firstKey(engine, window, { from: cut, skip: 0 }, signal)) !== null) {
        await engine.warehouse.commit(splitWindow(backfillId, window, cut));
        engine.emit({ type: 'windowSplit', at: cut });
        return true;
      }
      await engine.warehouse.commit([lowerHigh(window, cut)]);
      window = { ...window, high: cut };
    }
  } catch (error) {
    // Its reader moved on, or another process cut it: look at the windows as they are now.
    if (isSyncError(error, 'EXPECTATION')) return true;
    throw error;
  }
}

/** `createdOn` of the row `skip` rows behind `from` in a window; null when there is none. */
async function firstKey(
  engine: Engine,
  window: Window,
  at: { from: Instant; skip: number },
  signal: AbortSignal,
): Promise<Instant | null> {
  const request = {
    filter: `createdOn ge ${at.from} and createdOn lt ${window.high}`,
    orderby: 'createdOn,id',
    skip: at.skip,
    top: 1,
  };
  const { rows } = await engine.source.page(request, signal);
  return rows[0]?.createdOn ?? null;
}
