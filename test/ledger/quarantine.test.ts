/** A raw row keeps nothing of a field that is excluded later. */
import { describe, expect, it } from 'vitest';
import type { Instant } from '../../src/clients/instant.ts';
import { redactQuarantined } from '../../src/ledger/quarantine.ts';

const AT = '2026-03-01T12:00:00.0000000Z' as Instant;
const redacted = (raw: unknown) =>
  redactQuarantined({ id: 'a', clientId: null, reason: 'unfit', raw: JSON.stringify(raw), at: AT }, [
    'fico',
  ]).map(({ params }) => params);

describe('redactQuarantined', () => {
  it.each([
    [{ fico: 7, fax: 'x' }, { fax: 'x' }],
    [{ Fico: 7, fax: 'x' }, { fax: 'x' }],
    [{ value: { fico: 7, fax: 'x' } }, { value: { fax: 'x' } }],
    [
      [{ fico: 7 }, 'fico'],
      [{}, 'fico'],
    ],
  ])('takes the field out of %j, wherever it lies and however it is spelt', (raw, kept) => {
    expect(redacted(raw)).toEqual([[JSON.stringify(kept), 'a']]);
  });

  it.each([{ fax: 'fico' }, [['fico']], 'fico', null])('leaves %j as it is, which holds none', (raw) => {
    expect(redacted(raw)).toEqual([]);
  });
});
