/**
 * What the mirror asks for, and what the simulator understands: each query that we build means there what it means
 * here, whatever stamps and texts are in it; and whatever else comes is answered with 200 or 400, at once.
 */
import http from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anyExternalId, anyId, toQueryString } from '../../src/api/odata.ts';
import { planRequest, type Range } from '../../src/api/page.ts';
import { type Instant, parseInstant } from '../../src/clients/instant.ts';
import { compileFilter } from '../../src/simulator/filter/evaluate.ts';
import { parseListQuery, type QueryRules, valueTypeOf } from '../../src/simulator/query.ts';
import { BLANK_ROW, type ClientRow } from '../../src/simulator/row.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { FUZZ_TIMEOUT_MS, fuzzRuns } from './runs.ts';

const RULES: QueryRules = {
  typeOfField: valueTypeOf,
  refusesSelect: () => false,
  topMax: null,
  filterNodesMax: 100,
};

// Few of each, so that they meet.
const instant: fc.Arbitrary<Instant> = fc
  .oneof(
    fc.constantFrom('0001-01-01T00:00:00Z', '9999-12-31T23:59:59.9999999Z', '2026-01-01T00:00:00.0000001Z'),
    fc
      .tuple(fc.integer({ min: 1, max: 9999 }), fc.integer({ min: 0, max: 9_999_999 }))
      .map(
        ([year, ticks]) =>
          `${String(year).padStart(4, '0')}-02-28T23:59:59.${String(ticks).padStart(7, '0')}Z`,
      ),
  )
  .map((text) => parseInstant(text) as Instant);
const id = fc.oneof(
  fc.integer({ min: 0, max: 5 }).map((n) => `00000000-0000-4000-8000-00000000000${n}`),
  fc.uuid(),
  fc.constantFrom('12345678-1234-1234-1234-123456789012', 'eeeeeeee-0000-4000-8000-00000000000e'),
);
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 6 }),
  fc.constantFrom(
    '',
    "'",
    "''",
    "' or true or '",
    'a eq null',
    '%27',
    '+',
    '&$top=1',
    '#',
    '\0',
    '\r\n',
    '\u2028',
  ),
  fc.string({ unit: fc.constantFrom("'", ' ', '%', '&', '+', '=', '\\', '"', '(', ',', '𝒳'), maxLength: 6 }),
);
const client = fc.record({
  id,
  createdOn: fc.option(instant),
  updatedOn: fc.option(instant),
  externalId: fc.option(text),
});
type Client = typeof client extends fc.Arbitrary<infer T> ? T : never;

/** Which of the clients the simulator would answer, once it has read the query off the wire. */
function answered(query: string, clients: readonly Client[]): readonly Client[] {
  const { filter } = parseListQuery(query, RULES);
  if (filter === null) return clients;
  const fields = {
    uuidKey: (one: string) => one,
    read: (name: string) => (row: ClientRow) => (row as Readonly<Record<string, unknown>>)[name],
  };
  const test = compileFilter<ClientRow>(filter, fields);
  return clients.filter((one) => test({ ...BLANK_ROW, ...one } as ClientRow));
}

/** The stamps of the clients themselves among the bounds, or hardly any would ever lie on one. */
const withBounds = fc.array(client, { minLength: 1, maxLength: 8 }).chain((clients) => {
  const met = clients.flatMap((one) => [one.createdOn, one.updatedOn]).filter((stamp) => stamp !== null);
  const bound = met.length === 0 ? instant : fc.oneof(instant, fc.constantFrom(...met));
  return fc.tuple(fc.constant(clients), fc.option(bound), fc.option(bound));
});

