/**
 * All clients that a filter names, where the server may cap a page below what was asked for and others write meanwhile.
 * Each page begins with the last row of the one before. Where it does not, rows came or went, one may have slipped
 * through between the pages, and all of it is read again: a client that is not found here would be created a second time.
 */
import type { ReadRow } from '../clients/record.ts';
import { SyncError } from '../errors.ts';
import { stuck } from './readWatch.ts';

/** So often it is read from its beginning before a later run is left to try. */
const READINGS_MAX = 10;

interface Answer {
  readonly rows: readonly ReadRow[];
}

/**
 * @param ask one page, in an order that stays, without its first `skip` rows.
 * @param rowsMax no more rows are looked at.
 * @returns every answer, those of readings that were given up included.
 * @throws SyncError READ_STUCK when rows never stand still, or when the server answers one row a page.
 */
export async function readShared<A extends Answer>(
  ask: (skip: number) => Promise<A>,
  rowsMax: number,
): Promise<readonly A[]> {
  const answers: A[] = [];
  const next = async (skip: number): Promise<A> => {
    const answer = await ask(skip);
    answers.push(answer);
    return answer;
  };
  for (let reading = 0; reading < READINGS_MAX; reading += 1) {
    if (await readOnce(next, rowsMax)) return answers;
  }
  throw new SyncError('READ_STUCK', `the clients of one key moved in each of ${READINGS_MAX} readings`);
}

/** @returns false when rows moved. */
async function readOnce(ask: (skip: number) => Promise<Answer>, rowsMax: number): Promise<boolean> {
  const { rows } = await ask(0);
  let [seen, seam, widest] = [rows.length, rows.at(-1), rows.length];
  while (seam !== undefined && seen < rowsMax) {
    // Behind a single row that a server of wider pages answers there is none, so it needs no seam.
    const overlap = seen > 1 ? 1 : 0;
    const page = (await ask(seen - overlap)).rows;
    if (overlap === 1 && page[0]?.id !== seam.id) return false;
    widest = Math.max(widest, page.length);
    if (page.length === overlap) {
      if (overlap === 1 && widest === 1) throw stuck('$top', `asked for ${rowsMax} rows, it answers one`);
      return true;
    }
    seen += page.length - overlap;
    seam = page.at(-1);
  }
  return true;
}
