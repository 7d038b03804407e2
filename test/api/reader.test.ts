import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ClientsApi, createApi } from '../../src/api/api.ts';
import { type ClientReader, createReader, type ReaderOptions } from '../../src/api/reader.ts';
import { planSteps } from '../../src/api/selection.ts';
import { createTokenSource } from '../../src/api/token.ts';
import { createTransport } from '../../src/api/transport.ts';
import { FIELD_NAMES } from '../../src/clients/fields.ts';
import { isRejected } from '../../src/clients/record.ts';
import type { SyncEvent } from '../../src/events.ts';
import { createFakeClock } from '../support/fakeClock.ts';
import { type Reply, type Seen, startHttpServer, type TestServer } from '../support/httpServer.ts';

const OWNER = '7a9b1b0e-6d0f-4f3e-9a53-5f6f3f0f8a00';
const REQUEST = {
  filter: 'createdOn ge 2026-01-01T00:00:00.0000000Z',
  orderby: 'createdOn,id',
  skip: 0,
  top: 10,
};
const EXCLUDED = new Set(['loginToken']);
const WITHOUT_SECRET = FIELD_NAMES.filter((name) => name !== 'loginToken');
const PUBLISHED = WITHOUT_SECRET.filter((name) => name !== 'contactAddress');

const idOf = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const client = (n: number, more: object = {}) => ({
  id: idOf(n),
  email: `c${n}@example.com`,
  firstName: 'A',
  lastName: 'B',
  createdOn: '2026-01-01T00:00:00Z',
  updatedOn: null,
  loginToken: `secret-${n}`,
  ...more,
});

let server: TestServer;
let api: ClientsApi;
let events: SyncEvent[];

beforeEach(async () => {
  server = await startHttpServer();
  events = [];
  api = createApi(
    createTransport({
      baseUrl: server.url,
      tokenSource: createTokenSource({ token: 'abc' }),
      clock: createFakeClock(),
      emit: () => undefined,
      concurrency: 4,
    }),
  );
});

afterEach(async () => {
  api.close();
  await server.close();
});

function reader(options: Partial<ReaderOptions> = {}): ClientReader {
  const emit = (event: SyncEvent) => void events.push(event);
  return createReader(api, {
    ownerId: null,
    excluded: EXCLUDED,
    found: [],
    acceptsNul: true,
    emit,
    ...options,
  });
}

const selectOf = (seen: Seen | undefined) => seen?.query.get('$select')?.split(',') ?? null;
const BAD: Reply = { status: 400, json: { error: { message: 'Could not find a property.' } } };
/** A server that knows these names only; null: it knows no `$select` at all. */
const knows =
  (names: readonly string[] | null, rows: unknown[] = [client(1)]) =>
  (seen: Seen) => {
    const asked = selectOf(seen);
    const refuses = asked !== null && (names === null || asked.some((name) => !names.includes(name)));
    return refuses ? BAD : { json: rows };
  };

