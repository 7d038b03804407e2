import { describe, expect, it } from 'vitest';
import type { Instant } from '../../src/clients/instant.ts';
import { pruneConflicts } from '../../src/ledger/conflicts.ts';
import {
  countDeadLetters,
  decodeValue,
  encodeValue,
  pruneEdits,
  readOpenEntries,
} from '../../src/ledger/edits.ts';
import { addEntry } from '../../src/ledger/journal.ts';
import { eraseJournals } from '../../src/warehouse/erase.ts';
import { describeBoth } from '../push/warehouses.ts';

const OLD = '2020-01-01T00:00:00.0000000Z' as Instant;
const SINCE = '2021-01-01T00:00:00.0000000Z' as Instant;

describe('encodeValue', () => {
  it.each([
    ['email', 'a@b.cd'],
    ['email', '12'],
    ['fico', 12],
    ['isArchived', true],
    ['fax', null],
    ['contactAddress', '{"city":"X"}'],
    ['contactAddress', null],
    [null, '{"fax":"1"}'],
    [null, null],
  ] as const)('keeps %s %s apart from every other value', (field, value) => {
    expect(decodeValue(field, encodeValue(field, value))).toBe(value);
  });
});

describeBoth('the journal of edits', (begin) => {
  const entry = (field: string | null, value: string | null, outcome: 'sent' | 'arrived' | 'refused') =>
    ({ field, base: null, value, outcome, message: null }) as const;

  it('answers what is open, counts dead letters, forgets what is old and settled, erases a field', async () => {
    const { warehouse, sql, ids } = await begin();
    const [clean = '', dirty = ''] = ids();
    await sql(`UPDATE clients SET fax = 'x', home_phone = 'y' WHERE id = '${dirty}'`);
    await warehouse.commit([
      addEntry(clean, entry('fax', 'a', 'sent'), OLD),
      addEntry(clean, entry('fax', 'a', 'arrived'), OLD),
      addEntry(dirty, entry('fax', 'w', 'refused'), OLD),
      addEntry(dirty, entry('fax', 'x', 'sent'), OLD),
      addEntry(dirty, entry('homePhone', 'y', 'refused'), OLD),
      addEntry(dirty, entry('email', 'z', 'refused'), OLD),
      addEntry(dirty, entry(null, '{"fax":"f","workPhone":"w"}', 'arrived'), OLD),
    ]);
    const open = await readOpenEntries(warehouse, [clean, dirty]);
    expect(open.get(dirty)?.map(({ field, outcome }) => `${field} ${outcome}`)).toEqual([
      'fax refused',
      'fax sent',
      'homePhone refused',
      'email refused',
      'null arrived',
    ]);
    // Of fax the last entry is no refusal, and email is not edited any more.
    const [count] = await sql(`SELECT (${countDeadLetters(warehouse.kind)}) AS n`);
    expect(count).toEqual({ n: 1 });
    await warehouse.commit(eraseJournals(warehouse.kind, ['fax']));
    expect(await sql('SELECT field, value FROM mirror_edits ORDER BY id')).toEqual([
      { field: 'homePhone', value: '"y"' },
      { field: 'email', value: '"z"' },
      { field: null, value: expect.stringMatching(/^\{"workPhone": ?"w"\}$/) },
    ]);
    await warehouse.commit([
      addEntry(clean, entry('email', 'a', 'arrived'), OLD),
      pruneEdits(warehouse.kind, SINCE),
      pruneConflicts(SINCE),
    ]);
    expect(await sql('SELECT DISTINCT client_id FROM mirror_edits')).toEqual([{ client_id: dirty }]);
  });
});
