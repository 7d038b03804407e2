/**
 * Rows move, vanish and come between any two requests of a read. Oracle: a row that was there from the beginning
 * and never left the range is yielded; if it moved, it moved to a later key, and where that lay ahead of the read
 * its last version is yielded.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type PageAnswer,
  type PageRequest,
  type Place,
  type Range,
  readInOrder,
} from '../../src/api/readInOrder.ts';
import type { ReadRow } from '../../src/clients/record.ts';
import { answer, at, compareIds, type IdOrder, idOf, type ModelRow, type Server } from './modelSource.ts';

type Readable = NonNullable<ModelRow['readable']>;

interface Change {
  readonly kind: 'move' | 'delete' | 'insert';
  readonly n: number;
  readonly key: number;
}

interface Story {
  readonly order: IdOrder;
  readonly top: number;
  readonly cap: number;
  readonly bounded: boolean;
  readonly nulls: boolean;
  readonly rows: readonly { readonly key: number; readonly readable: Readable }[];
  /** What happens before each request but the first; nothing once the list is at its end. */
  readonly changes: readonly (readonly Change[])[];
  /** The read is dropped after so many pages and goes on from the last one's place. */
  readonly dropAfter: number;
}

const KEYS = 6;
const story: fc.Arbitrary<Story> = fc.record({
  order: fc.constantFrom<IdOrder>('text', 'sqlServer'),
  top: fc.integer({ min: 2, max: 7 }),
  cap: fc.integer({ min: 2, max: 7 }),
  bounded: fc.boolean(),
  nulls: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  rows: fc.array(
    fc.record({
      key: fc.oneof(fc.integer({ min: 0, max: KEYS - 1 }), fc.constant(2)),
      readable: fc.oneof(
        { weight: 12, arbitrary: fc.constant<Readable>('all') },
        { weight: 2, arbitrary: fc.constant<Readable>('rejected') },
        { weight: 1, arbitrary: fc.constantFrom<Readable>('noId', 'noKey') },
      ),
    }),
    { maxLength: 40 },
  ),
  changes: fc.array(
    fc.array(
      fc.record({
        kind: fc.constantFrom<Change['kind']>('move', 'move', 'delete', 'insert'),
        n: fc.nat({ max: 60 }),
        key: fc.integer({ min: 0, max: KEYS + 2 }),
      }),
      { maxLength: 5 },
    ),
    { maxLength: 25 },
  ),
  dropAfter: fc.integer({ min: 1, max: 12 }),
});

async function play(tale: Story, options: { readonly readable: boolean }): Promise<number> {
  const server: Server = { order: tale.order, cap: tale.cap };
  const range: Range = {
    key: 'updatedOn',
    lane: tale.nulls ? 'nulls' : 'values',
    from: tale.bounded && !tale.nulls ? at(1) : null,
    to: tale.bounded && !tale.nulls ? at(KEYS - 1) : null,
    also: null,
  };
  const stampOf = (key: number) => (tale.nulls ? null : at(key));
  const rows: ModelRow[] = tale.rows.map((row, n) => ({
    id: idOf(n),
    createdOn: at(0),
    updatedOn: stampOf(row.key),
    version: 0,
    readable: options.readable ? 'all' : row.readable,
  }));
  // Behind rows without id or key a read stands on a count alone: a row that moves then is the next pull's.
  const blind = rows.some((row) => row.readable === 'noId' || row.readable === 'noKey');
  const inRange = (row: ModelRow) =>
    row.updatedOn === null || ((range.from ?? '') <= row.updatedOn && row.updatedOn < (range.to ?? '~'));
  // What must be seen: version by id, null where any version will do.
  const owed = new Map(rows.filter(inRange).map((row) => [row.id, row.version as number | null]));
  const seen = new Map<string, Set<number>>();
  let place: Place | null = null;
  let requests = 0;
  const waiting = [...tale.changes];
  let lastRequest: PageRequest | null = null;
  let lastGot = 0;

  const change = ({ kind, n, key }: Change) => {
    const index = rows.findIndex((row) => row.id === idOf(n));
    const row = rows[index];
    if (kind === 'insert' && row === undefined) {
      rows.push({ id: idOf(n), createdOn: at(0), updatedOn: stampOf(key), version: 0 });
    } else if (kind === 'delete' && row !== undefined) {
      rows.splice(index, 1);
      owed.delete(row.id);
    } else if (kind === 'move' && row !== undefined && row.updatedOn !== null && at(key) > row.updatedOn) {
      row.updatedOn = at(key);
      row.version += 1;
      if (!inRange(row)) owed.delete(row.id);
      else if (owed.has(row.id)) owed.set(row.id, isAhead(row) && !blind ? row.version : null);
    }
  };
  const isAhead = (row: ModelRow) => {
    if (place === null || place.key === null) return true;
    const [mine, there] = [row.updatedOn ?? '', place.key];
    return mine > there || (mine === there && compareIds(tale.order, row.id, place.seam?.id ?? '') > 0);
  };

  const list = async (request: PageRequest): Promise<PageAnswer> => {
    // The question whether a single row is all there is belongs to the request before it.
    const isProbe = lastGot === 1 && request.skip === (lastRequest?.skip ?? 0) + 1;
    if (requests > 0 && !isProbe) for (const one of waiting.shift() ?? []) change(one);
    requests += 1;
    const found = answer(rows, request, server);
    lastRequest = request;
    lastGot = found.length;
    return { rows: found };
  };
  const see = (found: ReadRow) => {
    const [id, version] =
      'reason' in found
        ? Object.values(JSON.parse(found.raw) as { id: string; version: number }).filter(
            (_, n) => n % 3 === 0,
          )
        : found.values;
    const versions = seen.get(String(id)) ?? new Set();
    seen.set(String(id), versions.add(Number(version)));
  };

  for (const pagesMax of [tale.dropAfter, Number.POSITIVE_INFINITY]) {
    const from: Place | undefined = place ?? undefined;
    let pages = 0;
    for await (const page of readInOrder(list, range, { top: tale.top, from })) {
      expect(page.rows.length).toBeGreaterThan(0);
      for (const found of page.rows) see(found);
      place = page.place;
      pages += 1;
      if (pages === pagesMax) break;
    }
  }
  for (const [id, version] of owed) {
    const versions = seen.get(id);
    if (versions === undefined || (version !== null && !versions.has(version))) {
      throw new Error(`row ${Number.parseInt(id.slice(0, 8), 16)}, version ${version}`);
    }
  }
  return requests;
}

/** Enough for each change to cost some steps back and a reading of its group anew. */
function requestsMax(tale: Story): number {
  const rows = tale.rows.length + tale.changes.flat().length;
  const pages = Math.ceil(rows / (Math.min(tale.top, tale.cap) - 1)) + 3;
  return 2 * pages + tale.changes.length * 6 + 10;
}

describe('readInOrder while rows move between any two requests', () => {
  it('yields each row that stays in the range, and ends', async () => {
    await fc.assert(
      fc.asyncProperty(story, async (tale) => {
        const requests = await play(tale, { readable: true });
        expect(requests).toBeLessThanOrEqual(requestsMax(tale));
      }),
      { numRuns: Number(process.env.PAGER_RUNS ?? 2_000) },
    );
  });

  it('also with rows that cannot be read among them', async () => {
    await fc.assert(
      fc.asyncProperty(story, async (tale) => {
        const requests = await play(tale, { readable: false });
        expect(requests).toBeLessThanOrEqual(4 * requestsMax(tale));
      }),
      { numRuns: Number(process.env.PAGER_RUNS ?? 2_000) },
    );
  });
});
