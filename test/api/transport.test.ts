/**
 * The error table over real sockets: each row is what a caller meets, and what the server saw of it. Delays
 * are read off a fake clock; only sockets take real time.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RequestSpec } from '../../src/api/send.ts';
import { createTokenSource } from '../../src/api/token.ts';
import { createTransport, type Transport, type TransportOptions } from '../../src/api/transport.ts';
import { SyncError } from '../../src/errors.ts';
import type { SyncEvent } from '../../src/events.ts';
import { createFakeClock, type FakeClock } from '../support/fakeClock.ts';
import { closedPort, startHttpServer, type TestServer } from '../support/httpServer.ts';

/** Must appear nowhere but in the server's own log of what it was sent. */
const CANARY = 'canary-7d1f0c2e-token';
const ID = '0b9b1b0e-6d0f-4f3e-9a53-5f6f3f0f8a11';
const ONE = { path: `/clients/${ID}`, oneClient: true } as const;
const LIST: RequestSpec = { method: 'GET', path: '/clients' };
const GET: RequestSpec = { method: 'GET', ...ONE };
const PATCH: RequestSpec = { method: 'PATCH', ...ONE, body: { email: 'a@b.co' } };
const PUT: RequestSpec = { method: 'PUT', ...ONE, body: { email: 'a@b.co' } };
const DELETE: RequestSpec = { method: 'DELETE', ...ONE };
const POST: RequestSpec = { method: 'POST', path: '/clients', body: { email: 'a@b.co' } };
const OK = { json: { ok: true } };

let server: TestServer;
let clock: FakeClock;
let events: SyncEvent[];
const opened: Transport[] = [];

// The first request loads it, which may take longer than the timeouts below.
beforeAll(() => import('axios'));

beforeEach(async () => {
  server = await startHttpServer('/api');
  clock = createFakeClock();
  events = [];
});

afterEach(async () => {
  for (const transport of opened.splice(0)) transport.close();
  await server.close();
  expect(inspect(events, { depth: 9 })).not.toContain(CANARY);
});

function open(options: Partial<TransportOptions> = {}): Transport {
  const transport = createTransport({
    baseUrl: server.url,
    tokenSource: createTokenSource({ token: CANARY }),
    clock,
    emit: (event) => events.push(event),
    concurrency: 4,
    random: () => 0.5,
    ...options,
  });
  opened.push(transport);
  return transport;
}

/** The error that a request ends with; checked for the token in every form that a log could print. */
async function failure(promise: Promise<unknown>): Promise<SyncError> {
  const error = await promise.then(
    (answer) => expect.fail(`answered ${JSON.stringify(answer)}`),
    (reason: unknown) => reason,
  );
  const printed = [inspect(error, { depth: 9, showHidden: true }), JSON.stringify(error), String(error)];
  for (const text of printed) expect(text).not.toContain(CANARY);
  expect(error).toBeInstanceOf(SyncError);
  expect((error as SyncError).message).not.toContain('\n');
  return error as SyncError;
}

const tick = () => new Promise((resolve) => setImmediate(resolve));
const retried = () => events.filter((event) => event.type === 'requestRetried');

