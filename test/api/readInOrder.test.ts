/** Crafted scenes, one a rule of the pager. Where rows move at random: readInOrder.random.test.ts. */
import { describe, expect, it } from 'vitest';
import {
  type PageAnswer,
  type PageRequest,
  type Place,
  type Range,
  readInOrder,
} from '../../src/api/readInOrder.ts';
import type { ReadRow } from '../../src/clients/record.ts';
import type { SyncError } from '../../src/errors.ts';
import type { SyncEvent } from '../../src/events.ts';
import { answer, at, idOf, type ModelRow, type Server } from './modelSource.ts';

const UPDATED: Range = { key: 'updatedOn', lane: 'values', from: null, to: null, also: null };
const TEXT: Server = { order: 'text', cap: 1000 };

function row(n: number, key: number | null, more: Partial<ModelRow> = {}): ModelRow {
  return {
    id: idOf(n),
    createdOn: key === null ? null : at(key),
    updatedOn: key === null ? null : at(key),
    version: 0,
    ...more,
  };
}

interface Scene {
  readonly rows: ModelRow[];
  readonly range?: Range;
  readonly server?: Server;
  readonly top?: number;
  readonly from?: Place;
  /** Changes the rows before the request with that number, from 0. */
  readonly before?: Readonly<Record<number, (rows: ModelRow[]) => void>>;
  readonly isKnownEnd?: (behind: readonly ReadRow[]) => boolean;
}

async function play(scene: Scene) {
  const requests: PageRequest[] = [];
  const events: SyncEvent[] = [];
  const got: string[] = [];
  const pages: number[][] = [];
  const list = async (request: PageRequest): Promise<PageAnswer> => {
    scene.before?.[requests.length]?.(scene.rows);
    requests.push(request);
    return { rows: answer(scene.rows, request, scene.server ?? TEXT) };
  };
  const read = readInOrder(list, scene.range ?? UPDATED, {
    top: scene.top ?? 3,
    from: scene.from,
    emit: (event) => events.push(event),
    isKnownEnd: scene.isKnownEnd,
    requestsMax: 5_000,
  });
  let next = await read.next();
  let last: Place | null = null;
  for (; !next.done; next = await read.next()) {
    const page = next.value;
    pages.push(page.rows.map((found) => numberOf(found)));
    for (const found of page.rows) got.push(`${numberOf(found)}@${found.updatedOn ?? found.createdOn ?? ''}`);
    last = page.place;
  }
  return { requests, events, got, pages, end: next.value, last };
}

function numberOf(found: ReadRow): number {
  const id = found.id ?? (JSON.parse((found as { raw: string }).raw) as { id: string }).id;
  return Number.parseInt(id.slice(0, 8), 16);
}

function place(key: number, seen: number, seam: number | null): Place {
  return { key: at(key), seen, seam: seam === null ? null : { id: idOf(seam), key: at(key) } };
}

const remove = (n: number) => (rows: ModelRow[]) => {
  rows.splice(
    rows.findIndex((found) => found.id === idOf(n)),
    1,
  );
};
const move = (n: number, key: number) => (rows: ModelRow[]) => {
  const found = rows.find((candidate) => candidate.id === idOf(n)) as ModelRow;
  found.updatedOn = at(key);
  found.version += 1;
};
const all =
  (...changes: ((rows: ModelRow[]) => void)[]) =>
  (rows: ModelRow[]) => {
    for (const change of changes) change(rows);
  };