describe('a query that we build', () => {
  it(
    'asks for the rows of a range, at their stamps to the last digit',
    () => {
      let hits = 0;
      const shape = fc.record({
        key: fc.constantFrom('createdOn' as const, 'updatedOn' as const),
        lane: fc.constantFrom('values' as const, 'values' as const, 'nulls' as const),
        isUntouched: fc.boolean(),
        skip: fc.nat(),
        top: fc.integer({ min: 1, max: 50_000 }),
      });
      const property = fc.property(
        withBounds,
        shape,
        ([clients, from, to], { key, lane, isUntouched, skip, top }) => {
          const range: Range = { key, lane, from, to, also: isUntouched ? 'updatedOn eq null' : null };
          const request = planRequest(range, { key: from, skip }, top);
          const { filter, ...rest } = request;
          const query = toQueryString({ ...rest, ...(filter === null ? {} : { filter }) });
          const expected = clients.filter((one) => {
            const stamp = one[key];
            const isIn =
              lane === 'nulls'
                ? stamp === null
                : stamp !== null && (from === null || stamp >= from) && (to === null || stamp < to);
            return isIn && (!isUntouched || one.updatedOn === null);
          });
          hits += expected.length;
          expect(answered(query, clients)).toEqual(expected);
          expect(parseListQuery(query, RULES)).toMatchObject({
            skip: request.skip,
            top,
            orderby: (lane === 'nulls' ? ['id'] : [key, 'id']).map((name) => ({ name, descending: false })),
          });
        },
      );
      fc.assert(property, fuzzRuns(1_000));
      expect(hits).toBeGreaterThan(200);
    },
    FUZZ_TIMEOUT_MS,
  );

  it(
    'asks for ids and external ids of any text, and for nothing else',
    () => {
      let hits = 0;
      const property = fc.property(
        fc.array(client, { minLength: 1, maxLength: 8 }),
        fc.array(fc.oneof(id, fc.string()), { minLength: 1, maxLength: 15 }),
        fc.array(text, { maxLength: 15 }),
        (clients, ids, texts) => {
          const good = ids.filter((one) => /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(one));
          if (good.length < ids.length)
            expect(() => anyId(ids)).toThrow(expect.objectContaining({ code: 'USAGE' }));
          if (good.length > 0) {
            const byId = answered(toQueryString({ filter: anyId(good) }), clients);
            expect(byId).toEqual(clients.filter((one) => good.includes(one.id)));
            hits += byId.length;
          }
          const keys = [...texts, ...clients.flatMap((one) => one.externalId ?? []).slice(0, 3)];
          if (keys.length === 0) return;
          const byKey = clients.filter((one) => one.externalId !== null && keys.includes(one.externalId));
          expect(answered(toQueryString({ filter: anyExternalId(keys) }), clients)).toEqual(byKey);
          hits += byKey.length;
        },
      );
      fc.assert(property, fuzzRuns(500));
      expect(hits).toBeGreaterThan(200);
    },
    FUZZ_TIMEOUT_MS,
  );

  it(
    'carries owner and search text unharmed',
    () => {
      const property = fc.property(fc.uuid(), text, (ownerId, searchText) => {
        expect(parseListQuery(toQueryString({ ownerId, searchText }), RULES)).toMatchObject({
          ownerId,
          searchText,
          filter: null,
        });
      });
      fc.assert(property, fuzzRuns(500));
    },
    FUZZ_TIMEOUT_MS,
  );
});

const WORDS =
  'id createdOn updatedOn fico totalIncome isArchived firstName ownerId contactAddress contactAddress/city';
const SIGNS = `eq ne gt ge lt le in and or not ( ) , null true false '' ' O''B x/y __proto__ constructor toString
  contains startswith tolower length 0 -1 1e999 1e-999 2026-01-01T00:00:00Z 2026-02-30T00:00:00Z 2026-01-01
  00000000-0000-4000-8000-000000000001 $it @p1 * % \u0000 é`;
const word = fc.constantFrom(...WORDS.split(' '), ...SIGNS.split(/\s+/));
const soup = fc
  .array(fc.tuple(word, fc.constantFrom(' ', ' ', ' ', '')), { maxLength: 14 })
  .map((parts) => parts.flat().join(''));