describe('an answer', () => {
  it('carries the parsed body, the date and the etag', async () => {
    server.play({ ...OK, headers: { etag: '"7"', date: 'Thu, 01 Jan 2026 10:00:00 GMT' } });
    const answer = await open().request({ ...LIST, query: '$top=1' });
    expect(answer).toMatchObject({ status: 200, data: { ok: true }, etag: '"7"' });
    expect(answer.date).toBe('2026-01-01T10:00:00.0000000Z');
    expect(server.seen[0]).toMatchObject({ url: '/api/clients?$top=1', token: CANARY });
    expect(server.seen[0]?.headers).toMatchObject({
      accept: 'application/json',
      'user-agent': 'clients-mirror',
    });
  });

  it('may lack Date and ETag', async () => {
    server.play({ ...OK, date: false });
    expect(await open().request(LIST)).toMatchObject({ date: null, etag: null });
  });

  it('is read whatever its content type, compressed or with a byte order mark', async () => {
    server.play(
      { text: '[1]', headers: { 'content-type': 'text/html' } },
      { text: '\uFEFF[1]' },
      { text: gzipSync('[1]'), headers: { 'content-encoding': 'gzip' } },
    );
    const transport = open();
    for (let count = 0; count < 3; count += 1) expect((await transport.request(LIST)).data).toEqual([1]);
  });

  it('to a write may be empty', async () => {
    server.play({ status: 204 }, { status: 200, text: '' }, { status: 200, text: 'deleted' });
    const transport = open();
    expect(await transport.request(PATCH)).toMatchObject({ status: 204, data: null });
    expect(await transport.request(POST)).toMatchObject({ status: 200, data: null });
    expect(await transport.request(DELETE)).toMatchObject({ status: 200, data: null });
  });

  it('is told as an event whose path holds no query', async () => {
    server.play(OK);
    await open().request({ ...LIST, query: 'searchText=secret%40person.com' });
    expect(events).toEqual([
      { type: 'requestDone', method: 'GET', path: '/clients', status: 200, durationMs: 0, bodyBytes: 11 },
    ]);
  });
});

describe('transient failures', () => {
  const tear = { json: [{ id: ID, email: 'somebody@example.com' }], fault: 'tear' } as const;
  it.each([
    ['408', { status: 408 }, 'TIMEOUT'],
    ['425', { status: 425 }, 'SERVER'],
    ['429', { status: 429 }, 'THROTTLED'],
    ['500', { status: 500, json: { title: 'Oops' } }, 'SERVER'],
    ['502', { status: 502, text: '<html><title>Bad Gateway</title></html>' }, 'SERVER'],
    ['503', { status: 503 }, 'SERVER'],
    ['504', { status: 504 }, 'SERVER'],
    ['599', { status: 599 }, 'SERVER'],
    ['a reset', { fault: 'reset' }, 'NETWORK'],
    ['a torn answer', tear, 'NETWORK'],
    ['torn JSON', { text: '[{"id":' }, 'NOT_JSON'],
    ['an HTML page', { text: '<!DOCTYPE html><title>Log in</title>' }, 'NOT_JSON'],
    ['text', { text: 'OK' }, 'NOT_JSON'],
    ['an empty answer', { text: '' }, 'NOT_JSON'],
    ['broken UTF-8', { text: Buffer.from([0x5b, 0x22, 0xe9, 0x22, 0x5d]) }, 'NOT_JSON'],
    [
      'torn gzip',
      { text: gzipSync('[1,2,3]').subarray(0, 12), headers: { 'content-encoding': 'gzip' } },
      /NOT_JSON|NETWORK/,
    ],
  ] as const)('%s: a read and an idempotent write are sent again', async (_name, reply, code) => {
    for (const spec of [LIST, PATCH, PUT, DELETE]) {
      // Of a write's answer less is asked: it may be empty, and a DELETE's any text but a page.
      const text = 'text' in reply ? reply.text : null;
      if (spec !== LIST && (text === '' || Buffer.isBuffer(text))) continue;
      if (spec === DELETE && text !== null && !String(text).startsWith('<')) continue;
      server.play(reply, reply, OK);
      expect((await open().request(spec)).data).toEqual({ ok: true });
      server.otherwise(reply);
      const error = await failure(open({ attemptsMax: 2 }).request(spec));
      expect(error.code).toMatch(code);
      expect(error.retry).toBe('now');
    }
  });

  it('name host and path in one line', async () => {
    server.otherwise({ status: 500, json: { title: 'Oops', detail: 'line one\nline two' } });
    const { host } = new URL(server.url);
    const error = await failure(open({ attemptsMax: 1 }).request({ ...LIST, query: 'searchText=secret' }));
    expect(error.message).toBe(`GET ${host}/api/clients answered 500: Oops · line one line two`);
    expect(error.details).toEqual({ status: 500, body: 'Oops · line one line two' });
  });

  it('wait exponentially longer, with full jitter under a cap, and end', async () => {
    server.otherwise({ status: 500 });
    await failure(open({ random: () => 1 - Number.EPSILON }).request(LIST));
    expect(clock.sleeps).toEqual([500, 1000, 2000, 4000, 8000, 16000, 30000]);
    expect(server.seen).toHaveLength(8);
    expect(retried()[1]).toMatchObject({ method: 'GET', path: '/clients', attempt: 2, delayMs: 1000 });
    expect(retried()[1]).toMatchObject({ reason: 'answered 500' });
    clock.sleeps.length = 0;
    await failure(open({ random: () => 0, attemptsMax: 4 }).request(LIST));
    expect(clock.sleeps).toEqual([0, 0, 0]);
  });

  it('do not log what the server says of a write', async () => {
    server.play({ status: 500, json: { title: 'a@b.co is no address' } }, OK);
    await open().request(PATCH);
    expect(retried()).toMatchObject([{ method: 'PATCH', reason: 'answered 500' }]);
  });

  it('are not retried when the caller wants one attempt', async () => {
    server.otherwise({ status: 503 });
    expect(await failure(open().request({ ...LIST, retry: false }))).toMatchObject({ code: 'SERVER' });
    expect(server.seen).toHaveLength(1);
  });

  it('tell a host that refuses the connection, and one that does not exist', async () => {
    const refused = open({ baseUrl: await closedPort(), attemptsMax: 2 });
    const error = await failure(refused.request(LIST));
    expect(error).toMatchObject({ code: 'NETWORK', message: expect.stringContaining('connection refused') });
    expect(retried()).toHaveLength(1);
    const nowhere = open({ baseUrl: 'http://nowhere.invalid', attemptsMax: 1 });
    expect(await failure(nowhere.request(LIST))).toMatchObject({
      code: 'NETWORK',
      message: expect.stringMatching(/^GET nowhere\.invalid\/clients: (no such host|the name server)/),
    });
  });

  it('a bug is neither retried nor turned into an operating error', async () => {
    const check = () => {
      throw new RangeError('a bug');
    };
    server.otherwise(OK);
    await expect(open().request({ ...LIST, check })).rejects.toThrow(RangeError);
    expect(server.seen).toHaveLength(1);
  });
});

