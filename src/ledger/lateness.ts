/**
 * `mirror_lateness`: the lookback measures itself. A new version whose stamp lies behind a key that a complete pull
 * had passed became visible after that stamp, by at least the difference, all by the source's own clock. Kept as a
 * distribution: whether the lookback is long enough can be read from it.
 */
import { type Instant, secondsBetween } from '../clients/instant.ts';
import { isRejected, type ReadRow } from '../clients/record.ts';
import { type Lease, type Statement, statement, type Warehouse } from '../warehouse/warehouse.ts';
import { readHeld } from './clients.ts';
import type { PlaceStore, StreamPage } from './places.ts';

/** Upper bounds of the classes, in seconds. */
const BOUNDS = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400] as const;
/** Later than this is no late commit but an import with old stamps. */
const LATE_MAX_SECONDS = 86_400;
/** Margin on the latest one seen, for the lookback that is recommended. */
const MARGIN = 1.5;
const ROUNDED_TO_SECONDS = 60;

/** Notes one row that was found late; null when it was not, or when it is no late commit. */
export function noteLateness(
  passed: Instant | null,
  stamp: Instant | null,
  measured: { readonly lookbackSeconds: number; readonly at: Instant },
): Statement | null {
  if (passed === null || stamp === null || stamp >= passed) return null;
  const seconds = secondsBetween(stamp, passed);
  if (seconds > LATE_MAX_SECONDS) return null;
  const bound = BOUNDS.find((one) => seconds <= one) ?? LATE_MAX_SECONDS;
  const over = seconds > measured.lookbackSeconds ? 1 : 0;
  const sql = `INSERT INTO mirror_lateness (bound, count, max_ms, over, over_at) VALUES (?, 1, ?, ?, ?)
    ON CONFLICT (bound) DO UPDATE SET count = mirror_lateness.count + 1,
      max_ms = CASE WHEN excluded.max_ms > mirror_lateness.max_ms THEN excluded.max_ms ELSE mirror_lateness.max_ms END,
      over = mirror_lateness.over + excluded.over, over_at = coalesce(excluded.over_at, mirror_lateness.over_at)`;
  return statement(sql, [bound, Math.ceil(seconds * 1000), over, over === 1 ? measured.at : null]);
}

export interface Lateness {
  /** Rows found late since the mirror was made. */
  readonly count: number;
  /** Upper bounds of the classes that hold the median and the 99th percentile. */
  readonly medianSeconds: number;
  readonly p99Seconds: number;
  readonly maxSeconds: number;
  /** Later than the lookback of their time: a pull could not see them. */
  readonly over: number;
  readonly overAt: Instant | null;
  /** What MIRROR_LOOKBACK_SECONDS should be at least; null: what it is will do. */
  readonly lookbackSeconds: number | null;
}

/**
 * null: no row was ever found late.
 * @param since what was over the lookback before then recommends nothing any more: it may have been raised.
 */
export async function readLateness(warehouse: Warehouse, since: Instant): Promise<Lateness | null> {
  const sql = 'SELECT bound, count, max_ms, over, over_at FROM mirror_lateness ORDER BY bound';
  const rows = await warehouse.read({ sql, params: [] });
  if (rows.length === 0) return null;
  const total = rows.reduce((sum, row) => sum + Number(row.count), 0);
  const quantile = (share: number): number => {
    let below = 0;
    for (const row of rows) {
      below += Number(row.count);
      if (below >= total * share) return Number(row.bound);
    }
    return LATE_MAX_SECONDS;
  };
  const over = rows.reduce((sum, row) => sum + Number(row.over), 0);
  const maxSeconds = Math.max(...rows.map((row) => Number(row.max_ms))) / 1000;
  const times = rows.map((row) => row.over_at as Instant | null).filter((at) => at !== null);
  const overAt = times.sort().at(-1) ?? null;
  const least = Math.ceil((maxSeconds * MARGIN) / ROUNDED_TO_SECONDS) * ROUNDED_TO_SECONDS;
  return {
    count: total,
    medianSeconds: quantile(0.5),
    p99Seconds: quantile(0.99),
    maxSeconds,
    over,
    overAt,
    lookbackSeconds: overAt !== null && overAt >= since ? least : null,
  };
}

interface WatchOptions {
  readonly lease: Lease;
  readonly lookbackSeconds: number;
  readonly now: () => Instant;
}

/** A place store that also measures how late the rows of its pages are. Rows at rest cost nothing. */
export function watchLateness<A>(
  store: PlaceStore<A>,
  warehouse: Warehouse,
  options: WatchOptions,
): PlaceStore<A> {
  return {
    ...store,
    async commitPage(stream, page) {
      const late = await findLate(warehouse, stream, page, options);
      await store.commitPage(stream, page);
      if (late.length > 0) await warehouse.commit(late, options.lease);
    },
  };
}

async function findLate<A>(
  warehouse: Warehouse,
  stream: 'updated' | 'created',
  page: StreamPage<A>,
  { lookbackSeconds, now }: WatchOptions,
): Promise<Statement[]> {
  // Only a complete pull has passed its key.
  const passed = page.state.beganMs === null ? null : page.state.key;
  if (passed === null) return [];
  const stampOf = (row: ReadRow): Instant | null =>
    (stream === 'updated' ? row.updatedOn : row.createdOn) ?? null;
  const behind = page.rows.filter((row) => !isRejected(row) && (stampOf(row) ?? passed) < passed);
  const held = await readHeld(
    warehouse,
    behind.flatMap((row) => row.id ?? []),
  );
  return behind.flatMap((row) => {
    const mine = held.get(row.id ?? '');
    // What is older than ours was restored, not late.
    const isNew = mine === undefined || (!mine.dirty && (row.updatedOn ?? '') > (mine.updatedOn ?? ''));
    return isNew ? (noteLateness(passed, stampOf(row), { lookbackSeconds, at: now() }) ?? []) : [];
  });
}
