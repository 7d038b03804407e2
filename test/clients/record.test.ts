import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FIELDS } from '../../src/clients/fields.ts';
import { canonicalJson, isRejected, parseRow, type ReadRow } from '../../src/clients/record.ts';

const ID = '3f2504e0-4f89-41d3-9a0c-0305e82c3301';
const ROW = {
  id: ID,
  email: 'ann@example.com',
  firstName: 'Ann',
  lastName: 'Lee',
  isSilenced: false,
  isArchived: true,
  createdOn: '2024-01-02T03:04:05.1234567Z',
  updatedOn: null,
};
const OPTIONS = { excluded: new Set(['loginToken']), acceptsNul: false };
const parse = (changes: object, options = OPTIONS): ReadRow => parseRow({ ...ROW, ...changes }, options);
const fieldOf = (row: ReadRow, name: string) => {
  if (isRejected(row)) throw new Error(row.reason);
  return row.values[FIELDS.findIndex((field) => field.name === name)];
};

describe('parseRow', () => {
  it('reads absent optional fields as null', () => {
    const row = parse({});
    expect(isRejected(row)).toBe(false);
    expect(fieldOf(row, 'fico')).toBeNull();
    expect(fieldOf(row, 'contactAddress')).toBeNull();
  });

  it('canonises what may be written in more than one way', () => {
    const row = parse({
      id: ID.toUpperCase(),
      ownerId: 'AAAAAAAA-4f89-41d3-9a0c-0305e82c3301',
      updatedOn: '2024-01-02T03:04:05+01:00',
      totalIncome: -0,
      contactAddress: { zipCode: '1', city: 'x' },
    });
    expect(row.id).toBe(ID);
    expect(fieldOf(row, 'ownerId')).toBe('aaaaaaaa-4f89-41d3-9a0c-0305e82c3301');
    expect(row.updatedOn).toBe('2024-01-02T02:04:05.0000000Z');
    expect(Object.is(fieldOf(row, 'totalIncome'), 0)).toBe(true);
    expect(fieldOf(row, 'contactAddress')).toBe('{"city":"x","zipCode":"1"}');
  });

  it.each([
    [{ id: undefined }, 'id is missing'],
    [{ id: 'abc' }, 'id is not a uuid'],
    [{ email: null }, 'email is null, which the API never answers'],
    [{ email: undefined }, 'email is missing'],
    [{ isSilenced: 'yes' }, 'isSilenced is not true or false'],
    [{ fico: '700' }, 'fico is not a whole number of 32 bits'],
    [{ fico: 2 ** 31 }, 'fico is not a whole number of 32 bits'],
    [{ fico: 1.5 }, 'fico is not a whole number of 32 bits'],
    [{ totalIncome: '1' }, 'totalIncome is not a finite number'],
    [{ totalIncome: Number.POSITIVE_INFINITY }, 'totalIncome is not a finite number'],
    [{ ownerId: '' }, 'ownerId is not a uuid'],
    [{ updatedOn: 'soon' }, 'updatedOn is not a timestamp'],
    [{ contactAddress: 'Main St' }, 'contactAddress is not a JSON object'],
    [{ firstName: 'A\0' }, 'firstName holds the character U+0000, which Postgres cannot store'],
    [
      { contactAddress: { city: '\0' } },
      'contactAddress holds the character U+0000, which Postgres cannot store',
    ],
    [{ nickName: '\0' }, 'an unknown field holds the character U+0000, which Postgres cannot store'],
  ])('rejects %j', (changes, reason) => {
    const row = parse(changes);
    expect(isRejected(row) && row.reason).toBe(reason);
  });

  it.each([[null], [[]], ['text'], [7]])('rejects the row %j and keeps it', (raw) => {
    const row = parseRow(raw, OPTIONS);
    expect(isRejected(row) && row.raw).toBe(JSON.stringify(raw));
  });

  it('accepts the ends of a 32-bit number', () => {
    expect(fieldOf(parse({ fico: 2 ** 31 - 1 }), 'fico')).toBe(2 ** 31 - 1);
    expect(fieldOf(parse({ fico: -(2 ** 31) }), 'fico')).toBe(-(2 ** 31));
  });

  it('keeps U+0000 where the warehouse can, and text that only looks like its escape everywhere', () => {
    expect(fieldOf(parse({ firstName: 'A\0' }, { ...OPTIONS, acceptsNul: true }), 'firstName')).toBe('A\0');
    expect(isRejected(parse({ nickName: '\\u0000' }))).toBe(false);
  });

  it('tells a row without createdOn, which has a lane of its own, from one with a broken one', () => {
    expect(parse({ createdOn: null }).createdOn).toBeNull();
    expect(isRejected(parse({ createdOn: null }))).toBe(false);
    expect(parse({ createdOn: 'x' }).createdOn).toBeUndefined();
  });

  it('keeps unknown fields, but neither annotations nor excluded ones', () => {
    const row = parse({ b: 1, a: { d: 1, c: 2 }, '@odata.etag': 'W/1', loginToken: 'secret' });
    expect(!isRejected(row) && row.extra).toBe('{"a":{"c":2,"d":1},"b":1}');
    expect(JSON.stringify(row)).not.toContain('secret');
  });

  it('never keeps an excluded field in a rejected row', () => {
    expect(JSON.stringify(parse({ fico: 'x', loginToken: 'secret' }))).not.toContain('secret');
    const wrapped = parseRow([{ value: { ...ROW, loginToken: 'secret' } }], OPTIONS);
    expect(JSON.stringify(wrapped)).toContain('value');
    expect(JSON.stringify(wrapped)).not.toContain('secret');
  });

  it('knows an excluded field in whatever case a changed server spells it', () => {
    expect(JSON.stringify(parse({ LoginToken: 'secret' }))).not.toContain('secret');
    expect(JSON.stringify(parse({ fico: 'x', LOGINTOKEN: 'secret' }))).not.toContain('secret');
  });

  it('makes lone surrogates well-formed', () => {
    expect(fieldOf(parse({ firstName: 'a\ud800' }), 'firstName')).toBe('a\ufffd');
    expect(fieldOf(parse({ contactAddress: { city: '\udc00' } }), 'contactAddress')).toBe(
      '{"city":"\ufffd"}',
    );
  });

  it('never throws, whatever comes, and gives one value a field', () => {
    const names = fc.constantFrom(...FIELDS.map((field) => field.name), '__proto__', 'x');
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.dictionary(names, fc.jsonValue())), (raw) => {
        const row = parseRow(raw, OPTIONS);
        if (isRejected(row)) expect(row.reason).not.toBe('');
        else expect(row.values).toHaveLength(FIELDS.length);
      }),
    );
  });
});

describe('canonicalJson', () => {
  it('gives equal texts for equal values, whatever the order of keys', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const turned = Object.fromEntries(Object.entries(value).reverse());
        expect(canonicalJson(turned)).toBe(canonicalJson(value));
      }),
    );
  });

  it('keeps a key named __proto__', () => {
    expect(canonicalJson(JSON.parse('{"__proto__": 1}'))).toBe('{"__proto__":1}');
  });
});