describe('timeouts', () => {
  it('end a stalled answer, and one that drips', async () => {
    server.play({ fault: 'stall' }, { json: [1], fault: 'drip', headers: { 'content-length': 999 } });
    const transport = open({ timeoutMs: 250, attemptsMax: 2 });
    const error = await failure(transport.request(LIST));
    expect(error).toMatchObject({
      code: 'TIMEOUT',
      message: expect.stringContaining('no whole answer within'),
    });
    expect(server.seen).toHaveLength(2);
  });

  it('end a connection that is never made', async () => {
    // It takes the connection and never says a word of TLS.
    const sockets: net.Socket[] = [];
    const deaf = net.createServer((socket) => sockets.push(socket));
    await new Promise<void>((resolve) => deaf.listen(0, '127.0.0.1', resolve));
    const { port } = deaf.address() as net.AddressInfo;
    const secure = open({ baseUrl: `https://127.0.0.1:${port}`, connectTimeoutMs: 100, attemptsMax: 1 });
    const error = await failure(secure.request(POST));
    expect(error).toMatchObject({
      code: 'TIMEOUT',
      message: expect.stringContaining('no connection within'),
    });
    expect(error.details.mayHaveTakenEffect).toBeUndefined();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => deaf.close(resolve));
  });
});

describe('Retry-After', () => {
  const retryAfter = (value: string | number) => ({ status: 429, headers: { 'retry-after': value } });

  it('in seconds is a floor without jitter below it', async () => {
    server.play(retryAfter(7), OK);
    await open({ random: () => 0 }).request(LIST);
    expect(retried()).toMatchObject([{ delayMs: 7000 }]);
    expect(clock.sleeps).toEqual([7000]);
  });

  it('as a date is measured by the server’s own clock', async () => {
    const headers = { date: 'Thu, 01 Jan 2026 10:00:00 GMT', 'retry-after': 'Thu, 01 Jan 2026 10:00:09 GMT' };
    server.play({ status: 503, headers }, OK);
    await open({ random: () => 0 }).request(LIST);
    expect(clock.sleeps).toEqual([9000]);
  });

  it('as a date without a Date is measured by ours; one in the past is no wait', async () => {
    const at = (ms: number) => ({ ...retryAfter(new Date(clock.now() + ms).toUTCString()), date: false });
    server.play(at(4000), OK, at(-60_000), OK);
    const transport = open({ random: () => 0 });
    await transport.request(LIST);
    await transport.request(LIST);
    expect(clock.sleeps).toEqual([4000, 0]);
  });

  it.each([12, new Date(Date.UTC(2026, 0, 1, 0, 0, 12)).toUTCString()])(
    'holds back every request of the process (%s)',
    async (value) => {
      clock = createFakeClock(Date.UTC(2026, 0, 1), false);
      server.play({ ...retryAfter(value), date: false });
      server.otherwise(OK);
      const transport = open({ concurrency: 3, random: () => 0 });
      const first = transport.request(LIST);
      while (clock.sleeps.length === 0) await tick();
      // None of these has met a 429 of its own.
      const others = [LIST, GET, PATCH, POST].map((spec) => transport.request(spec));
      clock.advance(11_999);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(server.seen).toHaveLength(1);
      clock.advance(1);
      await Promise.all([first, ...others]);
      expect(server.seen).toHaveLength(6);
    },
  );

  it('does not use up attempts, else a throttled backfill would end', async () => {
    server.play(...Array.from({ length: 20 }, () => retryAfter(10)), OK);
    await open({ attemptsMax: 3 }).request(LIST);
    expect(server.seen).toHaveLength(21);
  });

  it('is bounded in time all the same', async () => {
    server.otherwise(retryAfter(60));
    const error = await failure(open({ attemptsMax: 3 }).request(LIST));
    expect(error).toMatchObject({ code: 'THROTTLED', details: { status: 429, retryAfterMs: 60_000 } });
    expect(server.seen.length).toBeLessThan(40);
  });

  it('of nothing counts as an attempt', async () => {
    server.otherwise(retryAfter(0));
    await failure(open({ attemptsMax: 3 }).request(LIST));
    expect(server.seen).toHaveLength(3);
  });

  it('longer than anybody waits ends the run and says when to come back', async () => {
    server.play({ status: 503, headers: { 'retry-after': 1800 } });
    server.otherwise(OK);
    const transport = open();
    const error = await failure(transport.request(LIST));
    expect(error).toMatchObject({ code: 'THROTTLED', details: { retryAfterMs: 1_800_000 } });
    expect(error.message).toContain('until 2026-01-01T00:30:00Z');
    expect(error.hint).toContain('2026-01-01T00:30:00Z');
    // Nor is anything else sent before that, and then it is.
    clock.advance(60_000);
    expect(await failure(transport.request(GET))).toMatchObject({ code: 'THROTTLED' });
    expect(server.seen).toHaveLength(1);
    clock.advance(1_600_000);
    await transport.request(GET);
    expect(clock.now()).toBe(Date.UTC(2026, 0, 1, 0, 30));
  });

  it('that makes no sense does not lock the process for years', async () => {
    server.play(retryAfter('99999999999999'));
    server.otherwise(OK);
    const transport = open();
    expect(await failure(transport.request(LIST))).toMatchObject({ code: 'THROTTLED' });
    clock.advance(3_600_000);
    await transport.request(LIST);
  });

  it('that cannot be read leaves the plain backoff', async () => {
    server.play(retryAfter('soon'), OK);
    await open().request(LIST);
    expect(clock.sleeps).toEqual([250]);
  });
});

