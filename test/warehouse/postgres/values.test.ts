import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { plainArray, quotedArray } from '../../../src/warehouse/postgres/arrays.ts';
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

describe('array literals', () => {
  it('hold any text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.option(fc.oneof(text, awkward))), async (values) => {
        const { rows } = await database.run('SELECT $1::text[] AS a', [quotedArray(values)]);
        expect(rows[0].a).toEqual(values);
      }),
      { numRuns: 30 },
    );
  });

  it('hold any number', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0))),
        async (values) => {
          const { rows } = await database.run('SELECT $1::float8[] AS a', [plainArray(values)]);
          expect(rows[0].a).toEqual(values);
        },
      ),
      { numRuns: 30 },
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
