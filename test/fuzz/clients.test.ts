/** Whatever a source sends as a client: the row parser and the stamp parser never throw, leak or change a value. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FIELDS, type FieldType } from '../../src/clients/fields.ts';
import { parseInstant } from '../../src/clients/instant.ts';
import { type ClientRecord, isRejected, parseRow } from '../../src/clients/record.ts';
import { FUZZ_TIMEOUT_MS, fuzzRuns } from './runs.ts';

const SECRET = 'canary-in-an-excluded-field';
const EXCLUDED = new Set(['loginToken', 'secretNote']);

const text = fc.string({
  unit: fc.constantFrom('a', 'É', '\ud800', '𝒳', "'", '"', '\\', '\n', '0'),
  maxLength: 6,
});

const stamp = fc
  .record({
    year: fc.integer({ min: 0, max: 10_000 }),
    rest: fc.tuple(...[14, 33, 26, 62, 62].map((max) => fc.integer({ min: 0, max }))),
    fraction: fc.option(fc.stringMatching(/^\d{0,9}$/)),
    zone: fc.constantFrom('Z', 'z', '', '+00:00', '-14:00', '+05:30', '+0530', '+15:00', '-00:61', ' Z'),
    joint: fc.constantFrom('T', 't', ' ', '_'),
  })
  .map(({ year, rest, fraction, zone, joint }) => {
    const [month, day, hour, minute, second] = rest.map((part) => String(part).padStart(2, '0'));
    const fine = fraction === null ? '' : `.${fraction}`;
    return `${String(year).padStart(4, '0')}-${month}-${day}${joint}${hour}:${minute}:${second}${fine}${zone}`;
  });

const BY_TYPE: Readonly<Record<FieldType, fc.Arbitrary<unknown>>> = {
  uuid: fc.oneof(
    fc.uuid(),
    fc.uuid().map((id) => id.toUpperCase()),
  ),
  text,
  instant: fc
    .date({ noInvalidDate: true, min: new Date(0), max: new Date('9999-01-01') })
    .map((at) => at.toISOString()),
  boolean: fc.boolean(),
  int32: fc.integer(),
  double: fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(-0, 5e-324, 0.1 + 0.2),
  ),
  json: fc.dictionary(
    fc.constantFrom('city', 'state', '__proto__', 'ä', '\udc00'),
    fc.jsonValue({ maxDepth: 2 }),
  ),
};

const good = fc.record(Object.fromEntries(FIELDS.map((field) => [field.name, BY_TYPE[field.type]])));
/** The odd value in a row that is else good. */
const odd = fc.oneof(
  fc.constantFrom(
    null,
    undefined,
    'a\0b',
    { city: 'a\0b' },
    '\\u0000',
    2 ** 31,
    -(2 ** 31) - 1,
    1.5,
    -0,
    'x',
    [],
    true,
  ),
  stamp,
  fc.jsonValue({ maxDepth: 2 }),
);
const client = fc
  .tuple(
    good,
    fc.dictionary(fc.constantFrom(...FIELDS.map(({ name }) => name)), odd, { maxKeys: 2 }),
    fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('__proto__', '@odata.etag', 'nick')), odd, {
      maxKeys: 2,
    }),
    fc.constantFrom<object>({}, { loginToken: SECRET }, { loginToken: [SECRET], secretNote: { a: SECRET } }),
  )
  .map(([known, broken, unknown, secrets]) => ({ ...unknown, ...known, ...broken, ...secrets }));

/** As it comes over the wire: text, so without undefined and with __proto__ as a key of its own. */
const wired = (value: unknown): unknown => JSON.parse(JSON.stringify(value) ?? 'null');

/** A record as a source would answer it. */
const asRow = (record: ClientRecord): unknown => ({
  ...(record.extra === null ? {} : (JSON.parse(record.extra) as object)),
  ...Object.fromEntries(
    FIELDS.map((field, index) => {
      const value = record.values[index] ?? null;
      return [field.name, field.type === 'json' && value !== null ? JSON.parse(String(value)) : value];
    }).filter(([name, value]) => value !== null && !EXCLUDED.has(String(name))),
  ),
});