describe('401', () => {
  let folder: string;
  let file: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'transport-'));
    file = join(folder, 'token');
  });
  afterEach(() => rm(folder, { recursive: true }));

  const strict = (good: string) => (seen: { token: string | null }) =>
    seen.token === good ? OK : { status: 401, json: { title: `Token ${seen.token} expired` } };

  it('goes on with the new token of the file, for all requests at once', async () => {
    await writeFile(file, `${CANARY}-old`);
    const transport = open({ tokenSource: createTokenSource({ file }, clock), concurrency: 8 });
    server.otherwise(strict(`${CANARY}-old`));
    await transport.request(LIST);
    await writeFile(file, `${CANARY}-new`);
    server.otherwise(strict(`${CANARY}-new`));
    await Promise.all([LIST, GET, PATCH, POST, DELETE].map((spec) => transport.request(spec)));
    expect(events.filter((event) => event.type === 'tokenReread')).toHaveLength(1);
    expect(retried()).toHaveLength(0);
  });

  it('ends with AUTH after one replay, the token in no word of it', async () => {
    server.otherwise(strict('another'));
    for (const spec of [LIST, POST, PATCH]) {
      server.seen.length = 0;
      const error = await failure(open().request(spec));
      expect(error).toMatchObject({ code: 'AUTH', details: { status: 401, body: 'Token [secret] expired' } });
      expect(error.details.mayHaveTakenEffect).toBeUndefined();
      expect(server.seen).toHaveLength(2);
    }
  });

  it('that strays is survived', async () => {
    server.play({ status: 401 }, OK);
    expect((await open().request(LIST)).data).toEqual({ ok: true });
  });
});

