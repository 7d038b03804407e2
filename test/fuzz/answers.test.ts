/**
 * Whatever a server answers, over a real socket: there are rows, as many as it sent and each accepted or set aside
 * with a reason, or there is a SyncError in one line. The token goes to no other server, and not into any message.
 */
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClientsApi, createApi } from '../../src/api/api.ts';
import { type ClientReader, createReader } from '../../src/api/reader.ts';
import { createTokenSource } from '../../src/api/token.ts';
import { createTransport } from '../../src/api/transport.ts';
import { isRejected, type ReadRow } from '../../src/clients/record.ts';
import { ERRORS, isSyncError, type SyncError } from '../../src/errors.ts';
import type { SyncEvent } from '../../src/events.ts';
import { createFakeClock } from '../support/fakeClock.ts';
import { type Reply, startHttpServer, type TestServer } from '../support/httpServer.ts';
import { FUZZ_TIMEOUT_MS, fuzzRuns } from './runs.ts';

/** Not a JWT, which would be known by its looks, and with the letters that JSON, HTML and URLs write in their own ways. */
const TOKEN = 'c0ffee+Opaque/Token=with&all<its>letters';
const ID = '00000000-0000-4000-8000-000000000001';
const REQUEST = { filter: null, orderby: 'createdOn,id', skip: 0, top: 10 };
/** Where the request is named by host and path, and the server's words have their own bound. */
const MESSAGE_MAX = 700;

let server: TestServer;
/** Another origin, to which nothing leads us. */
let stranger: TestServer;

beforeAll(async () => {
  server = await startHttpServer('/base');
  stranger = await startHttpServer();
});

afterAll(async () => {
  await server.close();
  await stranger.close();
});

// --- what is sent, as text: objects of JavaScript could not hold all of it ---

const eachLetter = (write: (letter: string) => string) => [...TOKEN].map(write).join('');
const hex = (letter: string) => letter.charCodeAt(0).toString(16).padStart(2, '0');
const SPELLINGS: readonly string[] = [
  TOKEN,
  encodeURIComponent(TOKEN),
  eachLetter((letter) => `%${hex(letter)}`),
  eachLetter((letter) => `\\u00${hex(letter).toUpperCase()}`),
  TOKEN.replaceAll('/', '\\/'),
  TOKEN.replaceAll('+', '\\u002B').replaceAll('<', '\\u003C'),
  TOKEN.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;'),
  eachLetter((letter) => `&#${letter.charCodeAt(0)};`),
  eachLetter((letter) => `&#x${hex(letter)};`),
];

const TEXTS = ['', 'x', 'O\u2028K', '\ud800', 'two\nlines', '\u001b[31m', 'é'.repeat(600), '__proto__'];
const quotedText = fc.oneof(
  fc.constantFrom(...TEXTS).map((text) => JSON.stringify(text)),
  fc.constantFrom('"\\ud800"', '"\\u0000"', '"\\u000a"'),
  fc.constantFrom(...SPELLINGS).map((token) => `"Bearer ${token}"`),
);
const NAMES = ['value', 'Value', 'd', 'error', 'errors', 'title', 'message', 'Message', 'detail', 'details'];
const ODD_NAMES = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '',
  'id',
  '@odata.count',
  'a\nb',
];
const name = fc.oneof(
  fc.constantFrom(...NAMES, ...ODD_NAMES).map((text) => JSON.stringify(text)),
  fc.constantFrom('"\\u001b[2J"', `"${'long'.repeat(2000)}"`),
  fc.constantFrom(...SPELLINGS).map((token) => `"${token}"`),
);
const scalar = fc.oneof(
  fc.constantFrom('null', 'true', '0', '-0', '1e999', '1e-999', '12345678901234567890.5', '1.5'),
  quotedText,
);
/** Members may have the same name twice. */
const objectOf = (value: fc.Arbitrary<string>) =>
  fc
    .array(fc.tuple(name, value), { maxLength: 4 })
    .map((members) => `{${members.map(([key, inner]) => `${key}:${inner}`).join(',')}}`);
const listOf = (item: fc.Arbitrary<string>) =>
  fc.array(item, { maxLength: 4 }).map((items) => `[${items.join(',')}]`);
