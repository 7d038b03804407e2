/**
 * Watches a read for a server that does not page as asked. Such a server would make the pager spin for ever
 * or end early, so the read ends with an error that names the option the server ignores. A single odd answer
 * is asked for again: a row may move while the server reads it.
 */

import { isRejected, type ReadRow } from '../clients/record.ts';
import { SyncError } from '../errors.ts';
import type { Emit } from '../events.ts';
import { type Ask, type Asked, identityOf, type Place, type Range } from './page.ts';

/** Answers in a row that may be odd, or equal, before the read is given up: small pages are equal by chance. */
const ODD_MAX = 1;
const EQUAL_MAX = 10;
/** Requests allowed at one key: so many whole readings of its group, and a few more for small groups. */
const READINGS_MAX = 16;
const SPARE_REQUESTS = 1_000;
const REQUESTS_MAX = 10_000_000;

export interface Watch {
  /** Looks at an answer. False: ask the same again. @throws SyncError READ_STUCK */
  accepts(ask: Ask, rows: readonly ReadRow[]): boolean;
  /** The read took an answer of `got` rows and stands at `place` now. */
  took(place: Place, asked: Asked, got: number): void;
  /** Did no answer of a read from the beginning hold more than one row? */
  sawOnlyOne(): boolean;
}

interface Limits {
  readonly top: number;
  readonly from?: Place | undefined;
  readonly requestsMax?: number | undefined;
  readonly emit?: Emit | undefined;
}

export function createWatch(range: Range, limits: Limits): Watch {
  const requestsMax = limits.requestsMax ?? REQUESTS_MAX;
  let requests = 0;
  let odd = 0;
  let equal = 0;
  let last: { readonly ask: Ask; readonly rows: readonly ReadRow[] } | null = null;
  let widest = 0;
  let short = 0;
  let capTold = false;
  let far = { key: null as Place['key'], rows: 0, requests: 0 };

  function checkEqual(ask: Ask, rows: readonly ReadRow[]): void {
    equal = last !== null && rows.length > 0 && isSame(range, last.rows, rows) ? equal + 1 : 0;
    if (equal > EQUAL_MAX)
      throw stuck(last?.ask.key === ask.key ? '$skip' : '$filter', 'the same page came again');
    last = { ask, rows };
  }

  function checkBounds(asked: Asked): void {
    const readings = SPARE_REQUESTS + READINGS_MAX * Math.ceil(far.rows / Math.max(1, widest - 1));
    if (requests < requestsMax && far.requests < readings) return;
    const where = asked.key === null ? 'the rows without a stamp' : `the rows stamped ${asked.key}`;
    const count = requests < requestsMax ? far.requests : requests;
    throw new SyncError('READ_STUCK', `${count} requests did not get past ${where}`);
  }

  return {
    accepts(ask, rows) {
      requests += 1;
      far.requests += 1;
      widest = Math.max(widest, rows.length);
      const ignored = ignoredOption(range, ask, rows);
      odd = ignored === null ? 0 : odd + 1;
      if (ignored !== null && odd > ODD_MAX) throw stuck(ignored.option, ignored.because);
      if (ignored !== null) return false;
      checkEqual(ask, rows);
      return true;
    },
    took(place, asked, got) {
      checkBounds(asked);
      const reached = place.key === asked.key ? Math.max(place.seen, asked.skip + got) : place.seen;
      if (place.key !== far.key && (far.key === null || place.key === null || place.key > far.key)) {
        far = { key: place.key, rows: reached, requests: 0 };
      } else if (place.key === far.key) far.rows = Math.max(far.rows, reached);
      // Two full pages of one size, and that below what was asked for: the server's cap.
      if (!capTold && got > 1 && got === short) {
        capTold = true;
        limits.emit?.({ type: 'pageCapped', asked: limits.top, got });
      }
      short = got < limits.top ? got : 0;
    },
    sawOnlyOne: () => limits.from === undefined && widest < 2,
  };
}

/** The error of a server that ignores `option`. */
export function stuck(option: string, because: string): SyncError {
  return new SyncError('READ_STUCK', `the API does not honour ${option}: ${because}`);
}

interface Ignored {
  readonly option: '$filter' | '$orderby';
  readonly because: string;
}

/** Finds a row that should not be in this answer, or not there. */
function ignoredOption(range: Range, ask: Ask, rows: readonly ReadRow[]): Ignored | null {
  let before = ask.key;
  for (const row of rows) {
    const key = row[range.key];
    // A rejected row may lack its id or stamp for a reason of its own.
    if (key === undefined || (isRejected(row) && (row.id === null || key === null))) continue;
    const outside = outsideOf(range, ask, key);
    if (outside !== null) return { option: '$filter', because: `asked for ${outside}, got ${key}` };
    if (before !== null && key !== null && key < before) {
      return { option: '$orderby', because: `${range.key} goes down from ${before} to ${key} within a page` };
    }
    before = key;
  }
  return null;
}

/** The clause of the request that a key does not meet; null: it meets all. */
function outsideOf(range: Range, ask: Ask, key: Place['key']): string | null {
  if (range.lane === 'nulls') return key === null ? null : `${range.key} eq null`;
  if (key === null) return `${range.key} ne null`;
  if (ask.key !== null && key < ask.key) return `${range.key} ge ${ask.key}`;
  return range.to !== null && key >= range.to ? `${range.key} lt ${range.to}` : null;
}

function isSame(range: Range, before: readonly ReadRow[], now: readonly ReadRow[]): boolean {
  if (before.length !== now.length) return false;
  // From the end: honest pages differ there at once.
  return now.every((_, index) => {
    const at = now.length - 1 - index;
    const [a, b] = [before[at], now[at]];
    return a !== undefined && b !== undefined && identityOf(range, a) === identityOf(range, b);
  });
}