describe('refusals', () => {
  const problem = { title: 'Invalid', errors: { email: ['Bad address.'] } };
  it.each([
    [LIST, 400, 'UNLISTED'],
    [LIST, 403, 'DENIED'],
    [LIST, 404, 'UNLISTED'],
    [LIST, 405, 'NOT_SUPPORTED'],
    [LIST, 410, 'UNLISTED'],
    [LIST, 418, 'UNLISTED'],
    [LIST, 422, 'UNLISTED'],
    [GET, 400, 'UNLISTED'],
    [GET, 410, 'UNLISTED'],
    [POST, 400, 'REFUSED'],
    [POST, 404, 'UNLISTED'],
    [POST, 409, 'REFUSED'],
    [PUT, 422, 'REFUSED'],
    [PATCH, 400, 'REFUSED'],
    [PATCH, 403, 'DENIED'],
    [PATCH, 404, 'GONE'],
    [PATCH, 409, 'REFUSED'],
    [PATCH, 412, 'REFUSED'],
    [PATCH, 413, 'UNLISTED'],
    [PATCH, 422, 'REFUSED'],
    [DELETE, 404, 'GONE'],
    [DELETE, 405, 'NOT_SUPPORTED'],
  ] as const)('%o answered %i', async (spec, status, code) => {
    server.otherwise({ status, json: problem });
    const error = await failure(open().request(spec));
    expect(error).toMatchObject({ code, details: { status, body: 'Invalid · email: Bad address.' } });
    // What it says of a write may quote a client's values, and a message ends in the log.
    const words = spec.method === 'GET' ? ': Invalid · email: Bad address.' : '';
    expect(error.message.split(spec.path)[1]).toBe(` answered ${status}${words}`);
    expect(error.details.mayHaveTakenEffect).toBeUndefined();
    expect(server.seen).toHaveLength(1);
  });

  it('do not repeat a secret that the write carried', async () => {
    server.play({ status: 400, text: `hunter2-hunter2 is no token; ${CANARY} neither` });
    const error = await failure(open().request({ ...PATCH, body: { loginToken: 'hunter2-hunter2' } }));
    expect(error.details.body).toBe('[secret] is no token; [secret] neither');
  });

  it('404 of one client is an outcome, unless a gateway says it', async () => {
    server.play({ status: 404, json: { title: 'Not Found' } });
    expect(await open().request(GET)).toMatchObject({ status: 404, data: null });
    const page = { status: 404, text: '<!DOCTYPE html><html><body>default backend</body></html>' };
    server.play(page, OK);
    expect(await open().request(GET)).toMatchObject({ status: 200 });
    server.otherwise(page);
    expect(await failure(open({ attemptsMax: 2 }).request(PATCH))).toMatchObject({ code: 'NOT_JSON' });
  });
});

