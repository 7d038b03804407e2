import { describe, expect, it } from 'vitest';
import type { Place } from '../../src/api/readInOrder.ts';
import { instantToMs } from '../../src/clients/instant.ts';
import { NO_TAIL, type StreamState, type Walk } from '../../src/ledger/places.ts';
import { advanceWalk, finishWalk, isKnownTail, planBegin, planWalk } from '../../src/pull/begin.ts';
import { at, idOf, type ModelRow, toReadRow } from '../api/modelSource.ts';

const L = 300;
/** Our clock when the source's shows at(seconds), both being right. */
const ms = (seconds: number) => instantToMs(at(seconds));

function state(more: Partial<StreamState> = {}): StreamState {
  return {
    key: at(1000),
    seen: 3,
    seam: idOf(3),
    atMs: ms(1001),
    beganMs: ms(1001 + L),
    date: null,
    tail: NO_TAIL,
    walk: null,
    ...more,
  };
}

const resting: Place = { key: at(1000), seen: 3, seam: { id: idOf(3), key: at(1000) } };
const from = (seconds: number): Place => ({ key: at(seconds), seen: 0, seam: null });

describe('planBegin', () => {
  it('resumes at a place whose key was known for the lookback when the last complete pull began', () => {
    expect(planBegin(state(), L)).toEqual(resting);
  });

  it('begins lower by what is left of the lookback', () => {
    expect(planBegin(state({ beganMs: ms(1001 + 100) }), L)).toEqual(from(1000 - 200));
    expect(planBegin(state({ beganMs: ms(1001 + L) - 1 }), L)).toEqual(from(1000 - 0.001));
  });

  it('begins lower still where the last pull began before the key was seen', () => {
    expect(planBegin(state({ beganMs: ms(1001 - 50) }), L)).toEqual(from(1000 - L - 50));
  });

  it("begins no later than the source's date less the lookback", () => {
    expect(planBegin(state({ date: at(1000 + L - 1) }), L)).toEqual(from(999));
    expect(planBegin(state({ date: at(1000 + L) }), L)).toEqual(resting);
    expect(planBegin(state({ date: at(5000) }), L)).toEqual(resting);
  });

  it('does not care how far the two clocks are apart', () => {
    const skewed = state({ atMs: ms(1001 + 7200), beganMs: ms(1001 + 7200 + L) });
    expect(planBegin(skewed, L)).toEqual(resting);
  });

  it('reads a stream in which nothing was ever seen from its beginning', () => {
    const empty = state({ key: null, seen: 0, seam: null });
    expect(planBegin(empty, L)).toEqual({ key: null, seen: 0, seam: null });
  });

  it('resumes at a group that is empty', () => {
    expect(planBegin(state({ seen: 0, seam: null }), L)).toEqual({ key: at(1000), seen: 0, seam: null });
  });
});

describe('planWalk', () => {
  it('goes on with a killed walk, with its began and its date', () => {
    const walk: Walk = {
      place: from(900),
      rest: { key: at(1000), seen: 0, seam: null, atMs: ms(1001) },
      beganMs: ms(1100),
      date: at(1100),
      behind: [],
    };
    expect(planWalk(state({ walk }), L, ms(99_000))).toBe(walk);
  });

  it('counts the group anew where it begins below it', () => {
    const walk = planWalk(state({ beganMs: ms(1101) }), L, ms(1200));
    expect(walk.rest).toEqual({ key: at(1000), seen: 0, seam: null, atMs: ms(1001) });
    expect(walk.beganMs).toBe(ms(1200));
  });
});

function row(n: number, updated: number, more: Partial<ModelRow> = {}) {
  return toReadRow({ id: idOf(n), createdOn: at(0), updatedOn: at(updated), version: 0, ...more });
}