const { json } = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof({ maxDepth: 3 }, scalar, listOf(tie('json')), objectOf(tie('json'))),
}));
const deep = fc
  .tuple(
    fc.constantFrom(3, 150, 5000, 20_000),
    fc.constantFrom('[]', '{"a":}', '{"error":}', '{"details":[]}'),
  )
  .map(([levels, shell]) => {
    const middle = shell.includes('[') ? shell.indexOf('[') + 1 : shell.length - 1;
    return `${shell.slice(0, middle).repeat(levels)}${'null'}${shell.slice(middle).repeat(levels)}`;
  });

const goodRow = fc
  .tuple(fc.constantFrom(1, 2, 3), fc.constantFrom('2026-01-01T00:00:00Z', '2026-01-01T00:00:00.1234567Z'))
  .map(
    ([n, stamp]) =>
      `"id":"00000000-0000-4000-8000-00000000000${n}","email":"a@b.cd","firstName":"A","lastName":"B","createdOn":"${stamp}","updatedOn":null`,
  );
const row = fc.oneof(
  { weight: 4, arbitrary: goodRow.map((members) => `{${members}}`) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(goodRow, name, fc.oneof(json, deep))
      .map(([members, key, value]) => `{${members},${key}:${value}}`),
  },
  { weight: 2, arbitrary: fc.oneof(fc.constantFrom('null', '0', '""'), json, deep) },
);
const list = listOf(row);
const link = fc.constantFrom('/next', 'NEXT', 'STRANGER', 'http://a b', '', '//STRANGER/clients', '\\u0000');
const annotation = fc.oneof(
  link.map((url) => `"@odata.nextLink":"${url}"`),
  scalar.map((value) => `"@odata.nextLink":${value}`),
  scalar.map((value) => `"@odata.count":${value}`),
  fc.tuple(name, json).map(([key, value]) => `${key}:${value}`),
);
const envelope = fc
  .tuple(
    fc.array(annotation, { maxLength: 2 }),
    fc.option(fc.oneof(list, json)),
    fc.array(annotation, { maxLength: 2 }),
  )
  .map(([before, value, after]) => {
    const members = [...before, ...(value === null ? [] : [`"value":${value}`]), ...after];
    return `{${members.join(',')}}`;
  });
const html = fc
  .tuple(
    fc.constantFrom(...SPELLINGS, 'Sign in', '<title'.repeat(3000)),
    fc.constantFrom('<!doctype html>', ' <HTML>'),
  )
  .map(([title, head]) => `${head}<title>${title}</title>`);
const text = fc.oneof(
  { weight: 4, arbitrary: list },
  { weight: 4, arbitrary: envelope },
  { weight: 2, arbitrary: fc.oneof(row, json) },
  { weight: 1, arbitrary: fc.oneof(html, deep, fc.constantFrom('', ' ', 'eyJ'.repeat(6000), ...SPELLINGS)) },
);
/** What becomes of the text on its way. */
const bytes = fc
  .tuple(text, fc.constantFrom('', '', '', '', 'bom', 'garbage', 'short', 'broken', 'pushed'), fc.nat())
  .map(([sent, spoil, at]) => {
    const whole = Buffer.from(
      sent.replaceAll('STRANGER', stranger.origin).replaceAll('NEXT', `${server.url}/clients`),
    );
    if (spoil === 'bom') return Buffer.concat([Buffer.from('\uFEFF'), whole]);
    if (spoil === 'garbage') return Buffer.concat([whole, Buffer.from(`\n${TOKEN}`)]);
    // The half of a token that a server sends is nothing to know it by.
    if (spoil === 'short' && !SPELLINGS.some((token) => sent.includes(token))) {
      return whole.subarray(0, at % (whole.length + 1));
    }
    if (spoil === 'broken') return Buffer.concat([whole, Buffer.from([0xff, 0xc0, 0x80])]);
    // So far back that only a part of what follows is looked at.
    if (spoil === 'pushed') return Buffer.concat([Buffer.alloc(19_980 + (at % 30), ' '), whole]);
    return whole;
  });

const LOCATIONS = [
  '/base/clients',
  '?again',
  'STRANGER/clients',
  'blob:HERE/clients',
  'data:application/json,[]',
  'file:///etc/hostname',
  'http://u:p@TOKEN.example/',
  `http://${'h'.repeat(3000)}.example/`,
];
const headers = fc.dictionary(
  fc.constantFrom('content-type', 'content-encoding', 'location', 'retry-after', 'date', 'etag'),
  fc.constantFrom(
    ...LOCATIONS,
    'application/json',
    'text/html; charset=latin1',
    'gzip',
    'br',
    'deflate',
    '\u00e9',
    '0',
    '2',
    '9'.repeat(400),
    'Sun, 99 Foo 2026 99:99:99 GMT',
    'Sun, 06 Nov 2094 08:49:37 GMT',
  ),
  { maxKeys: 2 },
);
const SUCCESSES = [200, 200, 200, 201, 206, 299];
const OTHERS = [204, 301, 302, 304, 307, 308, 400, 401, 403, 404, 405, 408, 409, 410, 412, 413, 414];
const MORE = [418, 422, 425, 429, 451, 500, 502, 503, 599, 600, 999];

