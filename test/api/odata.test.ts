import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyId, quote, toQueryString } from '../../src/api/odata.ts';

const A = '0b9b1b0e-6d0f-4f3e-9a53-5f6f3f0f8a11';
const B = '1c9b1b0e-6d0f-4f3e-9a53-5f6f3f0f8a22';

describe('toQueryString', () => {
  it('sends what is given, in a fixed order, and nothing else', () => {
    expect(toQueryString({})).toBe('');
    expect(
      toQueryString({
        top: 10,
        skip: 0,
        orderby: 'createdOn,id',
        select: ['id', 'email'],
        filter: 'a eq 1',
        searchText: 'x',
        ownerId: A,
      }),
    ).toBe(
      `ownerId=${A}&searchText=x&$filter=a%20eq%201&$select=id%2Cemail&$orderby=createdOn%2Cid&$skip=0&$top=10`,
    );
  });

  it('writes a space as %20 and never as a plus', () => {
    expect(toQueryString({ filter: 'createdOn ge 2026-01-01T00:00:00+03:00' })).toBe(
      '$filter=createdOn%20ge%202026-01-01T00%3A00%3A00%2B03%3A00',
    );
  });

  it('round-trips any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const query = toQueryString({ searchText: text, filter: text });
        expect(query).not.toMatch(/[+ ]/);
        const read = new URLSearchParams(query);
        expect(read.get('searchText')).toBe(text);
        expect(read.get('$filter')).toBe(text);
      }),
    );
  });

  it('survives a lone surrogate, at which encodeURIComponent throws', () => {
    expect(toQueryString({ searchText: 'a\ud800' })).toBe('searchText=a%EF%BF%BD');
  });
});

describe('builders', () => {
  it('write literals', () => {
    expect(quote("O'Brien")).toBe("'O''Brien'");
  });

  it('ask for ids, and let nothing else into the filter', () => {
    expect(anyId([A, B])).toBe(`id eq ${A} or id eq ${B}`);
    expect(() => anyId([A, '1 or true'])).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});