describe('advanceWalk', () => {
  const walk = planWalk(state(), L, ms(2000));
  const asked = { key: at(1000), skip: 2 };
  const rows = [row(3, 1000), row(4, 1990), row(5, 1990)];

  it('moves to a later key, first seen now', () => {
    const place: Place = { key: at(1990), seen: 2, seam: { id: idOf(5), key: at(1990) } };
    const next = advanceWalk('updated', walk, { rows, asked, place, date: null }, ms(2001));
    expect(next.rest).toEqual({ key: at(1990), seen: 2, seam: idOf(5), atMs: ms(2001) });
    expect(next.place).toBe(place);
  });

  it('keeps the time at which its key was first seen while more rows of that key come', () => {
    const more = [row(3, 1000), row(4, 1000)];
    const next = advanceWalk('updated', walk, { rows: more, asked, place: resting, date: null }, ms(2001));
    expect(next.rest).toEqual({ key: at(1000), seen: 4, seam: idOf(4), atMs: ms(1001) });
  });

  it('stays where it is while it walks below its resting place', () => {
    const low = { rows: [row(1, 800)], asked: { key: at(700), skip: 0 }, place: from(800), date: null };
    expect(advanceWalk('updated', walk, low, ms(2001)).rest).toBe(walk.rest);
  });

  it.each([
    ["the source's date", at(2000), ms(500_000)],
    ['our clock, where there is no date', null, ms(2000)],
  ])('never rests at a row stamped more than a day past %s', (_, date, nowMs) => {
    const place: Place = { key: at(99_000), seen: 1, seam: { id: idOf(6), key: at(99_000) } };
    const stretch = { rows: [...rows, row(6, 2000 + 86_401)], asked, place, date };
    const next = advanceWalk('updated', walk, stretch, nowMs);
    expect(next.rest.key).toBe(at(1990));
    expect(next.behind).toHaveLength(1);
    const within = { ...stretch, rows: [...rows, row(6, 2000 + 86_400)] };
    expect(advanceWalk('updated', walk, within, nowMs).rest.key).toBe(at(2000 + 86_400));
  });

  it('finds its group empty where an answer from the beginning of the group holds none of it', () => {
    const future = {
      rows: [row(9, 900_000)],
      asked: { key: at(1000), skip: 0 },
      place: from(9),
      date: at(2000),
    };
    expect(advanceWalk('updated', walk, future, ms(2001)).rest).toMatchObject({
      key: at(1000),
      seen: 0,
      seam: null,
    });
  });
});

describe('finishWalk', () => {
  it('stores a group that was counted again, even if it is empty now', () => {
    const walk = planWalk(state(), L, ms(2000));
    const place: Place = { key: at(1000), seen: 0, seam: null };
    const rested = finishWalk({ ...walk, date: at(2000) }, { place, widest: 5, met: null });
    expect(rested).toMatchObject({ key: at(1000), seen: 0, seam: null, atMs: ms(1001), walk: null });
    expect(rested).toMatchObject({ beganMs: ms(2000), date: at(2000) });
  });
});

describe('isKnownTail', () => {
  const walk = planWalk(state(), L, ms(2000));
  const future = [row(8, 900_000), row(9, 900_001)];
  const rows = [row(3, 1000), ...future];
  const stretch = { rows, asked: { key: at(1000), skip: 2 }, place: from(900_001), date: at(2000) };
  const walked = advanceWalk('updated', walk, stretch, ms(2001));
  const { tail } = finishWalk(walked, { place: from(900_001), widest: 10, met: null });
  const limits = { answered: 3, top: 100 };

  it('knows the very rows that were behind the resting place', () => {
    expect(isKnownTail('updated', tail, future, limits)).toBe(true);
  });

  it('does not know one row more, one less, or another one', () => {
    expect(isKnownTail('updated', tail, [row(7, 899_999), ...future], limits)).toBe(false);
    expect(isKnownTail('updated', tail, future.slice(1), limits)).toBe(false);
    expect(isKnownTail('updated', tail, [row(8, 900_000), row(9, 900_002)], limits)).toBe(false);
    expect(isKnownTail('updated', tail, [row(7, 900_000), row(9, 900_001)], limits)).toBe(false);
  });

  it('believes no answer that may have been cut', () => {
    expect(isKnownTail('updated', { ...tail, widest: 3 }, future, limits)).toBe(false);
    expect(isKnownTail('updated', tail, future, { answered: 3, top: 3 })).toBe(false);
  });
});