describe('page', () => {
  it('adds owner and $select to what the pager asks for', async () => {
    server.play({ json: [client(1)], headers: { date: 'Thu, 01 Jan 2026 10:00:00 GMT' } });
    const answer = await reader({ ownerId: OWNER, found: ['id', 'email', 'nickname', 'loginToken'] }).page(
      REQUEST,
    );
    expect(answer.date).toBe('2026-01-01T10:00:00.0000000Z');
    expect(answer.rows.map((row) => row.id)).toEqual([idOf(1)]);
    expect(Object.fromEntries(server.seen[0]?.query ?? [])).toEqual({
      ownerId: OWNER,
      $filter: REQUEST.filter,
      $select: [...WITHOUT_SECRET, 'nickname'].join(','),
      $orderby: 'createdOn,id',
      $skip: '0',
      $top: '10',
    });
  });

  it('sends neither owner nor filter where there is none', async () => {
    server.play({ json: [] });
    await reader().page({ ...REQUEST, filter: null });
    expect([...(server.seen[0]?.query.keys() ?? [])]).toEqual(['$select', '$orderby', '$skip', '$top']);
  });

  it('drops excluded fields that come all the same, and sets unfit rows aside', async () => {
    server.play({
      json: [client(1, { nickname: 'x' }), { ...client(2), email: 7 }, client(3, { firstName: 'a\0' })],
    });
    const { rows } = await reader({ acceptsNul: false }).page(REQUEST);
    expect(JSON.stringify(rows)).not.toContain('secret');
    expect(rows.map(isRejected)).toEqual([false, true, true]);
    expect(rows[0]).toMatchObject({ extra: '{"nickname":"x"}' });
  });

  it('drops the found fields first when the server refuses them, and remembers', async () => {
    server.otherwise(knows(WITHOUT_SECRET));
    const found = [...WITHOUT_SECRET, 'nickname', 'shoeSize'];
    const one = reader({ found });
    expect(one.selected()).toEqual([...WITHOUT_SECRET, 'nickname', 'shoeSize']);
    await one.page(REQUEST);
    expect(one.selected()).toEqual(WITHOUT_SECRET);
    await one.page(REQUEST);
    expect(server.seen).toHaveLength(3);
    expect(events).toEqual([
      { type: 'notice', message: expect.stringContaining('refuses to select nickname, shoeSize') },
    ]);
  });

  it('does without the field that only the examples know', async () => {
    server.otherwise(knows(PUBLISHED));
    const one = reader();
    await one.page(REQUEST);
    expect(one.selected()).toEqual(PUBLISHED);
    expect(server.seen).toHaveLength(2);
  });

  it('reads whole rows from a server that refuses $select, and says so once', async () => {
    server.otherwise(knows(null, [client(1, { nickname: 'x' })]));
    const one = reader({ found: ['nickname'] });
    const pages = await Promise.all([1, 2, 3, 4, 5].map(() => one.page(REQUEST)));
    expect(one.selected()).toBeNull();
    expect(JSON.stringify(pages)).not.toContain('secret');
    expect(pages[0]?.rows[0]).toMatchObject({ extra: '{"nickname":"x"}' });
    expect(events).toEqual([{ type: 'notice', message: expect.stringContaining('refuses $select') }]);
    server.seen.length = 0;
    await one.page(REQUEST);
    expect(server.seen).toHaveLength(1);
    expect(server.seen[0]?.query.has('$select')).toBe(false);
  });

  it('side by side comes to one outcome, whatever the order of the answers', async () => {
    let count = 0;
    const answer = knows(PUBLISHED);
    server.otherwise(async (seen) => {
      count += 1;
      await new Promise((resolve) => setTimeout(resolve, (count * 7) % 5));
      return answer(seen);
    });
    const one = reader({ found: ['nickname', 'contactAddress'] });
    const pages = await Promise.all(Array.from({ length: 12 }, () => one.page(REQUEST)));
    expect(pages.every((page) => page.rows.length === 1)).toBe(true);
    expect(one.selected()).toEqual(PUBLISHED);
  });

  it('throws the first refusal when $select was not the cause, and keeps the selection', async () => {
    let count = 0;
    server.otherwise(() => {
      count += 1;
      return { status: 400, json: { title: `refusal ${count}` } };
    });
    const one = reader({ found: ['nickname'] });
    await expect(one.page(REQUEST)).rejects.toMatchObject({
      code: 'UNLISTED',
      details: { body: 'refusal 1' },
    });
    expect(one.selected()).toContain('nickname');
    expect(events).toEqual([]);
  });

  it('steps down for a 400 only', async () => {
    server.otherwise({ status: 403 });
    await expect(reader().page(REQUEST)).rejects.toMatchObject({ code: 'DENIED' });
    expect(server.seen).toHaveLength(1);
  });
});

