import { describe, expect, it } from 'vitest';
import { parseHttpDate } from '../../src/api/httpDate.ts';

describe('parseHttpDate', () => {
  it.each(['Sun, 06 Nov 2044 08:49:37 GMT', 'Sunday, 06-Nov-44 08:49:37 GMT', 'Sun Nov  6 08:49:37 2044'])(
    'reads %s',
    (text) => {
      expect(parseHttpDate(text)).toBe('2044-11-06T08:49:37.0000000Z');
    },
  );

  it.each([undefined, '', '0', '120', '2026-01-01', '2026-01-01T00:00:00Z', 'Sun, 31 Feb 2026 08:49:37 GMT'])(
    'takes %s for no date',
    (text) => {
      expect(parseHttpDate(text)).toBeNull();
    },
  );

  it('reads what toUTCString writes', () => {
    const date = new Date(Date.UTC(2026, 6, 9, 1, 2, 3));
    expect(parseHttpDate(date.toUTCString())).toBe('2026-07-09T01:02:03.0000000Z');
  });
});
