import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ClientsApi, createApi } from '../../src/api/api.ts';
import { createTokenSource } from '../../src/api/token.ts';
import { createTransport } from '../../src/api/transport.ts';
import { createFakeClock } from '../support/fakeClock.ts';
import { startHttpServer, type TestServer } from '../support/httpServer.ts';

const ID = '0b9b1b0e-6d0f-4f3e-9a53-5f6f3f0f8a11';
const AUDIT = { id: ID, type: 'Client', createdTimestamp: '2026-01-01T00:00:00Z', updatedTimestamp: null };

let server: TestServer;
let api: ClientsApi;

beforeEach(async () => {
  server = await startHttpServer('/homedashboard');
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

describe('list', () => {
  it('reads a bare array', async () => {
    server.play({ json: [{ id: ID }], headers: { date: 'Thu, 01 Jan 2026 10:00:00 GMT' } });
    const answer = await api.list({});
    expect(answer).toEqual({ rows: [{ id: ID }], date: '2026-01-01T10:00:00.0000000Z', nextLink: null });
    expect(server.seen[0]).toMatchObject({ method: 'GET', url: '/homedashboard/clients', token: 'abc' });
  });
});

describe('update', () => {
  it('sends the body as JSON and answers the audit record', async () => {
    server.play({ json: AUDIT });
    expect(await api.update(ID, { email: 'a@b.co' }, { ifMatch: '"7"' })).toEqual(AUDIT);
    expect(server.seen[0]).toMatchObject({
      method: 'PATCH',
      url: `/homedashboard/clients/${ID}`,
      body: '{"email":"a@b.co"}',
      headers: { 'content-type': 'application/json', 'if-match': '"7"' },
    });
  });
});