describe('planSteps', () => {
  it('never asks for an excluded field, and each step for less', () => {
    const excluded = new Set(['loginToken', 'nickname', 'fico']);
    const steps = planSteps(['nickname', 'shoeSize', 'contactAddress'], excluded);
    expect(steps.at(-1)).toBeNull();
    const sizes = steps.map((step) => step?.length ?? 0);
    expect(sizes).toEqual([...new Set(sizes)].sort((a, b) => b - a));
    for (const name of excluded) for (const step of steps) expect(step ?? []).not.toContain(name);
  });
});

describe('byId', () => {
  it('answers the parsed client, without the excluded fields', async () => {
    server.play({ json: client(1, { ownerId: OWNER }) });
    const read = await reader({ ownerId: idOf(9) }).byId(idOf(1).toUpperCase());
    expect(read).toMatchObject({ found: true, row: { id: idOf(1) } });
    expect(JSON.stringify(read)).not.toContain('secret');
    // Another's client is found: that it left the mirrored owner is for the caller to see.
    if (!read.found || isRejected(read.row)) return expect.fail('not found');
    expect(read.row.values[FIELD_NAMES.indexOf('ownerId')]).toBe(OWNER);
    expect(server.seen[0]?.query.has('ownerId')).toBe(false);
  });

  it('answers that there is none', async () => {
    server.play({ status: 404, headers: { date: 'Thu, 01 Jan 2026 10:00:00 GMT' } });
    expect(await reader().byId(idOf(1))).toEqual({ found: false, date: '2026-01-01T10:00:00.0000000Z' });
  });

  it('takes another client for no proof of anything', async () => {
    server.play({ json: client(2) });
    await expect(reader().byId(idOf(1))).rejects.toMatchObject({ code: 'UNLISTED' });
  });
});

const idsIn = (seen: Seen) =>
  [...(seen.query.get('$filter') ?? '').matchAll(/id eq (\S+)/g)].map((hit) => hit[1]);
const numberOf = (id: string | undefined) => Number(id?.slice(-12));
const clientsIn = (seen: Seen) => idsIn(seen).map((id) => client(numberOf(id)));