/** Sides that fit each other, and sides that mostly do not. */
const sides = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.constantFrom(
      ['createdOn', '2026-01-01T00:00:00Z'],
      ['updatedOn', 'null'],
      ['updatedOn', 'createdOn'],
      ['id', '00000000-0000-4000-8000-000000000001'],
      ['id', 'null'],
      ['ownerId', 'id'],
      ['fico', '700'],
      ['1e999', 'totalIncome'],
      ['firstName', "'O''B'"],
      ['tolower(lastName)', "''"],
      ['length(contactAddress/city)', 'fico'],
    ),
  },
  { weight: 1, arbitrary: fc.tuple(word, word) },
);
const clause = fc
  .tuple(sides, fc.constantFrom('eq', 'ne', 'gt', 'le', 'in'))
  .map(([[left, right], op]) => `${left} ${op} ${op === 'in' ? `(${right},${right})` : right}`);
const chain = fc
  .tuple(fc.array(clause, { minLength: 1, maxLength: 6 }), fc.constantFrom(' and ', ' or ', ' and not '))
  .map(([clauses, joint]) => clauses.join(joint));
const tall = fc
  .tuple(
    fc.constantFrom('(', 'not ', 'tolower(', "'", 'id in (', 'isArchived and ', '1', ' '),
    fc.constantFrom(90, 101, 700),
  )
  .map(([part, times]) => part.repeat(times));
const expression = fc.oneof(
  { weight: 3, arbitrary: soup },
  { weight: 4, arbitrary: chain },
  { weight: 1, arbitrary: tall },
  { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
);
const parameter = fc.oneof(
  { weight: 6, arbitrary: expression.map((one) => `$filter=${encodeURIComponent(one.toWellFormed())}`) },
  fc
    .array(fc.tuple(word, fc.constantFrom('', ' desc', ' asc', ' x')), { maxLength: 3 })
    .map((keys) => `$orderby=${encodeURIComponent(keys.map((one) => one.join('')).join(','))}`),
  fc.array(word, { maxLength: 3 }).map((names) => `$select=${encodeURIComponent(names.join(','))}`),
  fc
    .tuple(
      fc.constantFrom('$skip', '$top', '%24top', '$count', 'ownerId', 'searchText', '__proto__', ''),
      word,
    )
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`),
  fc.constantFrom('$top=0', '$top=2147483648', '$skip=99999999999', '%', '%ff', '$filter=a+b', '&&', '='),
);

describe('a query of anything', () => {
  let simulator: Simulator;
  const agent = new http.Agent({ keepAlive: true });

  beforeAll(async () => {
    simulator = await startSimulator({ clients: 40 });
  });

  afterAll(async () => {
    agent.destroy();
    await simulator.close();
  });

  /** With the bytes as they stand: fetch would mend them. */
  function ask(query: string): Promise<{ readonly status: number; readonly body: string }> {
    const { hostname, port } = new URL(simulator.url);
    return new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${simulator.token}` };
      const request = http.get({ hostname, port, path: `/clients?${query}`, headers, agent }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
        );
      });
      request.setTimeout(2_000, () => request.destroy(new Error(`no answer to ${query}`)));
      request.on('error', reject);
    });
  }

  it(
    'is answered with clients, or with 400 in words',
    async () => {
      const met = new Map<number, number>();
      const property = fc.asyncProperty(
        fc.array(parameter, { minLength: 1, maxLength: 3 }),
        async (parameters) => {
          const query = parameters.join('&');
          // More than 16 KB of headers Node itself refuses.
          fc.pre(query.length < 15_000);
          const { status, body } = await ask(query);
          met.set(status, (met.get(status) ?? 0) + 1);
          if (status === 200) expect(JSON.parse(body)).toBeInstanceOf(Array);
          else {
            expect(status).toBe(400);
            expect(body).toMatch(/"(?:message|title)":"\w/);
          }
        },
      );
      await fc.assert(property, fuzzRuns(400));
      expect(met.get(200)).toBeGreaterThan(20);
      expect(met.get(400)).toBeGreaterThan(20);
    },
    FUZZ_TIMEOUT_MS,
  );
});
