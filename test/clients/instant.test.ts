import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addSeconds,
  cutToMicroseconds,
  type Instant,
  instantFromMs,
  instantToMs,
  MAX_INSTANT,
  MIN_INSTANT,
  midpoint,
  nextTick,
  parseInstant,
  secondsBetween,
} from '../../src/clients/instant.ts';

const ms = fc.integer({ min: Date.parse('0001-01-01T00:00:00Z'), max: Date.parse('9999-12-31T23:59:59Z') });
const tick = fc.integer({ min: 0, max: 9999 });
/** Any instant of the calendar, made by Date for the milliseconds and by hand for the ticks below. */
const instant = fc
  .tuple(ms, tick)
  .map(
    ([at, ticks]) =>
      `${new Date(at).toISOString().slice(0, 23)}${String(ticks).padStart(4, '0')}Z` as Instant,
  );

describe('parseInstant', () => {
  it.each([
    ['2024-01-02T03:04:05.1234567Z', '2024-01-02T03:04:05.1234567Z'],
    ['2024-01-02T03:04:05Z', '2024-01-02T03:04:05.0000000Z'],
    ['2024-01-02T03:04:05.12Z', '2024-01-02T03:04:05.1200000Z'],
    ['2024-01-02T03:04:05.123456700Z', '2024-01-02T03:04:05.1234567Z'],
    ['2024-01-02T03:04:05', '2024-01-02T03:04:05.0000000Z'],
    ['2024-01-02T03:04', '2024-01-02T03:04:00.0000000Z'],
    ['2024-03-01T00:30:00+03:00', '2024-02-29T21:30:00.0000000Z'],
    ['2024-02-29T23:59:59.9999999-00:30', '2024-03-01T00:29:59.9999999Z'],
    ['0001-01-01T00:00:00Z', MIN_INSTANT],
    ['9999-12-31T23:59:59.9999999Z', MAX_INSTANT],
  ])('reads %s', (text, canonical) => {
    expect(parseInstant(text)).toBe(canonical);
  });

  it.each([
    '2023-02-29T00:00:00Z',
    '2024-13-01T00:00:00Z',
    '2024-01-01T24:00:00Z',
    '2024-01-01T00:60:00Z',
    '2024-01-01',
    '0000-01-01T00:00:00Z',
    '2024-01-01T00:00:00.12345678Z',
    '2024-01-01T00:00:00+15:00',
    '0001-01-01T00:00:00+01:00',
    '10000-01-01T00:00:00Z',
    'yesterday',
    '',
    null,
    0,
    {},
  ])('refuses %j', (value) => {
    expect(parseInstant(value)).toBeNull();
  });

  it('reads every canonical instant as itself, and text order is time order', () => {
    fc.assert(
      fc.property(instant, instant, (a, b) => {
        expect(parseInstant(a)).toBe(a);
        expect(a < b).toBe(secondsBetween(a, b) > 0 || (a.slice(0, 23) === b.slice(0, 23) && a < b));
      }),
    );
  });
});

describe('arithmetic', () => {
  it('agrees with Date on milliseconds over the whole calendar', () => {
    fc.assert(
      fc.property(ms, (at) => {
        const text = instantFromMs(at);
        expect(text).toBe(new Date(at).toISOString().replace('Z', '0000Z'));
        expect(instantToMs(text)).toBe(at);
      }),
      { numRuns: 2_000 },
    );
  });

  it('adds and subtracts seconds without losing a tick', () => {
    fc.assert(
      fc.property(instant, fc.integer({ min: 0, max: 1e6 }), (at, seconds) => {
        const later = addSeconds(at, seconds);
        if (later === MAX_INSTANT) return;
        expect(addSeconds(later, -seconds)).toBe(at);
        expect(later.slice(19)).toBe(at.slice(19));
      }),
    );
  });

  it('stops at the ends of the calendar', () => {
    expect(addSeconds(MAX_INSTANT, 1)).toBe(MAX_INSTANT);
    expect(nextTick(MAX_INSTANT)).toBe(MAX_INSTANT);
    expect(addSeconds(MIN_INSTANT, -1)).toBe(MIN_INSTANT);
  });

  it('has nothing between an instant and its next tick', () => {
    fc.assert(
      fc.property(instant, (at) => {
        if (at === MAX_INSTANT) return;
        const next = nextTick(at);
        expect(next > at).toBe(true);
        expect(midpoint(at, next)).toBe(at);
      }),
    );
  });

  it('finds the middle of two instants', () => {
    fc.assert(
      fc.property(instant, instant, (a, b) => {
        const [from, to] = a < b ? [a, b] : [b, a];
        const middle = midpoint(from, to);
        expect(middle >= from && middle <= to).toBe(true);
        expect(Math.abs(secondsBetween(from, middle) - secondsBetween(middle, to))).toBeLessThan(1e-4);
      }),
    );
  });

  it('cuts to microseconds and never rounds up', () => {
    expect(cutToMicroseconds(MAX_INSTANT)).toBe('9999-12-31T23:59:59.999999Z');
  });
});
