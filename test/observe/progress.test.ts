import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Instant } from '../../src/clients/instant.ts';
import type { SyncEvent } from '../../src/events.ts';
import { countOf, countText, durationText, shareText } from '../../src/observe/numbers.ts';
import { createStatusLine, renderProgress } from '../../src/observe/progress.ts';
import { addEvent, emptyTally, remainingMs, rowsPerSecond, type Tally } from '../../src/observe/tally.ts';

const PAGE: SyncEvent = {
  type: 'pageCommitted',
  kind: 'backfill',
  rows: 1000,
  written: 900,
  key: '2024-01-01T00:00:00.0000000Z' as Instant,
};
const REQUEST: SyncEvent = {
  type: 'requestDone',
  method: 'GET',
  path: '/clients',
  status: 200,
  durationMs: 5,
  bodyBytes: 9,
};

function share(value: number): SyncEvent {
  return { type: 'backfillProgress', share: value, windowsOpen: 1, windowsDone: 0 };
}

/** A page a second, for `seconds`, of a run that begins at `first` and is at `last` in the end. */
function running(seconds: number, first: number, last: number): Tally {
  let tally = addEvent(emptyTally(0), { type: 'runStarted', kind: 'backfill', resumed: first > 0 }, 0);
  tally = addEvent(tally, share(first), 0);
  for (let second = 1; second <= seconds; second += 1) {
    tally = addEvent(addEvent(tally, REQUEST, second * 1000), PAGE, second * 1000);
    tally = addEvent(tally, share(first + ((last - first) * second) / seconds), second * 1000);
  }
  return tally;
}

describe('renderProgress', () => {
  it('shows how far a backfill is, how fast, and when it will be done', () => {
    expect(renderProgress(running(30, 0, 0.25), 30_000, 120)).toBe(
      'backfill  [======>                 ]   25 %  30,000 rows  1,000 rows/s  30 requests  ETA 1:30',
    );
  });

  it('shows how far a reconcile is', () => {
    let tally = addEvent(emptyTally(0), { type: 'runStarted', kind: 'reconcile', resumed: false }, 0);
    tally = addEvent(tally, { ...PAGE, kind: 'reconcile', written: 0 } as SyncEvent, 4000);
    tally = addEvent(tally, { type: 'sweepProgress', share: 0.5 }, 4000);
    expect(renderProgress(tally, 4000, 60)).toMatch(/^reconcile {2}.* 50 % {2}1,000 rows/);
  });

  it('counts the time to go from what this run did, not from what an earlier one had done', () => {
    expect(remainingMs(running(30, 0.5, 0.75), 30_000)).toBe(30_000);
  });

  it('gives up the less telling parts on a narrow terminal, the rows last', () => {
    const tally = running(30, 0, 0.25);
    expect(renderProgress(tally, 30_000, 80)).toBe(
      'backfill  [==>       ]   25 %  30,000 rows  1,000 rows/s  30 requests  ETA 1:30',
    );
    expect(renderProgress(tally, 30_000, 60)).toBe('backfill   25 %  30,000 rows  1,000 rows/s  ETA 1:30');
    expect(renderProgress(tally, 30_000, 30)).toBe('backfill   25 %  30,000 rows');
    expect(renderProgress(tally, 30_000, 14)).toBe('30,000 rows');
    expect(renderProgress(tally, 30_000, 5)).toBe('30,0');
  });

  it('never reaches the last column, never holds a control character', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 300 }),
        fc.nat(60),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (columns, seconds, at) => {
          const line = renderProgress(running(seconds, 0, at), seconds * 1000, columns);
          expect(line.length).toBeLessThanOrEqual(Math.max(1, columns - 1));
          expect(line).toMatch(/^[\x20-\x7e]*$/);
        },
      ),
    );
  });

  it('tells the time spent where it cannot tell the time to go', () => {
    const tally = addEvent(emptyTally(0), { type: 'runStarted', kind: 'pull', resumed: false }, 0);
    expect(renderProgress(addEvent(tally, PAGE, 400), 400, 80)).toBe('pull  1,000 rows  0 requests  0.4 s');
  });
});

describe('rowsPerSecond', () => {
  it('is the rate of the last ten seconds', () => {
    let tally = running(100, 0, 0.5);
    for (let second = 101; second <= 120; second += 1) {
      tally = addEvent(tally, { ...PAGE, rows: 100 } as SyncEvent, second * 1000);
    }
    expect(rowsPerSecond(tally, 120_000)).toBe(100);
  });

  it('falls to nothing when nothing comes', () => {
    expect(rowsPerSecond(running(10, 0, 0.5), 100_000)).toBe(0);
  });
});

describe('createStatusLine', () => {
  it('replaces its line in one write, without blanking it first', () => {
    const writes: string[] = [];
    const line = createStatusLine((text) => writes.push(text));
    line.draw(0, () => 'one');
    line.draw(50, () => 'too soon');
    line.draw(200, () => 'two');
    line.draw(400, () => 'two');
    expect(writes).toEqual(['\rone\x1b[K', '\rtwo\x1b[K']);
  });

  it('keeps the line below what is printed', () => {
    const writes: string[] = [];
    const line = createStatusLine((text) => writes.push(text));
    line.print('before\n');
    line.draw(0, () => 'bar');
    line.print('a warning\n');
    line.close();
    line.close();
    line.print('after\n');
    expect(writes).toEqual(['before\n', '\rbar\x1b[K', '\r\x1b[Ka warning\nbar', '\r\x1b[K', 'after\n']);
  });
});

describe('numbers', () => {
  it('are written as people read them', () => {
    expect([0, 999, 1000, 1234567].map(countText)).toEqual(['0', '999', '1,000', '1,234,567']);
    expect([0, 1, 2, 1000].map((count) => countOf(count, 'row'))).toEqual([
      '0 rows',
      '1 row',
      '2 rows',
      '1,000 rows',
    ]);
    expect([0, 200, 59_940, 60_000, 75_000, 3_725_000].map(durationText)).toEqual([
      '0.0 s',
      '0.2 s',
      '59.9 s',
      '1:00',
      '1:15',
      '1:02:05',
    ]);
    expect([0, 0.439, 0.9999, 1].map(shareText)).toEqual(['0 %', '43 %', '99 %', '100 %']);
  });
});