describe('redirects', () => {
  const to = (location: string, status = 302) => ({ status, headers: { location } });

  it('within the origin are followed for reads', async () => {
    server.play(to('/elsewhere?x=1', 308), to('clients'), OK);
    expect((await open().request(LIST)).data).toEqual({ ok: true });
    expect(server.seen.map((seen) => seen.url)).toEqual(['/api/clients', '/elsewhere?x=1', '/clients']);
    expect(server.seen.every((seen) => seen.token === CANARY)).toBe(true);
  });

  it('in a circle end', async () => {
    server.otherwise(to('/api/clients'));
    expect(await failure(open().request(LIST))).toMatchObject({ code: 'UNLISTED' });
    expect(server.seen).toHaveLength(6);
  });

  it('to another origin end, and neither the token nor a request gets there', async () => {
    const other = await startHttpServer();
    other.otherwise(OK);
    const places = [`${other.origin}/clients`, `//${new URL(other.origin).host}/x`];
    for (const spec of [LIST, GET, PATCH, POST, DELETE]) {
      for (const status of [301, 302, 303, 307, 308]) {
        for (const place of places) {
          server.play(to(`${place}?t=${CANARY}`, status));
          const error = await failure(open().request(spec));
          expect(error).toMatchObject({ code: 'FOREIGN_ORIGIN', details: { status } });
          expect(error.message).toContain(other.origin);
        }
      }
    }
    // Another port, another scheme and a user name in front are other origins too, or none of our business.
    server.play(to(server.url.replace('http:', 'https:')));
    expect(await failure(open().request(LIST))).toMatchObject({ code: 'FOREIGN_ORIGIN' });
    expect(other.connections()).toBe(0);
    await other.close();
  });

  it('carry the token, not the user name that the server puts into the address', async () => {
    server.play(to(`${server.url.replace('://', '://user:pass@')}/clients`), OK);
    await open().request(LIST);
    expect(server.seen[1]?.headers.authorization).toBe(`Bearer ${CANARY}`);
  });

  it('of a write are not followed; after 301 to 303 a POST may have taken effect', async () => {
    for (const [spec, status, effect] of [
      [PATCH, 307, undefined],
      [POST, 308, undefined],
      [POST, 303, true],
    ] as const) {
      server.seen.length = 0;
      server.play(to('/api/other', status));
      const error = await failure(open().request(spec));
      expect(error).toMatchObject({ code: 'UNLISTED', details: { status } });
      expect(error.details.mayHaveTakenEffect).toBe(effect);
      expect(server.seen).toHaveLength(1);
    }
    server.play({ status: 302 });
    expect(await failure(open().request(LIST))).toMatchObject({ code: 'UNLISTED' });
  });
});

