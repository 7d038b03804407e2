import { describe, expect, it } from 'vitest';
import type { Values } from '../../src/clients/merge.ts';
import { openEdits } from '../../src/push/journal.ts';
import { KEPT, planSettle, type SettleInput } from '../../src/push/planSettle.ts';

const OLD = '2026-01-02T00:00:00.0000000Z';
const NEW = '2026-01-03T00:00:00.0000000Z';
const LOCAL: Values = { email: 'Ann@x.io', fico: 720, fax: '1', updatedOn: OLD };
const SOURCE: Values = { email: 'Ann@x.io', fico: 720, fax: '1', updatedOn: NEW };

function settle(change: Partial<SettleInput> & { local?: Values; base?: Values; source?: Values } = {}) {
  const { local, base, source, ...rest } = change;
  return planSettle({
    intent: { sent: { email: 'Ann@x.io', fico: 720 }, before: { email: 'bob@x.io', fico: 700 } },
    row: {
      values: { ...LOCAL, ...local },
      extra: null,
      base: { email: 'bob@x.io', fico: 700, ...base },
      isParked: false,
      isDeleted: false,
    },
    readBack: { found: true, values: { ...SOURCE, ...source }, extra: null },
    refused: {},
    held: { refused: {}, disputed: {} },
    isLastRead: true,
    ...rest,
  });
}
function settled(change: Parameters<typeof settle>[0] = {}) {
  const plan = settle(change);
  if (plan.kind !== 'settle') expect.fail(plan.kind);
  return {
    ...plan,
    outcomes: plan.records.flatMap((record) => (record.kind === 'edit' ? [record.outcome] : [])),
  };
}

