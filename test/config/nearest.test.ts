import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { editDistance, nearest } from '../../config/nearest.ts';

describe('editDistance', () => {
  it.each([
    ['', '', 0],
    ['abc', '', 3],
    ['sync', 'snyc', 1],
    ['kitten', 'sitting', 3],
  ])('is right for %s and %s', (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance);
  });

  it('is the same both ways, and no more than the longer word', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a));
        expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length));
      }),
    );
  });
});

describe('nearest', () => {
  it('suggests a word that is near and none that is not', () => {
    const known = ['MIRROR_PAGE_SIZE', 'MIRROR_PUSH', 'MIRROR_PUSH_DELETES'];
    expect(nearest('MIRROR_PAGESIZE', known)).toBe('MIRROR_PAGE_SIZE');
    expect(nearest('mirror_psuh', known)).toBe('MIRROR_PUSH');
    expect(nearest('WHATEVER', known)).toBeUndefined();
  });
});
