/** Ids come in either case and are kept in one. */
import { describe, expect, it } from 'vitest';
import { parseUuid } from '../../src/clients/uuid.ts';

const ID = '3f2504e0-4f89-41d3-9a0c-0305e82c3301';

describe('parseUuid', () => {
  it('reads an id in either case, and gives it in lower case', () => {
    expect([ID, ID.toUpperCase()].map(parseUuid)).toEqual([ID, ID]);
  });

  it('takes nothing that only holds one, lacks a letter, or is no text', () => {
    const others = [
      ` ${ID}`,
      `${ID}\n`,
      `${ID}0`,
      `{${ID}}`,
      ID.slice(1),
      ID.replaceAll('-', ''),
      '',
      7,
      null,
    ];
    expect(others.map(parseUuid)).toEqual(others.map(() => null));
  });
});