describe('POST', () => {
  it.each([
    ['a reset', { fault: 'reset' }],
    ['a torn answer', { json: { id: ID }, fault: 'tear' }],
    ['500', { status: 500 }],
    ['502', { status: 502 }],
    ['504', { status: 504 }],
    ['408', { status: 408 }],
    ['torn JSON', { text: '{"id":' }],
    ['an HTML page', { text: '<html></html>' }],
  ] as const)('is not sent again after %s, and says that it may have taken effect', async (_name, reply) => {
    server.play(reply);
    server.otherwise(OK);
    const error = await failure(open().request(POST));
    expect(error.details.mayHaveTakenEffect).toBe(true);
    expect(server.seen).toHaveLength(1);
  });

  it('is not sent again after a timeout', async () => {
    server.play({ fault: 'stall' });
    const error = await failure(open({ timeoutMs: 250 }).request(POST));
    expect(error).toMatchObject({ code: 'TIMEOUT', details: { mayHaveTakenEffect: true } });
    expect(server.seen).toHaveLength(1);
  });

  it('is sent again after 429 and 503', async () => {
    server.play({ status: 429 }, { status: 503 }, OK);
    expect((await open().request(POST)).data).toEqual({ ok: true });
    expect(server.seen).toHaveLength(3);
  });

  it('is sent again when no connection was made', async () => {
    const refused = open({ baseUrl: await closedPort(), attemptsMax: 3 });
    const error = await failure(refused.request(POST));
    expect(error.code).toBe('NETWORK');
    expect(error.details.mayHaveTakenEffect).toBeUndefined();
    expect(retried()).toHaveLength(2);
  });

  it('has a socket of its own, which no keep-alive can have closed', async () => {
    server.otherwise(OK);
    const transport = open();
    await transport.request(LIST);
    await transport.request(LIST);
    expect(server.connections()).toBe(1);
    await transport.request(POST);
    expect(server.connections()).toBe(2);
  });
});

describe('idempotent writes', () => {
  it('tell at the end that an earlier attempt may have taken effect', async () => {
    server.play({ fault: 'reset' }, { status: 400 });
    const error = await failure(open().request(PATCH));
    expect(error).toMatchObject({ code: 'REFUSED', details: { mayHaveTakenEffect: true } });
  });

  it('a DELETE sent again that finds nothing is done', async () => {
    server.play({ fault: 'reset' }, { status: 404 });
    expect(await open().request(DELETE)).toMatchObject({ status: 404 });
    server.play({ status: 503 }, { status: 404 });
    expect(await failure(open().request(DELETE))).toMatchObject({ code: 'GONE' });
  });
});

describe('bounds', () => {
  it('a body beyond the bound is a clear error, said or found out', async () => {
    const big = Buffer.alloc(5000, ' ');
    server.play(
      { text: big, headers: { 'content-length': 5000 } },
      { text: big },
      { text: gzipSync(big), headers: { 'content-encoding': 'gzip' } },
    );
    const transport = open({ bodyBytesMax: 1000 });
    for (let count = 0; count < 3; count += 1) {
      const error = await failure(transport.request(LIST));
      expect(error).toMatchObject({ code: 'BODY_TOO_LARGE', hint: 'Lower MIRROR_PAGE_SIZE.' });
      expect(error.message).toContain('larger than 1000 bytes');
    }
    expect(server.seen).toHaveLength(3);
    server.play(OK);
    await transport.request(LIST);
  });

  it('a page of 60 MB is refused by default, before it is read', async () => {
    server.play({ text: '', headers: { 'content-length': 60_000_000 } });
    expect(await failure(open().request(LIST))).toMatchObject({ code: 'BODY_TOO_LARGE' });
  });

  it('no more requests are in flight than allowed', async () => {
    server.otherwise(async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return OK;
    });
    const transport = open({ concurrency: 3 });
    await Promise.all(Array.from({ length: 20 }, () => transport.request(LIST)));
    expect(server.inFlightMax()).toBe(3);
    expect(server.connections()).toBe(3);
  });
});

describe('deadline', () => {
  it('passed: nothing is sent', async () => {
    const error = await failure(open().request({ ...PATCH, deadlineMs: clock.now() }));
    expect(error.code).toBe('TIMEOUT');
    expect(error.details.mayHaveTakenEffect).toBeUndefined();
    expect(server.seen).toHaveLength(0);
  });

  it('ends the request that is running', async () => {
    server.play({ fault: 'stall' });
    const error = await failure(open().request({ ...PATCH, deadlineMs: clock.now() + 250 }));
    expect(error).toMatchObject({ code: 'TIMEOUT', details: { mayHaveTakenEffect: true } });
    expect(server.seen).toHaveLength(1);
  });

  it('allows no retry beyond it, at the gate neither', async () => {
    server.otherwise({ status: 429, headers: { 'retry-after': 60 } });
    const transport = open();
    const deadlineMs = clock.now() + 30_000;
    expect(await failure(transport.request({ ...PATCH, deadlineMs }))).toMatchObject({ code: 'THROTTLED' });
    expect(await failure(transport.request({ ...PATCH, deadlineMs }))).toMatchObject({ code: 'TIMEOUT' });
    expect(clock.sleeps).toEqual([]);
    expect(server.seen).toHaveLength(1);
  });
});