describe('parseRow', () => {
  it.each([true, false])(
    'keeps or rejects, and never shows an excluded value (NUL taken: %s)',
    (acceptsNul) => {
      let accepted = 0;
      const property = fc.property(client, (raw) => {
        const options = { excluded: EXCLUDED, acceptsNul };
        const row = parseRow(wired(raw), options);
        expect(JSON.stringify(row)).not.toContain(SECRET);
        if (isRejected(row)) {
          expect(row.reason).toMatch(/^[\w .+]*[\w+]/);
          expect(row.raw.isWellFormed()).toBe(true);
          // What is kept is judged the same when it is looked at again.
          expect(parseRow(JSON.parse(row.raw), options)).toMatchObject({ id: row.id, reason: row.reason });
          return;
        }
        accepted += 1;
        expect(row.values.every((value) => typeof value !== 'string' || value.isWellFormed())).toBe(true);
        if (!acceptsNul) expect(row.values.join('')).not.toContain('\0');
        expect(parseRow(wired(asRow(row)), options)).toEqual(row);
        const turned = Object.fromEntries(Object.entries(wired(raw) as object).reverse());
        expect(parseRow(turned, options)).toEqual(row);
      });
      fc.assert(property, fuzzRuns(200));
      expect(accepted).toBeGreaterThan(20);
    },
    FUZZ_TIMEOUT_MS,
  );

  it('rejects what is nested too deeply to be written down, wherever it stands', () => {
    const deep = (levels: number) => JSON.parse(`${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`) as unknown;
    const good = {
      id: '0b9b1b0e-6d0f-4f3e-9a53-5f6f3f0f8a11',
      email: 'a@b.cd',
      firstName: 'A',
      lastName: 'B',
    };
    const options = { excluded: EXCLUDED, acceptsNul: true };
    for (const levels of [1_000, 5_000, 100_000]) {
      for (const name of ['contactAddress', 'nick', 'fico']) {
        const row = parseRow({ ...good, [name]: deep(levels) }, options);
        expect(row).toMatchObject({ id: good.id, reason: expect.stringMatching(/nested|whole number/) });
        expect(isRejected(row) && parseRow(JSON.parse(row.raw), options)).toMatchObject({ id: good.id });
      }
      expect(parseRow([deep(levels)], options)).toMatchObject({ id: null });
      expect(isRejected(parseRow({ ...good, loginToken: deep(levels) }, options))).toBe(false);
    }
    expect(isRejected(parseRow({ ...good, contactAddress: deep(20), nick: deep(20) }, options))).toBe(false);
  });
});

describe('parseInstant', () => {
  it(
    'reads a moment as Date does, to the digit, or nothing at all',
    () => {
      let read = 0;
      const property = fc.property(stamp, (written) => {
        const instant = parseInstant(written);
        if (instant === null) return;
        read += 1;
        expect(instant).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$/);
        expect(parseInstant(instant)).toBe(instant);
        const [, fraction = ''] = /\.(\d+)/.exec(written) ?? [];
        expect(instant.slice(20, 27)).toBe(fraction.padEnd(7, '0').slice(0, 7));
        expect(fraction.slice(7)).toMatch(/^0*$/);
        const [, clock = '', zone = ''] = /^(.{8}).*?([-+][\d:]+)?[\sZz]*$/.exec(written.slice(11)) ?? [];
        const offset = zone.replace(/([+-]\d\d)(\d\d)$/, '$1:$2') || 'Z';
        const ms = Date.parse(`${written.slice(0, 10)}T${clock}${offset}`);
        expect(new Date(ms).toISOString().slice(0, 19)).toBe(instant.slice(0, 19));
      });
      fc.assert(property, fuzzRuns(2_000));
      expect(read).toBeGreaterThan(20);
    },
    FUZZ_TIMEOUT_MS,
  );

  it(
    'reads nothing but texts, and never throws',
    () => {
      fc.assert(
        fc.property(fc.oneof(fc.jsonValue(), text, fc.stringMatching(/^[-\dTZ:. +]*$/)), (value) => {
          const instant = parseInstant(value);
          if (instant !== null) expect(parseInstant(instant)).toBe(instant);
        }),
        fuzzRuns(500),
      );
    },
    FUZZ_TIMEOUT_MS,
  );
});
