import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addSeconds, type Instant, instantFromMs, nextTick } from '../../src/clients/instant.ts';
import type { Window } from '../../src/ledger/windows.ts';
import { planCut, planWindows, shareDone } from '../../src/pull/windows.ts';

const instant = fc.integer({ min: 0, max: 4e12 }).map(instantFromMs);

const window = (low: Instant, high: Instant, key: Instant | null = null, done = false): Window => ({
  id: 1,
  lane: 'values',
  low,
  high,
  place: { key, seen: key === null ? 0 : 1, seam: null },
  done,
});

describe('planWindows', () => {
  it('covers all time without a gap or an overlap, and the rows without createdOn', () => {
    fc.assert(
      fc.property(instant, instant, fc.integer({ min: 1, max: 64 }), (a, b, count) => {
        const [oldest, newest] = a < b ? [a, b] : [b, a];
        const spans = planWindows(oldest, newest, count);
        expect(spans.pop()).toEqual({ lane: 'nulls', low: null, high: null });
        expect(spans.length).toBeLessThanOrEqual(count + 2);
        expect(spans[0]).toEqual({ lane: 'values', low: null, high: oldest });
        expect(spans.at(-1)).toEqual({ lane: 'values', low: nextTick(newest), high: null });
        spans.forEach((span, index) => {
          if (span.low !== null && span.high !== null) expect(span.low < span.high).toBe(true);
          if (index > 0) expect(span.low).toBe(spans[index - 1]?.high);
        });
      }),
    );
  });

  it('leaves nothing out where the two bounds came from a server that did not order', () => {
    const [early, late] = [instantFromMs(0), instantFromMs(1_000)];
    const spans = planWindows(late, early, 8).filter(({ lane }) => lane === 'values');
    expect(spans).toEqual([
      { lane: 'values', low: null, high: late },
      { lane: 'values', low: nextTick(early), high: null },
    ]);
  });

  it('reads everything as one where no client was shown', () => {
    expect(planWindows(null, null, 8)).toEqual([
      { lane: 'values', low: null, high: null },
      { lane: 'nulls', low: null, high: null },
    ]);
  });
});

describe('planCut', () => {
  const low = instantFromMs(0);
  const high = addSeconds(low, 1000);

  it('halves the unread time', () => {
    expect(planCut(window(low, high, addSeconds(low, 500)), low)).toBe(addSeconds(low, 750));
  });

  it('leaves the reader its pages ahead', () => {
    const worth = addSeconds(low, 900);
    expect(planCut(window(low, high), worth)).toBe(worth);
  });

  it('cuts nothing where all that is left has one stamp', () => {
    const key = addSeconds(low, 500);
    expect(planCut(window(low, nextTick(key), key), key)).toBeNull();
  });

  it('always cuts inside the unread part', () => {
    fc.assert(
      fc.property(instant, instant, instant, (a, b, worth) => {
        const [from, to] = a < b ? [a, b] : [b, a];
        const cut = planCut(window(from, to), worth);
        if (cut !== null) expect(cut > from && cut < to).toBe(true);
      }),
    );
  });
});

describe('shareDone', () => {
  const low = instantFromMs(0);
  const at = (seconds: number) => addSeconds(low, seconds);

  it('weighs windows by their time', () => {
    const windows = [window(low, at(100), at(50)), window(at(100), at(200), null, true)];
    expect(shareDone(windows)).toBeCloseTo(0.75);
  });

  it('is nothing before the first window', () => {
    expect(shareDone([])).toBe(0);
  });
});