describe('abort', () => {
  const stop = new Error('stop');

  async function aborted(transport: Transport, when: () => boolean, spec = LIST): Promise<void> {
    const controller = new AbortController();
    const running = transport.request({ ...spec, signal: controller.signal });
    const ended = running.then(
      () => 'answered',
      (reason: unknown) => reason,
    );
    while (!when()) await tick();
    controller.abort(stop);
    expect(await ended).toBe(stop);
  }

  it('before it begins', async () => {
    await aborted(open(), () => true);
    await expect(open().request({ ...LIST, signal: AbortSignal.abort(stop) })).rejects.toBe(stop);
    expect(server.seen.length).toBeLessThan(2);
  });

  it('while the answer is awaited or read', async () => {
    server.play({ fault: 'stall' });
    await aborted(open(), () => server.seen.length === 1);
    server.play({ json: [1], fault: 'drip', headers: { 'content-length': 999 } });
    await aborted(open(), () => server.seen.length === 2);
    expect(retried()).toHaveLength(0);
  });

  it('while it waits to try again, for the gate, or for a slot', async () => {
    clock = createFakeClock(0, false);
    server.play({ status: 500 });
    await aborted(open(), () => clock.sleeps.length === 1);
    server.play({ status: 429, headers: { 'retry-after': 60 } });
    const held = open();
    await aborted(held, () => clock.sleeps.length === 2);
    await aborted(held, () => clock.sleeps.length === 3);
    server.otherwise({ fault: 'stall' });
    const narrow = open({ concurrency: 1 });
    const controller = new AbortController();
    const first = narrow.request({ ...LIST, signal: controller.signal });
    first.catch(() => undefined);
    const before = server.seen.length;
    await aborted(narrow, () => server.seen.length === before + 1);
    expect(server.seen).toHaveLength(before + 1);
    controller.abort(stop);
    await expect(first).rejects.toBe(stop);
    // The slot is free again.
    server.otherwise(OK);
    await narrow.request(LIST);
  });

  it('keeps an answer that came before it', async () => {
    const controller = new AbortController();
    server.play(OK);
    const check = () => {
      controller.abort(stop);
      return null;
    };
    expect(await open().request({ ...POST, check, signal: controller.signal })).toMatchObject({
      status: 200,
    });
  });

  it('accepts a reason that is no Error', async () => {
    clock = createFakeClock(0, false);
    server.play({ status: 500 });
    const controller = new AbortController();
    const running = open().request({ ...LIST, signal: controller.signal });
    const ended = expect(running).rejects.toBe('enough');
    while (clock.sleeps.length === 0) await tick();
    controller.abort('enough');
    await ended;
  });
});

describe('createTransport', () => {
  it.each([
    ['nonsense', 'is not a URL'],
    ['ftp://host', 'must begin with'],
    [`https://me:${CANARY}@host`, 'must not hold a user name'],
    [`https://host/?key=${CANARY}`, 'must not hold a query'],
  ])('refuses the base URL %s', async (baseUrl, message) => {
    const attempt = async () => open({ baseUrl });
    expect(await failure(attempt())).toMatchObject({
      code: 'SETTINGS',
      message: expect.stringContaining(message),
    });
  });

  it('takes a base URL with slashes at its end', async () => {
    server.otherwise(OK);
    await open({ baseUrl: `${server.url}//` }).request(LIST);
    await open({ baseUrl: server.origin }).request(LIST);
    expect(server.seen.map((seen) => seen.url)).toEqual(['/api/clients', '/clients']);
  });
});