describe('byIds', () => {
  const ids = Array.from({ length: 100 }, (_, n) => idOf(n));

  it('asks for fifteen at the most, several requests side by side', async () => {
    server.otherwise(async (seen) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return { json: clientsIn(seen) };
    });
    const { rows } = await reader({ ownerId: OWNER }).byIds([...ids, ...ids]);
    expect(rows.map((row) => row.id).sort()).toEqual(ids);
    expect(server.seen).toHaveLength(7);
    expect(Math.max(...server.seen.map((seen) => idsIn(seen).length))).toBe(15);
    expect(server.inFlightMax()).toBeGreaterThan(1);
    for (const seen of server.seen) {
      expect(seen.query.get('$top')).toBe(String(idsIn(seen).length));
      expect(seen.query.get('ownerId')).toBe(OWNER);
      expect(selectOf(seen)).toEqual(WITHOUT_SECRET);
    }
  });

  it('of none asks nothing', async () => {
    expect(await reader().byIds([])).toEqual({ rows: [], date: null });
    expect(server.seen).toHaveLength(0);
  });

  it('halves what the server finds too long, and remembers', async () => {
    server.otherwise((seen) => (idsIn(seen).length > 5 ? BAD : { json: clientsIn(seen) }));
    const one = reader();
    expect((await one.byIds(ids)).rows.map((row) => row.id).sort()).toEqual(ids);
    server.seen.length = 0;
    expect((await one.byIds(ids)).rows).toHaveLength(100);
    expect(server.seen.every((seen) => idsIn(seen).length <= 5)).toBe(true);
    expect(one.selected()).toEqual(WITHOUT_SECRET);
  });

  it('remembers it from a look-up by externalId as well', async () => {
    const keysIn = (seen: Seen) => (seen.query.get('$filter') ?? '').split(' or ').length;
    server.otherwise((seen) => (keysIn(seen) > 5 ? BAD : { json: [] }));
    const one = reader();
    const keys = Array.from({ length: 20 }, (_, n) => `key ${n}`);
    await one.byExternalIds(keys);
    server.seen.length = 0;
    await one.byExternalIds(keys);
    expect(server.seen.every((seen) => keysIn(seen) <= 5)).toBe(true);
  });

  it('does not take a refused field for a batch too long', async () => {
    const answer = knows(PUBLISHED);
    server.otherwise((seen) => ('status' in answer(seen) ? BAD : { json: clientsIn(seen) }));
    const one = reader({ found: ['nickname'] });
    expect((await one.byIds(ids)).rows.map((row) => row.id).sort()).toEqual(ids);
    expect(one.selected()).toEqual(PUBLISHED);
    server.seen.length = 0;
    await one.byIds(ids);
    expect(server.seen).toHaveLength(7);
  });

  it('answers the earliest of the dates', async () => {
    let second = 30;
    server.otherwise((seen) => {
      second -= 1;
      return { json: clientsIn(seen), headers: { date: `Thu, 01 Jan 2026 10:00:${second} GMT` } };
    });
    expect((await reader().byIds(ids)).date).toBe('2026-01-01T10:00:23.0000000Z');
  });

  it('ends with the first error, and sends no more after it', async () => {
    server.otherwise({ status: 403 });
    const many = Array.from({ length: 1000 }, (_, n) => idOf(n));
    await expect(reader().byIds(many)).rejects.toMatchObject({ code: 'DENIED' });
    expect(server.seen.length).toBeLessThan(10);
  });

  it('leaves no request under way when it has ended with an error', async () => {
    server.otherwise({ status: 403 });
    let underWay = 0;
    const counting: ClientsApi = {
      ...api,
      async list(...args) {
        underWay += 1;
        return await api.list(...args).finally(() => {
          underWay -= 1;
        });
      },
    };
    const options = { ownerId: null, excluded: EXCLUDED, found: [], acceptsNul: true, emit: () => undefined };
    await expect(createReader(counting, options).byIds(ids)).rejects.toMatchObject({ code: 'DENIED' });
    expect(underWay).toBe(0);
  });

  it('is stopped by the signal', async () => {
    server.otherwise({ fault: 'stall' });
    const controller = new AbortController();
    const running = expect(reader().byIds(ids, controller.signal)).rejects.toThrow('stop');
    while (server.seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
    controller.abort(new Error('stop'));
    await running;
  });
});

describe('discover', () => {
  it('answers the names of one client read by id', async () => {
    server.play(
      { json: [{ id: idOf(1) }] },
      { json: client(1, { nickname: 'x', 'a b': 1, '@odata.etag': 'e' }) },
    );
    const names = await reader({ ownerId: OWNER }).discover();
    expect(names).toEqual([...Object.keys(client(1)), 'nickname']);
    expect(Object.fromEntries(server.seen[0]?.query ?? [])).toEqual({
      ownerId: OWNER,
      $select: 'id',
      $top: '1',
    });
    expect(server.seen[1]?.url).toBe(`/clients/${idOf(1)}`);
    expect(server.seen).toHaveLength(2);
  });

  it('answers nothing of an empty source', async () => {
    server.play({ json: [] });
    expect(await reader().discover()).toEqual([]);
  });

  it('does without $select where that is refused', async () => {
    server.play(BAD, { json: [client(1)] }, { json: client(1) });
    expect(await reader().discover()).toEqual(Object.keys(client(1)));
  });

  it('takes another client when the first has no id, or is gone meanwhile', async () => {
    server.play({ json: [{ id: null }] }, { json: [{ id: 7 }, { id: idOf(2) }] }, { json: client(2) });
    expect(await reader().discover()).toEqual(Object.keys(client(2)));
    server.play(
      { json: [{ id: idOf(1) }] },
      { status: 404 },
      { json: [{ id: idOf(3) }] },
      { json: client(3) },
    );
    expect(await reader().discover()).toEqual(Object.keys(client(3)));
  });
});
