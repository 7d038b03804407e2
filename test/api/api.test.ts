import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ClientsApi, createApi } from '../../src/api/api.ts';
import { createTokenSource } from '../../src/api/token.ts';
import { createTransport } from '../../src/api/transport.ts';
import { createFakeClock } from '../support/fakeClock.ts';
import { type Reply, startHttpServer, type TestServer } from '../support/httpServer.ts';

const ID = '0b9b1b0e-6d0f-4f3e-9a53-5f6f3f0f8a11';
const TOKEN = 'Opaque-Token';
const AUDIT = { id: ID, type: 'Client', createdTimestamp: '2026-01-01T00:00:00Z', updatedTimestamp: null };

let server: TestServer;
let api: ClientsApi;

beforeEach(async () => {
  server = await startHttpServer('/homedashboard');
  api = createApi(
    createTransport({
      baseUrl: server.url,
      tokenSource: createTokenSource({ token: TOKEN }),
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

const notJson = (message: string) =>
  expect.objectContaining({ code: 'NOT_JSON', message: expect.stringContaining(message) });

describe('list', () => {
  it('sends every documented parameter', async () => {
    server.play({ json: [] });
    await api.list({
      ownerId: ID,
      searchText: "O'Brien & Söhne",
      filter: 'updatedOn eq null',
      select: ['id', 'email'],
      orderby: 'createdOn,id',
      skip: 3,
      top: 7,
    });
    expect(Object.fromEntries(server.seen[0]?.query ?? [])).toEqual({
      ownerId: ID,
      searchText: "O'Brien & Söhne",
      $filter: 'updatedOn eq null',
      $select: 'id,email',
      $orderby: 'createdOn,id',
      $skip: '3',
      $top: '7',
    });
    expect(server.seen[0]?.url).not.toContain('+');
  });

  it('reads a bare array', async () => {
    server.play({ json: [{ id: ID }], headers: { date: 'Thu, 01 Jan 2026 10:00:00 GMT' } });
    const answer = await api.list({});
    expect(answer).toEqual({ rows: [{ id: ID }], date: '2026-01-01T10:00:00.0000000Z', nextLink: null });
    expect(server.seen[0]).toMatchObject({ method: 'GET', url: '/homedashboard/clients', token: TOKEN });
  });

  it('reads the envelope of OData, and goes nowhere near its nextLink', async () => {
    const other = await startHttpServer();
    const nextLink = `${other.origin}/clients?$skip=50`;
    server.play({ json: { '@odata.context': 'x', value: [{ id: ID }], '@odata.nextLink': nextLink } });
    expect(await api.list({})).toMatchObject({ rows: [{ id: ID }], nextLink });
    expect(server.seen).toHaveLength(1);
    expect(other.connections()).toBe(0);
    await other.close();
  });

  it('says what came in one short line without the token, whatever a server makes of names and hosts', async () => {
    const replies: readonly Reply[] = [
      { json: { [TOKEN]: 1, 'two\nlines': 2, '\u001b[2J': 3, [`long${'g'.repeat(5000)}`]: 4 } },
      { status: 302, headers: { location: `https://${TOKEN}.${'h'.repeat(5000)}.example/` } },
    ];
    for (const reply of replies) {
      server.otherwise(reply);
      const error = (await api.list({}, { retry: false }).catch((thrown: unknown) => thrown)) as Error;
      expect(error.message).toMatch(/ answered .*\[secret\]/);
      expect(error.message).not.toMatch(new RegExp(`${TOKEN}|\\p{Cc}`, 'iu'));
      expect(error.message.length).toBeLessThan(700);
    }
  });

  it('tries anything else again, then says what came', async () => {
    server.play({ json: { message: 'starting up' } }, { json: [] });
    expect(await api.list({})).toMatchObject({ rows: [] });
    for (const [json, words] of [
      [{ message: 'hello', code: 7 }, 'answered an object with message, code instead of a list of clients'],
      [{ value: {} }, 'an object with value'],
      [{}, 'an empty object'],
      [null, 'answered null'],
      ['secret words', 'a string'],
      [7, 'a number'],
    ] as const) {
      server.otherwise({ json });
      await expect(api.list({}, { retry: false })).rejects.toEqual(notJson(words));
    }
  });
});

describe('get', () => {
  it('answers the client with its ETag', async () => {
    server.play({ json: { id: ID }, headers: { etag: 'W/"1"' } });
    expect(await api.get(ID)).toMatchObject({ found: true, row: { id: ID }, etag: 'W/"1"' });
    expect(server.seen[0]?.url).toBe(`/homedashboard/clients/${ID}`);
  });

  it('takes a 404 for an outcome', async () => {
    server.play({
      status: 404,
      json: { title: 'Not Found' },
      headers: { date: 'Thu, 01 Jan 2026 10:00:00 GMT' },
    });
    expect(await api.get(ID)).toEqual({ found: false, date: '2026-01-01T10:00:00.0000000Z' });
  });

  it('takes only an object for a client', async () => {
    for (const json of [[], null, 'x']) {
      server.otherwise({ json });
      await expect(api.get(ID, { retry: false })).rejects.toEqual(notJson('instead of a client'));
    }
  });
});

describe('create', () => {
  it('sends the body and answers the audit record', async () => {
    server.play({ json: AUDIT });
    expect(await api.create({ email: 'a@b.co' })).toEqual(AUDIT);
    expect(server.seen[0]).toMatchObject({
      method: 'POST',
      url: '/homedashboard/clients',
      body: '{"email":"a@b.co"}',
    });
  });

  it('takes whatever the record lacks or garbles for unknown: the write is done', async () => {
    const nothing = { id: null, type: null, createdTimestamp: null, updatedTimestamp: null };
    server.play({ json: { id: 7 } }, { status: 204 }, { json: [] }, { json: null });
    for (let count = 0; count < 4; count += 1) expect(await api.create({})).toEqual(nothing);
  });
});

describe('update and replace', () => {
  it.each(['PATCH', 'PUT'] as const)(
    '%s sends the body as JSON and answers the audit record',
    async (method) => {
      server.play({ json: AUDIT });
      const call = method === 'PATCH' ? api.update : api.replace;
      expect(await call(ID, { email: 'a@b.co' }, { ifMatch: '"7"' })).toEqual(AUDIT);
      expect(server.seen[0]).toMatchObject({
        method,
        url: `/homedashboard/clients/${ID}`,
        body: '{"email":"a@b.co"}',
        headers: { 'content-type': 'application/json', 'if-match': '"7"' },
      });
    },
  );

  it('meet a client that is gone with GONE', async () => {
    server.otherwise({ status: 404 });
    await expect(api.update(ID, {})).rejects.toMatchObject({ code: 'GONE' });
    await expect(api.replace(ID, {})).rejects.toMatchObject({ code: 'GONE' });
    await expect(api.delete(ID)).rejects.toMatchObject({ code: 'GONE' });
  });
});

describe('delete', () => {
  it('deletes one client', async () => {
    server.play({ status: 204 });
    await api.delete(ID, { ifMatch: '"7"' });
    expect(server.seen[0]).toMatchObject({ method: 'DELETE', url: `/homedashboard/clients/${ID}`, body: '' });
  });

  it.each(['', ' ', '.', '..'])('never takes %j for a client: the address would be another', async (id) => {
    const calls = [
      () => api.delete(id),
      () => api.get(id),
      () => api.update(id, {}),
      () => api.replace(id, {}),
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'USAGE' });
    expect(server.seen).toHaveLength(0);
  });

  it('encodes an id into one segment of the path', async () => {
    server.play({ status: 204 });
    await api.delete('a/../b?c#d e');
    expect(server.seen[0]?.url).toBe('/homedashboard/clients/a%2F..%2Fb%3Fc%23d%20e');
  });
});

describe('deleteAll', () => {
  it('says that the API does not support it', async () => {
    server.play({ status: 405, json: { title: 'Operation is not currently supported on this resource' } });
    await expect(api.deleteAll()).rejects.toMatchObject({
      code: 'NOT_SUPPORTED',
      details: { body: expect.stringContaining('not currently supported') },
    });
    expect(server.seen[0]).toMatchObject({ method: 'DELETE', url: '/homedashboard/clients' });
  });
});