describe('planSettle', () => {
  it('leaves the row clean, with the read-back stored, where the source has what was sent', () => {
    const { row, outcomes } = settled({ source: { fax: '2' } });
    expect(row).toEqual({
      values: { fax: '2', updatedOn: NEW },
      extra: null,
      base: {},
      isParked: false,
      isDeleted: false,
    });
    expect(outcomes).toEqual(['arrived', 'arrived']);
  });

  it('takes what the source made of a value, and keeps on record what was sent', () => {
    const { row, records } = settled({ source: { email: 'ann@x.io' } });
    expect(row).toMatchObject({ values: { email: 'ann@x.io' }, base: {} });
    expect(records).toContainEqual({
      kind: 'conflict',
      field: 'email',
      base: 'bob@x.io',
      local: 'Ann@x.io',
      remote: 'ann@x.io',
      resolution: 'rewritten',
      message: 'the source wrote it so',
    });
  });

  it('rebases a field edited again to the read-back, also one that was taken back', () => {
    const { row } = settled({ local: { email: 'bob@x.io', fico: 730 }, source: { email: 'ann@x.io' } });
    expect(row?.base).toEqual({ email: 'ann@x.io', fico: 720 });
    expect(row?.values).toEqual({ updatedOn: NEW });
    expect(row?.isParked).toBe(false);
  });

  it('keeps a field open that was taken back while it was away, where the source shows nothing of it', () => {
    const back = { local: { fico: 700 }, source: { fico: 700 } };
    const { row, records } = settled(back);
    expect(row).toMatchObject({ base: { fico: 700 }, isParked: false });
    expect(records).not.toContainEqual(expect.objectContaining({ field: 'fico' }));
    // Refused it never was there.
    expect(settled({ ...back, refused: { fico: 'no' } }).row).toMatchObject({ base: {} });
  });

  it('makes a dead letter of a value that the source did not take, and parks the row', () => {
    const { row, records } = settled({ source: { fico: 700 } });
    expect(row).toMatchObject({ values: { updatedOn: NEW }, base: { fico: 700 }, isParked: true });
    expect(records).toContainEqual({
      kind: 'edit',
      field: 'fico',
      base: 700,
      value: 720,
      outcome: 'ignored',
      message: KEPT,
    });
  });

  it('keeps the words of a refusal, for that field alone', () => {
    const { row, records, outcomes } = settled({ source: { fico: 700 }, refused: { fico: 'too good' } });
    expect(outcomes).toEqual(['arrived', 'refused']);
    expect(records).toMatchObject([{ field: 'email' }, { field: 'fico', message: 'too good', value: 720 }]);
    expect(row).toMatchObject({ base: { fico: 700 }, isParked: true });
  });

  it('does not park a row that was edited again, in the refused field or in another', () => {
    const same = settled({ local: { fico: 730 }, source: { fico: 700 }, refused: { fico: 'no' } });
    expect(same.row).toMatchObject({ base: { fico: 700 }, isParked: false });
    expect(same.outcomes).toContain('superseded');
    const other = settled({ local: { fax: '9' }, base: { fax: '1' }, source: { fico: 700 } });
    expect(other.row).toMatchObject({ base: { fico: 700, fax: '1' }, isParked: false });
  });

  it('leaves a field that was not sent with its base and its value', () => {
    const { row } = settled({ local: { fax: '9' }, base: { fax: '1' }, source: { fax: '2' } });
    expect(row).toMatchObject({ base: { fax: '1' } });
    expect(row?.values).not.toHaveProperty('fax');
  });

  it('parks a row whose only open field waited for a person before', () => {
    const held = { refused: { fax: '9' }, disputed: {} };
    expect(settled({ local: { fax: '9' }, base: { fax: '1' }, held }).row).toMatchObject({ isParked: true });
  });

  it('stores what another writer has put over it, and keeps what was sent on record', () => {
    const { row, records } = settled({ source: { fico: 650 } });
    expect(row).toMatchObject({ values: { fico: 650 }, base: {} });
    expect(records).toContainEqual(
      expect.objectContaining({
        kind: 'conflict',
        base: 700,
        local: 720,
        remote: 650,
        resolution: 'overwritten',
      }),
    );
  });

  it('leaves it to the next merge where the user has gone on as well: both have left what was sent', () => {
    const { row } = settled({ local: { fico: 730 }, source: { fico: 650 } });
    expect(row?.base).toEqual({ fico: 720 });
    expect(row?.values).not.toHaveProperty('fico');
  });

  it('proves nothing by an answer older than the row, ever', () => {
    expect(settle({ source: { updatedOn: null } })).toEqual({ kind: 'unproven' });
  });

  it('asks for a second read before an unmoved stamp proves that the source ignored it', () => {
    const unmoved = { source: { fico: 700, updatedOn: OLD } };
    expect(settle({ ...unmoved, isLastRead: false })).toEqual({ kind: 'unproven' });
    expect(settled(unmoved).outcomes).toContain('ignored');
    expect(settle({ source: { updatedOn: OLD }, isLastRead: false })).toMatchObject({ kind: 'settle' });
    const refused = { email: 'no', fico: 'no' };
    expect(settle({ ...unmoved, refused, isLastRead: false })).toMatchObject({ kind: 'settle' });
  });

  it('turns to a conflict of the whole row where the client is gone', () => {
    const { row, records } = settled({ readBack: { found: false } });
    expect(row).toMatchObject({ isDeleted: true, isParked: true, base: { fico: 700 } });
    expect(records).toMatchObject([
      { kind: 'conflict', field: null, local: '{"email":"Ann@x.io","fico":720}' },
    ]);
  });

  it('lets a field go that was discarded meanwhile', () => {
    const intent = { sent: { fico: 720 }, before: { fico: 700 } };
    const row = { values: { fico: 700 }, extra: null, base: {}, isParked: false, isDeleted: false };
    const plan = settle({ intent, row, readBack: { found: true, values: { fico: 720 }, extra: null } });
    expect(plan).toMatchObject({ row: { values: { fico: 720 }, base: {} }, records: [] });
  });
});

describe('openEdits', () => {
  const entry = (field: string | null, value: number, outcome: 'sent' | 'arrived' | 'refused' | 'ignored') =>
    ({ field, value, outcome }) as const;

  it('knows what was sent since the source last confirmed the field', () => {
    const entries = [
      entry('fico', 1, 'sent'),
      entry('fico', 1, 'arrived'),
      entry('fico', 2, 'sent'),
      entry('fico', 3, 'sent'),
    ];
    expect(openEdits(entries)).toEqual({ sent: { fico: [2, 3] }, refused: {} });
  });

  it('knows a dead letter until the field has a further entry, and leaves other fields alone', () => {
    const entries = [
      entry('fico', 1, 'sent'),
      entry('fico', 1, 'refused'),
      entry('fax', 2, 'sent'),
      entry(null, 0, 'sent'),
    ];
    expect(openEdits(entries)).toEqual({ sent: { fax: [2] }, refused: { fico: 1 } });
    expect(openEdits([...entries, entry('fico', 2, 'sent')]).refused).toEqual({});
  });

  it('still counts as sent what the source seemed to ignore: the answer may have been stale', () => {
    const entries = [entry('fico', 1, 'sent'), entry('fico', 1, 'ignored')];
    expect(openEdits(entries)).toEqual({ sent: { fico: [1] }, refused: { fico: 1 } });
  });
});