interface Sent {
  /** What fast-check shows of it, which else prints each byte. */
  readonly [fc.toStringMethod]: () => string;
  readonly status: number;
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

const any = fc.record({
  status: fc.oneof(fc.constantFrom(...SUCCESSES), fc.constantFrom(...OTHERS, ...MORE)),
  body: bytes,
  headers: fc.oneof({ weight: 2, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: headers }),
});
const redirect = fc.record({
  status: fc.constantFrom(301, 302, 307, 308),
  body: fc.constant(Buffer.alloc(0)),
  headers: fc.constantFrom(...LOCATIONS).map((location) => ({ location })),
});
const answer: fc.Arbitrary<Sent> = fc
  .oneof({ weight: 4, arbitrary: any }, { weight: 1, arbitrary: redirect })
  .map((sent) => {
    const { status, body, headers } = sent;
    const shown = `${status} ${JSON.stringify(headers)} ${JSON.stringify(body.toString().slice(0, 500))}`;
    return { ...sent, [fc.toStringMethod]: () => shown };
  });

function replyOf({ status, body, headers }: Sent): Reply {
  const spelt = Object.entries(headers).map(([key, value]) => [
    key,
    value
      .replace('STRANGER', stranger.origin)
      .replace('HERE', server.origin)
      .replace('TOKEN', encodeURIComponent(TOKEN)),
  ]);
  const own = Object.fromEntries(spelt) as Record<string, string>;
  const isZipped = own['content-encoding'] === 'gzip' && body.length % 2 === 0;
  const sent = isZipped ? gzipSync(body) : body;
  // An honest length, unless it is the lie that is told.
  return { status, text: sent, headers: { 'content-length': sent.length, ...own } };
}

// --- what must hold ---

interface World {
  readonly api: ClientsApi;
  readonly reader: ClientReader;
  readonly events: SyncEvent[];
}

function begin(): World {
  const events: SyncEvent[] = [];
  const emit = (event: SyncEvent) => void events.push(event);
  const transport = createTransport({
    baseUrl: server.url,
    tokenSource: createTokenSource({ token: TOKEN }),
    clock: createFakeClock(),
    emit,
    concurrency: 4,
    attemptsMax: 2,
    timeoutMs: 2000,
    bodyBytesMax: 4_000_000,
  });
  const api = createApi(transport);
  const options = { ownerId: null, excluded: new Set(['loginToken']), found: [], acceptsNul: true, emit };
  return { api, reader: createReader(api, options), events };
}

/** Of a text that shows anything: the same without the ways of JSON, URLs and HTML to write a letter. */
function plain(text: string): string {
  const letter = (_: string, code: string) => String.fromCharCode(Number.parseInt(code, 16));
  return text
    .replace(/\\u00([0-9a-f]{2})/gi, letter)
    .replace(/%([0-9a-f]{2})/gi, letter)
    .replace(/&#x([0-9a-f]{2});/gi, letter)
    .replace(/&#(\d{2,3});/g, (_, code: string) => String.fromCharCode(Number(code)))
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&')
    .replaceAll('\\', '')
    .toLowerCase();
}

/** Parts of it by which it could be guessed. */
const PARTS = Array.from({ length: TOKEN.length - 7 }, (_, at) => TOKEN.toLowerCase().slice(at, at + 8));

function expectNoToken(text: string): void {
  const shown = plain(text);
  if (PARTS.some((part) => shown.includes(part))) throw new Error(`the token is in: ${text}`);
}

function expectTold(error: SyncError): void {
  expect(ERRORS).toHaveProperty(error.code);
  const texts = [error.message, error.hint, error.details.body ?? ''];
  for (const text of texts) {
    expect(text.length).toBeLessThan(MESSAGE_MAX);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(text).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
    expect(text.isWellFormed()).toBe(true);
    expectNoToken(text);
  }
}

function expectRow(row: ReadRow): void {
  if (isRejected(row)) expect(row.reason).toMatch(/\w/);
  else expect(row.id).toMatch(/^[0-9a-f-]{36}$/);
}

type Outcome = { readonly rows: readonly unknown[] } | { readonly error: SyncError } | null;

/** Rows where the call gives any. @throws what is no SyncError */
async function outcomeOf(call: Promise<unknown>): Promise<Outcome> {
  try {
    const given = await call;
    const { rows } = (given ?? {}) as { rows?: readonly unknown[] };
    return rows === undefined ? null : { rows };
  } catch (error) {
    if (!isSyncError(error)) throw error;
    expectTold(error);
    return { error };
  }
}

/** How many rows a body holds; null: it is no list. */
function countOf({ body, headers }: Sent): number | null {
  if (Object.keys(headers).length > 0) return null;
  try {
    const data: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
    const rows = Array.isArray(data) ? data : (data as { value?: unknown } | null)?.value;
    return Array.isArray(rows) ? rows.length : null;
  } catch {
    return null;
  }
}

const isSuccess = ({ status }: Sent) => status >= 200 && status < 300 && status !== 204;

describe('what a server answers', () => {
  it(
    'to a list is its rows, each of them, or an error of the table',
    async () => {
      const met = { rows: 0, rejected: 0, errors: new Set<string>() };
      const property = fc.asyncProperty(answer, async (sent) => {
        const { api, reader, events } = begin();
        server.otherwise(replyOf(sent));
        const read = async (call: Promise<{ readonly rows: readonly ReadRow[] }>) => {
          const outcome = await outcomeOf(call);
          if (outcome !== null && 'rows' in outcome) (outcome.rows as readonly ReadRow[]).forEach(expectRow);
          return outcome;
        };
        const page = await read(reader.page(REQUEST));
        const others = [
          await read(reader.stamps(REQUEST)),
          await read(reader.byIds([ID])),
          await outcomeOf(api.list({})),
        ];
        await read(reader.byExternalIds(["it's"]));
        await outcomeOf(reader.discover());
        api.close();

        const count = isSuccess(sent) ? countOf(sent) : null;
        for (const outcome of [page, ...others]) {
          if (outcome === null) throw new Error('a list answers rows');
          if (count !== null) expect('rows' in outcome && outcome.rows.length).toBe(count);
          else if (isSuccess(sent) && Object.keys(sent.headers).length === 0)
            expect(outcome).toMatchObject({ error: { code: 'NOT_JSON' } });
          if ('error' in outcome) met.errors.add(outcome.error.code);
        }
        if (page !== null && 'rows' in page) {
          met.rows += page.rows.length;
          met.rejected += page.rows.filter((row) => isRejected(row as ReadRow)).length;
        }
        expectNoToken(JSON.stringify(events));
        expect(stranger.seen).toEqual([]);
        expect(Object.keys(Object.prototype)).toEqual([]);
        expect(({} as { constructor: unknown }).constructor).toBe(Object);
        server.seen.length = 0;
      });
      await fc.assert(property, fuzzRuns(80));
      expect(met.rows).toBeGreaterThan(20);
      expect(met.rejected).toBeGreaterThan(5);
      expect([...met.errors].sort()).toEqual(expect.arrayContaining(['NOT_JSON', 'SERVER', 'UNLISTED']));
    },
    FUZZ_TIMEOUT_MS,
  );

  it(
    'about one client is this client, its absence, or an error of the table',
    async () => {
      let found = 0;
      const property = fc.asyncProperty(answer, async (sent) => {
        const { api, reader, events } = begin();
        server.otherwise(replyOf(sent));
        try {
          const read = await reader.byId(ID);
          if (!read.found) expect(sent.status).toBe(404);
          else {
            found += 1;
            expectRow(read.row);
            expect([ID, null]).toContain(read.row.id);
          }
        } catch (error) {
          if (!isSyncError(error)) throw error;
          expectTold(error);
        }
        await outcomeOf(reader.inspect(ID));
        const body = { firstName: 'A', loginToken: TOKEN };
        await outcomeOf(api.update(ID, body));
        await outcomeOf(api.create(body));
        await outcomeOf(api.delete(ID));
        api.close();
        expectNoToken(JSON.stringify(events));
        expect(stranger.seen).toEqual([]);
        expect(Object.keys(Object.prototype)).toEqual([]);
        server.seen.length = 0;
      });
      await fc.assert(property, fuzzRuns(80));
      expect(found).toBeGreaterThan(5);
    },
    FUZZ_TIMEOUT_MS,
  );
});
