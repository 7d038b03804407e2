import { describe, expect, it } from 'vitest';
import type { Instant } from '../../src/clients/instant.ts';
import type { ClientRecord } from '../../src/clients/record.ts';
import { decide, newestOfEach, type StoredRow } from '../../src/warehouse/decide.ts';

const OLD = '2026-01-01T00:00:00.0000000Z' as Instant;
const NEW = '2026-01-01T00:00:00.0000001Z' as Instant;

const row = (updatedOn: Instant | null, id = 'a'): ClientRecord => ({
  id,
  createdOn: null,
  updatedOn,
  values: [],
  extra: null,
});
const stored = (updatedOn: Instant | null, more: Partial<StoredRow> = {}, same = false): StoredRow => ({
  updatedOn,
  revision: 5,
  dirty: false,
  deleted: false,
  isSame: () => same,
  ...more,
});
const list = { noted: 5, trust: 'list' } as const;

describe('decide', () => {
  it('never touches a dirty row, whatever the stamps say', () => {
    expect(decide(row(NEW), stored(OLD, { dirty: true }), list)).toBe('dirty');
    expect(decide(row(OLD), stored(OLD, { dirty: true }, true), { noted: 9, trust: 'believed' })).toBe(
      'dirty',
    );
  });

  it('takes a newer stamp, also where the row was written since the request', () => {
    expect(decide(row(NEW), stored(OLD), { noted: 0, trust: 'list' })).toBe('write');
    expect(decide(row(OLD), stored(null), list)).toBe('write');
  });

  it('takes an older stamp only where it is believed', () => {
    expect(decide(row(OLD), stored(NEW), list)).toBe('older');
    expect(decide(row(null), stored(OLD), list)).toBe('older');
    expect(decide(row(OLD), stored(NEW), { noted: 5, trust: 'believed' })).toBe('write');
    // Not even then where the row was written since the request.
    expect(decide(row(OLD), stored(NEW), { noted: 0, trust: 'believed' })).toBe('raced');
  });

  it('with equal stamps asks whether the row was written since the request', () => {
    expect(decide(row(OLD), stored(OLD, {}, true), list)).toBe('unchanged');
    expect(decide(row(OLD), stored(OLD), list)).toBe('write');
    expect(decide(row(OLD), stored(OLD, { revision: 6 }), list)).toBe('raced');
    expect(decide(row(null), stored(null, { revision: 6 }), list)).toBe('raced');
  });

  it('counts a tombstone as a difference', () => {
    expect(decide(row(OLD), stored(OLD, { deleted: true }, true), list)).toBe('write');
    expect(decide(row(OLD), stored(OLD, { deleted: true, revision: 6 }, true), list)).toBe('raced');
  });
});

describe('newestOfEach', () => {
  it('keeps the newest version of each client, of equal ones the last', () => {
    const last = row(OLD);
    const rows = [row(null), row(OLD), row(NEW, 'b'), last, row(null), row(OLD, 'b')];
    const kept = newestOfEach(rows);
    expect(kept).toHaveLength(2);
    expect(kept[0]).toBe(last);
    expect(kept[1]?.updatedOn).toBe(NEW);
  });
});
