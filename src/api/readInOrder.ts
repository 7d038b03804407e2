/**
 * Reads clients in (key, id) order while others write to them, and misses none that stays in range.
 *
 * The API can only skip and filter. So each request starts at the last key seen and skips what was seen at
 * exactly that key, less one: the seam. If the seam is not where we left it, rows moved under us and we step
 * back until we meet a row we know. Meeting a row twice is fine; missing one is not. The order of ids is the
 * server's affair: they are compared for equality only.
 */
import type { ReadRow } from '../clients/record.ts';
import type { Emit } from '../events.ts';
import {
  type Asked,
  type Joint,
  join,
  type PageAnswer,
  type PageRequest,
  type Place,
  planRequest,
  type Range,
  standAt,
} from './page.ts';
import { createWatch, stuck } from './readWatch.ts';

export { ahead } from './ahead.ts';
export type { Asked, PageAnswer, PageRequest, Place, Range } from './page.ts';

export interface Page<A extends PageAnswer> {
  /** The rows that the read had not met so far, at least one, rejected ones included. */
  readonly rows: readonly ReadRow[];
  /** Where the read stands once these rows are stored. */
  readonly place: Place;
  readonly answer: A;
  readonly asked: Asked;
}

export type List<A extends PageAnswer> = (request: PageRequest, signal: AbortSignal) => Promise<A>;

export interface ReadOptions<A extends PageAnswer> {
  /** Rows to ask for with each request, at least 2: one is the seam. */
  readonly top: number;
  /** Goes on where an earlier read stood, instead of at the beginning of the range. */
  readonly from?: Place | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Bound on all requests of the read. */
  readonly requestsMax?: number | undefined;
  readonly emit?: Emit | undefined;
  /** Given all rows behind the seam: true where the caller knows them to be stored and to be the last ones. */
  readonly isKnownEnd?: ((behind: readonly ReadRow[], answer: A) => boolean) | undefined;
}

/**
 * Yields the rows of `range`, page by page, so that each row which stays in it during the read is yielded at
 * least once; a row may be yielded twice. Returns the place at which the read ended: it differs from the last
 * page's where a group lost rows meanwhile.
 * @throws SyncError READ_STUCK when the server does not page as asked, naming the option it ignores; also
 * whatever `list` throws, and the signal's reason.
 */
export async function* readInOrder<A extends PageAnswer>(
  list: List<A>,
  range: Range,
  options: ReadOptions<A>,
): AsyncGenerator<Page<A>, Place, void> {
  if (options.top < 2) throw new RangeError('top must be at least 2');
  const signal = options.signal ?? new AbortController().signal;
  const watch = createWatch(range, options);
  let stand = standAt(options.from ?? { key: range.from, seen: 0, seam: null });
  for (;;) {
    signal.throwIfAborted();
    const request = planRequest(range, stand.ask, options.top);
    const answer = await list(request, signal);
    if (!watch.accepts(stand.ask, answer.rows)) continue;
    const { how, fresh, place, next } = join(range, stand, answer.rows);
    if (isEnd(how, fresh, () => options.isKnownEnd?.(fresh, answer) ?? false)) {
      if (how !== 'seam' || !watch.sawOnlyOne() || (await isAlone(list, request, signal))) return place;
      continue;
    }
    const asked = { key: stand.ask.key, skip: stand.ask.skip };
    stand = next;
    watch.took(stand.place, asked, answer.rows.length);
    if (fresh.length > 0) yield { rows: fresh, place: stand.place, answer, asked };
  }
}

/** Only nothing behind the seam is the end: the server may cap a page below the size we asked for. */
function isEnd(how: Joint['how'], fresh: readonly ReadRow[], isKnownEnd: () => boolean): boolean {
  if (how === 'known' || how === 'moved') return false;
  return fresh.length === 0 || isKnownEnd();
}

/**
 * A server that answers one row a page looks as if nothing were behind any seam. False: a row came in just now.
 */
async function isAlone<A extends PageAnswer>(
  list: List<A>,
  request: PageRequest,
  signal: AbortSignal,
): Promise<boolean> {
  const behind = await list({ ...request, skip: request.skip + 1 }, signal);
  if (behind.rows.length === 0) return true;
  const again = await list(request, signal);
  if (again.rows.length < 2) throw stuck('$top', `asked for ${request.top} rows, it answers one`);
  return false;
}
