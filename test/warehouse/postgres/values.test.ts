import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  addSeconds,
  cutToMicroseconds,
  type Instant,
  MAX_INSTANT,
  MIN_INSTANT,
} from '../../../src/clients/instant.ts';
import type { FieldValue } from '../../../src/clients/record.ts';
import { binaryArray, type ElementType } from '../../../src/warehouse/postgres/arrays.ts';
import { numberParameters, quoteName, quoteText } from '../../../src/warehouse/postgres/values.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const text = fc.string({ unit: 'binary', maxLength: 12 }).map((value) => value.replaceAll('\0', ''));
const awkward = fc.constantFrom('', 'NULL', '"', '\\', '{}', ',', ' ', "it's", '\\"', '\n');

describe('numberParameters', () => {
  it.each([
    ['a = ? AND b = ?', 'a = $1 AND b = $2'],
    ["a = '?' AND b = ?", "a = '?' AND b = $1"],
    ["a = 'it''s ?' OR ?", "a = 'it''s ?' OR $1"],
    ['"odd ? ""name""" = ?', '"odd ? ""name""" = $1'],
    ['a -- why?\n= ? /* or ? */', 'a -- why?\n= $1 /* or ? */'],
    ['$$ ? $$ || ? || $x$ ? $x$', '$$ ? $$ || $1 || $x$ ? $x$'],
  ])('numbers %s', (sql, numbered) => {
    expect(numberParameters(sql)).toBe(numbered);
  });
});

describe('binaryArray', () => {
  const uuid = fc.uuid();
  const json = fc.jsonValue().map((value) => JSON.stringify(value).toWellFormed().replaceAll('\\u0000', ''));
  const int32 = fc.integer();
  const double = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
  const instant = fc.oneof(
    fc
      .tuple(fc.nat(3_652_058), fc.nat(863_999_999_999))
      .map(([days, ticks]) => addSeconds(addSeconds(MIN_INSTANT, days * 86_400), ticks / 1e7)),
    fc.constantFrom(MIN_INSTANT, MAX_INSTANT, '2000-02-29T23:59:59.9999999Z', '1900-03-01T00:00:00.0000001Z'),
  );

  it.each<[ElementType, fc.Arbitrary<FieldValue>, (value: FieldValue) => string]>([
    ['text', fc.oneof(text, awkward), String],
    ['uuid', uuid, String],
    ['jsonb', json, String],
    ['boolean', fc.boolean(), String],
    ['integer', int32, String],
    ['double precision', double, String],
    ['timestamptz', instant, (value) => cutToMicroseconds(value as Instant)],
  ])('holds any %s as its text would', async (type, arbitrary, asText) => {
    const sql = `SELECT a IS NOT DISTINCT FROM b AS same FROM unnest($1::${type}[], $2::text[]::${type}[]) AS i (a, b)`;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.option(arbitrary), { minLength: 100, maxLength: 200 }), async (values) => {
        const texts = values.map((value) => (value === null ? null : asText(value)));
        const { rows } = await database.run(sql, [binaryArray(type, values, (value) => value), texts]);
        expect(rows).toEqual(values.map(() => ({ same: true })));
      }),
      { numRuns: 4 },
    );
  });
});

describe('quoteText and quoteName', () => {
  it('hold any text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(text, awkward), async (value) => {
        expect((await database.run(`SELECT ${quoteText(value)} AS a`)).rows).toEqual([{ a: value }]);
        if (value === '') return;
        const name = Buffer.from(value.slice(0, 12)).toString();
        expect((await database.run(`SELECT 1 AS ${quoteName(name)}`)).fields[0]?.name).toBe(name);
      }),
      { numRuns: 30 },
    );
  });
});