describe('readInOrder', () => {
  it('asks from the last key on, skips what it saw there less the seam, and ends at nothing behind the seam', async () => {
    const { requests, pages, end } = await play({ rows: [row(1, 1), row(2, 2), row(3, 2), row(4, 3)] });
    expect(requests).toEqual([
      { filter: 'updatedOn ne null', orderby: 'updatedOn,id', skip: 0, top: 3 },
      { filter: `updatedOn ge ${at(2)}`, orderby: 'updatedOn,id', skip: 1, top: 3 },
      { filter: `updatedOn ge ${at(3)}`, orderby: 'updatedOn,id', skip: 0, top: 3 },
    ]);
    expect(pages).toEqual([[1, 2, 3], [4]]);
    expect(end).toEqual(place(3, 1, 4));
  });

  it('asks within both bounds and the further condition', async () => {
    const range: Range = {
      key: 'createdOn',
      lane: 'values',
      from: at(1),
      to: at(3),
      also: 'updatedOn eq null',
    };
    const rows = [0, 1, 2, 3].map((key) => row(key, key, { updatedOn: null }));
    const { requests, pages } = await play({ rows: [...rows, row(9, 2)], range });
    expect(requests[0]?.filter).toBe(`createdOn ge ${at(1)} and createdOn lt ${at(3)} and updatedOn eq null`);
    expect(pages).toEqual([[1, 2]]);
  });

  it('reads the rows without a key as one group in a lane of its own', async () => {
    const rows = [1, 2, 3, 4, 5, 6, 7].map((n) => row(n, null));
    const range: Range = { key: 'createdOn', lane: 'nulls', from: null, to: null, also: null };
    const { requests, pages, end } = await play({ rows: [...rows, row(8, 1)], range });
    expect(pages.flat()).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(requests[1]).toEqual({ filter: 'createdOn eq null', orderby: 'id', skip: 2, top: 3 });
    expect(end).toEqual({ key: null, seen: 7, seam: { id: idOf(7), key: null } });
  });

  it('goes on behind a given place with one request where nothing follows', async () => {
    const { requests, pages, end } = await play({ rows: [row(1, 1), row(2, 1)], from: place(1, 2, 2) });
    expect(requests).toHaveLength(1);
    expect(pages).toEqual([]);
    expect(end).toEqual(place(1, 2, 2));
  });

  it('reads the empty range, and the range of one row', async () => {
    expect((await play({ rows: [] })).requests).toHaveLength(1);
    expect((await play({ rows: [row(1, 1)] })).pages).toEqual([[1]]);
  });

  it.each(['text', 'sqlServer'] as const)('reads ties larger than a page, ids in %s order', async (order) => {
    const rows = Array.from({ length: 40 }, (_, n) => row(n, n < 30 ? 1 : 2));
    const { got } = await play({ rows, server: { order, cap: 4 }, top: 7 });
    expect(got).toHaveLength(40);
    expect(new Set(got).size).toBe(40);
  });

  it('takes a short page for a cap, tells it once, and reads on', async () => {
    const rows = Array.from({ length: 30 }, (_, n) => row(n, n));
    const { got, events } = await play({ rows, server: { order: 'text', cap: 4 }, top: 50 });
    expect(got).toHaveLength(30);
    expect(events).toEqual([{ type: 'pageCapped', asked: 50, got: 4 }]);
  });

  it('tells no cap where the page is as large as asked for', async () => {
    const { events } = await play({ rows: Array.from({ length: 30 }, (_, n) => row(n, n)), top: 10 });
    expect(events).toEqual([]);
  });

  describe('when rows move between two requests', () => {
    it('meets the seam by id and key, so that an updated seam row does not hide its new version', async () => {
      const { got } = await play({ rows: [row(1, 1), row(2, 2)], before: { 1: move(2, 5) } });
      expect(got).toContain(`2@${at(5)}`);
    });

    it('takes an answer without the seam for moved rows, and does not lose what shifted to the left', async () => {
      const rows = [1, 2, 3, 4, 5, 6].map((n) => row(n, 1));
      const { got } = await play({ rows, before: { 1: all(move(1, 9), move(2, 9)) } });
      expect(got).toEqual(expect.arrayContaining([4, 5, 6].map((n) => `${n}@${at(1)}`)));
    });

    it('takes an empty answer for moved rows too', async () => {
      const rows = [1, 2, 3, 4].map((n) => row(n, 1));
      const { got } = await play({ rows, before: { 1: all(remove(1), remove(2), remove(3)) } });
      expect(got).toContain(`4@${at(1)}`);
    });

    it('steps back by 1, 2, 4 and goes on behind a row that it knows, without reading the group anew', async () => {
      const rows = Array.from({ length: 100 }, (_, n) => row(n, 1));
      const gone = all(...Array.from({ length: 5 }, (_, n) => remove(n)));
      const { requests, got } = await play({ rows, top: 10, before: { 5: gone } });
      const skips = requests.slice(5, 9).map((request) => request.skip);
      const [at5 = 0] = skips;
      expect(skips[1]).toBe(at5 - 1);
      expect(skips[2] ?? 0).toBeGreaterThan(0);
      expect(new Set(got).size).toBe(100);
      expect(got.length).toBe(100);
    });

    it('ends while a job touches the rows of a large group, one between any two requests', async () => {
      const rows = Array.from({ length: 60 }, (_, n) => row(n, 1));
      const before: Record<number, (rows: ModelRow[]) => void> = {};
      for (let n = 0; n < 59; n += 1) before[n + 1] = move(n, 100 + n);
      const { requests, got } = await play({ rows, top: 10, before });
      expect(new Set(got.map((one) => one.split('@')[0])).size).toBe(60);
      // Reading the group anew at each touch takes as many requests as there are touches, and more.
      const inGroup = requests.filter((request) => request.filter === `updatedOn ge ${at(1)}`);
      expect(inGroup.length).toBeLessThan(25);
    });

    it('reads the group anew only where no row of the last page is left', async () => {
      const rows = Array.from({ length: 12 }, (_, n) => row(n, 1));
      const gone = all(remove(2), remove(3), remove(4));
      const { got } = await play({ rows, top: 3, before: { 2: gone } });
      expect(got).toEqual(expect.arrayContaining([5, 6, 7, 8, 9, 10, 11].map((n) => `${n}@${at(1)}`)));
    });

    it('finds the seam farther right where rows came in before it', async () => {
      const rows = [row(5, 1), row(6, 1), row(7, 1), row(8, 1), row(9, 2)];
      const { got, end } = await play({ rows, before: { 1: (now) => void now.push(row(1, 1), row(2, 1)) } });
      expect(got).toEqual(expect.arrayContaining([`8@${at(1)}`, `9@${at(2)}`]));
      expect(end).toEqual(place(2, 1, 9));
    });

    it('ends where the whole group went away', async () => {
      const rows = [1, 2, 3].map((n) => row(n, 1));
      const { end, requests } = await play({ rows, before: { 1: (now) => void now.splice(0) } });
      expect(end).toEqual(place(1, 0, null));
      expect(requests.length).toBeLessThanOrEqual(4);
    });
  });

  describe('at a place that it is given', () => {
    it('counts the group again where the seam is gone, even if it is empty now', async () => {
      const emptied = await play({ rows: [row(9, 0)], from: place(1, 5, 3) });
      expect(emptied.pages).toEqual([]);
      expect(emptied.end).toEqual(place(1, 0, null));

      const shrunk = await play({ rows: [row(1, 1), row(2, 1)], from: place(1, 3, 3) });
      expect(shrunk.end).toEqual(place(1, 2, 2));
    });

    it('corrects its count where the group shrank or grew before the seam', async () => {
      const shrunk = await play({ rows: [row(2, 1), row(3, 1)], from: place(1, 3, 3) });
      expect(shrunk.pages).toEqual([]);
      expect(shrunk.end).toEqual(place(1, 2, 3));
      const grown = await play({ rows: [0, 1, 2, 3].map((n) => row(n, 1)), from: place(1, 3, 3) });
      expect(grown.end).toEqual(place(1, 4, 3));
    });

    it('finds the new version of the seam row and what follows', async () => {
      const { got } = await play({ rows: [row(1, 1), row(3, 7)], from: place(1, 2, 3) });
      expect(got).toContain(`3@${at(7)}`);
    });

    it('ends at rows that the caller knows to be the last', async () => {
      const rows = [row(1, 1), row(8, 900), row(9, 901)];
      const known = (behind: readonly ReadRow[]) => behind.map(numberOf).join() === '8,9';
      const { requests, pages } = await play({ rows, from: place(1, 1, 1), top: 10, isKnownEnd: known });
      expect(requests).toHaveLength(1);
      expect(pages).toEqual([]);
    });
  });

  describe('with rows that cannot be read', () => {
    it('takes the last readable row for the seam, rejected or not', async () => {
      const rows = [
        row(1, 1),
        row(2, 1, { readable: 'rejected' }),
        row(3, 1, { readable: 'noId' }),
        row(4, 2),
      ];
      const { got, last } = await play({ rows });
      expect(new Set(got.map((one) => one.split('@')[0]))).toEqual(new Set(['1', '2', '3', '4']));
      expect(last).toEqual(place(2, 1, 4));
      const rejected = await play({ rows: [row(1, 1), row(2, 1, { readable: 'rejected' })] });
      expect(rejected.last).toEqual(place(1, 2, 2));
    });

    it('ends at the last readable row, with its own count', async () => {
      const bad = Array.from({ length: 7 }, (_, n) => row(n + 3, 1, { readable: 'noId' }));
      const { end, pages } = await play({ rows: [row(1, 1), row(2, 1), ...bad], top: 4 });
      expect(end).toEqual(place(1, 2, 2));
      expect(new Set(pages.flat()).size).toBe(9);
    });

    it.each(['noId', 'noKey'] as const)(
      'yields wholly unreadable pages (%s) and goes past them',
      async (how) => {
        const rows = Array.from({ length: 30 }, (_, n) =>
          row(n, 1, n > 2 && n < 25 ? { readable: how } : {}),
        );
        const { pages } = await play({ rows, top: 4 });
        expect(new Set(pages.flat()).size).toBe(30);
      },
    );

    it('reads a range in which no row is readable', async () => {
      const rows = Array.from({ length: 30 }, (_, n) => row(n, n, { readable: 'noId' }));
      expect(new Set((await play({ rows, top: 4 })).pages.flat()).size).toBe(30);
    });

    it('loses nothing behind unreadable rows that moved', async () => {
      const rows = Array.from({ length: 20 }, (_, n) =>
        row(n, 1, n > 2 && n < 12 ? { readable: 'noId' } : {}),
      );
      const { pages } = await play({ rows, top: 4, before: { 2: remove(0) } });
      expect(new Set(pages.flat())).toEqual(new Set(Array.from({ length: 20 }, (_, n) => n)));
    });
  });

  describe('with a server that does not page as asked', () => {
    const rows = Array.from({ length: 30 }, (_, n) => row((n * 7) % 30, Math.floor(n / 10)));
    it.each(['$filter', '$orderby', '$skip'] as const)(
      'ends with an error that names %s',
      async (ignores) => {
        const failed = play({ rows: [...rows], top: 5, server: { order: 'text', cap: 100, ignores } });
        const error = (await failed.then(
          () => null,
          (reason: unknown) => reason,
        )) as SyncError;
        expect(error.code).toBe('READ_STUCK');
        expect(error.message).toContain(ignores);
      },
    );

    it('sees rows above the upper bound, and rows with a key in the lane of those without', async () => {
      const server: Server = { order: 'text', cap: 100, ignores: '$filter' };
      const bounded: Range = { ...UPDATED, from: at(0), to: at(1) };
      await expect(play({ rows: [...rows], range: bounded, server, top: 50 })).rejects.toThrow('lt');
      const nulls: Range = { ...UPDATED, lane: 'nulls' };
      await expect(play({ rows: [...rows], range: nulls, server, top: 50 })).rejects.toThrow('eq null');
    });

    it('does not end as if done where the server answers one row a page', async () => {
      const server: Server = { order: 'text', cap: 1 };
      await expect(play({ rows: [row(1, 1), row(2, 2)], server })).rejects.toThrow('$top');
    });

    it('asks again after a single odd answer', async () => {
      let odd = true;
      const list = async (request: PageRequest) => {
        const found = answer([row(1, 1), row(2, 2), row(3, 3)], request, TEXT);
        if (odd) found.reverse();
        odd = false;
        return { rows: found };
      };
      const got = [];
      for await (const page of readInOrder(list, UPDATED, { top: 5 })) got.push(...page.rows);
      expect(got).toHaveLength(3);
    });

    it('stays within the bound on requests', async () => {
      let n = 0;
      // A source that gives the last row a new stamp before each request is never read to its end.
      const list = async () => {
        n += 1;
        return { rows: [toRow(n)] };
      };
      const toRow = (key: number) =>
        answer([row(1, key)], { filter: null, orderby: 'id', skip: 0, top: 1 }, TEXT)[0]!;
      const read = readInOrder(list, UPDATED, { top: 5, requestsMax: 50 });
      await expect(
        (async () => {
          for await (const _ of read);
        })(),
      ).rejects.toMatchObject({ code: 'READ_STUCK' });
      expect(n).toBe(50);
    });
  });
});
