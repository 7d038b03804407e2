import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FIELDS } from '../../src/clients/fields.ts';
import type { ConflictPolicy, Values } from '../../src/clients/merge.ts';
import type { RowState } from '../../src/push/plan.ts';
import { type PushInput, planPush, pushBody, splitIntent } from '../../src/push/planPush.ts';

const STAMP = '2026-01-02T00:00:00.0000000Z';
const REMOTE: Values = {
  email: 'ann@x.io',
  firstName: 'Ann',
  lastName: 'Lee',
  fax: '1',
  fico: 700,
  contactAddress: '{"city":"Bonn"}',
  updatedOn: STAMP,
};

function rowOf(change: Partial<RowState> = {}): RowState {
  return { values: REMOTE, extra: null, base: {}, isParked: false, isDeleted: false, ...change };
}
/** A row whose fields were edited, against the source's values as base. */
function edited(values: Values, change: Partial<RowState> = {}): RowState {
  const base = Object.fromEntries(Object.keys(values).map((name) => [name, REMOTE[name] ?? null]));
  return rowOf({ values: { ...REMOTE, ...values }, base, ...change });
}
function plan(change: Partial<PushInput>) {
  const result = planPush({
    row: rowOf(),
    remote: { found: true, values: REMOTE, extra: null },
    sent: {},
    held: { refused: {}, disputed: {} },
    policy: 'remote',
    sends: true,
    believed: false,
    ...change,
  });
  if (result.kind === 'older') expect.fail('older');
  return result;
}
const found = (values: Values) => ({ found: true, values: { ...REMOTE, ...values }, extra: null }) as const;

describe('planPush', () => {
  it('sends what the user changed, and the required fields as the source has them now', () => {
    const { body, intent, records } = plan({
      row: edited({ fico: 720 }),
      remote: found({ email: 'new@x.io', lastName: 'Li' }),
    });
    expect(body).toEqual({ email: 'new@x.io', firstName: 'Ann', lastName: 'Li', fico: 720 });
    expect(intent).toEqual({ sent: { fico: 720 }, before: { fico: 700 } });
    expect(records).toEqual([
      { kind: 'edit', field: 'fico', base: 700, value: 720, outcome: 'sent', message: null },
    ]);
  });

  it('never sends a field that the user did not change, besides the required ones', () => {
    const names = FIELDS.filter((field) => field.writable && field.type === 'text').map(({ name }) => name);
    const required = new Set(FIELDS.filter((field) => field.required).map(({ name }) => name));
    const values = fc.record(
      Object.fromEntries(names.map((name) => [name, fc.constantFrom('a', 'b', 'c')])),
    ) as fc.Arbitrary<Record<string, string>>;
    const policies = fc.constantFrom<ConflictPolicy>('remote', 'local', 'manual');
    fc.assert(
      fc.property(
        fc.record({
          base: values,
          local: values,
          remote: values,
          keys: fc.subarray(names),
          policy: policies,
        }),
        ({ base: whole, local, remote, keys, policy }) => {
          const base = Object.fromEntries(keys.map((name) => [name, whole[name] ?? '']));
          const row = rowOf({ values: local, base });
          const { body, intent } = plan({
            row,
            remote: { found: true, values: remote, extra: null },
            policy,
          });
          for (const [name, value] of Object.entries(body ?? {})) {
            const isSent = intent !== null && name in intent.sent;
            if (
              isSent ? value !== local[name] || !keys.includes(name) || local[name] === remote[name] : false
            ) {
              expect.fail(`${name} was sent`);
            }
            if (!isSent && !(required.has(name) && value === remote[name]))
              expect.fail(`${name} in the body`);
          }
          for (const name of required) if (body && !(name in body)) expect.fail(`${name} is missing`);
        },
      ),
      { numRuns: 10_000 },
    );
  });

  it('writes nothing to the row where nothing changed', () => {
    expect(plan({})).toEqual({ kind: 'merge', row: null, intent: null, body: null, records: [] });
    const waiting = edited({ fico: 720 }, { isParked: true });
    const held = { refused: { fico: 720 }, disputed: {} };
    expect(plan({ row: waiting, held })).toMatchObject({ row: null, intent: null, records: [] });
  });

  it('writes the row whenever it sends, so that an older plan of another pusher fails', () => {
    expect(plan({ row: edited({ fico: 720 }) }).row).toMatchObject({ values: {}, base: { fico: 700 } });
  });

  it('concludes nothing from an answer that is older than the row, unless the source is believed', () => {
    const old = { found: true, values: { ...REMOTE, updatedOn: null }, extra: null } as const;
    const input = { row: edited({ fico: 720 }), sent: {}, held: { refused: {}, disputed: {} }, remote: old };
    const settings = { policy: 'remote', sends: true } as const;
    expect(planPush({ ...input, ...settings, believed: false })).toEqual({ kind: 'older' });
    expect(planPush({ ...input, ...settings, believed: true })).toMatchObject({ body: { fico: 720 } });
  });

  it('merges and keeps what it would send where nothing is sent', () => {
    const { row, intent, body } = plan({
      row: edited({ fico: 720 }),
      remote: found({ fax: '2' }),
      sends: false,
    });
    expect({ intent, body }).toEqual({ intent: null, body: null });
    expect(row).toMatchObject({ values: { fax: '2' }, base: { fico: 700 }, isParked: false });
  });

  it('takes what the source changed in other fields, and its unknown fields, with the same commit', () => {
    const remote = { found: true, values: { ...REMOTE, fax: null }, extra: '{"new":1}' } as const;
    expect(plan({ row: edited({ fico: 720 }), remote }).row).toMatchObject({
      values: { fax: null },
      extra: '{"new":1}',
    });
  });

  it('holds a refused value back, parks the row, and frees the field with the next edit of it', () => {
    const held = { refused: { fico: 720 }, disputed: {} };
    const refused = plan({ row: edited({ fico: 720 }), held });
    expect(refused).toMatchObject({ intent: null, row: { isParked: true } });
    const other = plan({ row: edited({ fico: 720, fax: '9' }), held });
    expect(other).toMatchObject({ intent: { sent: { fax: '9' } }, row: { isParked: false } });
    expect(Object.keys(other.body ?? {})).not.toContain('fico');
    expect(plan({ row: edited({ fico: 721 }), held }).intent?.sent).toEqual({ fico: 721 });
  });

  it('does not send a required field that is held: the body has the value of the source', () => {
    const held = { refused: { email: 'bad' }, disputed: {} };
    expect(plan({ row: edited({ email: 'bad', fax: '9' }), held }).body).toMatchObject({ email: 'ann@x.io' });
  });

  it('opens one conflict under manual, waits, and closes it when the field is edited, agreed on or changed', () => {
    const row = edited({ fico: 720 });
    const opened = plan({ row, remote: found({ fico: 650 }), policy: 'manual' });
    expect(opened).toMatchObject({ intent: null, row: { base: { fico: 650 }, isParked: true } });
    expect(opened.records).toContainEqual({
      kind: 'conflict',
      field: 'fico',
      base: 700,
      local: 720,
      remote: 650,
      resolution: null,
      message: null,
    });
    const held = { refused: {}, disputed: { fico: 720 } };
    const waiting = { ...row, base: { fico: 650 }, isParked: true };
    const again = { held, policy: 'manual' } as const;
    expect(plan({ row: waiting, remote: found({ fico: 650 }), ...again })).toMatchObject({
      row: null,
      records: [],
    });
    const closings = [
      [
        plan({
          row: { ...waiting, values: { ...REMOTE, fico: 721 } },
          remote: found({ fico: 650 }),
          ...again,
        }),
        'edited again',
      ],
      [plan({ row: waiting, remote: found({ fico: 720 }), ...again }), 'agreed'],
      [plan({ row: waiting, remote: found({ fico: 640 }), ...again }), 'changed again'],
      [
        plan({
          row: { ...waiting, values: { ...REMOTE, fico: 650 } },
          remote: found({ fico: 650 }),
          ...again,
        }),
        'remote',
      ],
    ] as const;
    for (const [closing, resolution] of closings) {
      expect(closing.records).toContainEqual({ kind: 'closeConflict', field: 'fico', resolution });
    }
  });

  it('sends a winning local value by the commit that records the conflict', () => {
    const { records, intent, row } = plan({
      row: edited({ fico: 720 }),
      remote: found({ fico: 650 }),
      policy: 'local',
    });
    expect(intent).toEqual({ sent: { fico: 720 }, before: { fico: 650 } });
    expect(row?.base).toEqual({ fico: 650 });
    expect(records.map((record) => (record.kind === 'edit' ? record.outcome : record.kind))).toEqual([
      'conflict',
      'conflict',
      'sent',
    ]);
  });

  it('makes a tombstone and one conflict of a row that was edited here and deleted there, once', () => {
    const gone = plan({ row: edited({ fico: 720, fax: '1' }), remote: { found: false } });
    expect(gone).toMatchObject({
      intent: null,
      row: { isDeleted: true, isParked: true, base: { fico: 700 } },
    });
    expect(gone.records).toMatchObject([
      { kind: 'conflict', field: null, base: '{"fico":700}', local: '{"fico":720}', resolution: null },
    ]);
    const dead = edited({ fico: 720 }, { isDeleted: true, isParked: true });
    expect(plan({ row: dead, remote: { found: false } })).toMatchObject({ row: null, records: [] });
    const back = plan({ row: dead });
    expect(back).toMatchObject({ row: { isDeleted: false }, intent: { sent: { fico: 720 } } });
    expect(back.records).toContainEqual({ kind: 'closeConflict', field: null, resolution: 'restored' });
    const unedited = plan({ row: edited({ fax: '1' }), remote: { found: false } });
    expect(unedited).toMatchObject({ row: { isDeleted: true, isParked: false, base: {} } });
    expect(unedited.records).toMatchObject([{ field: 'fax', value: '1', outcome: 'undone' }]);
  });
});

describe('pushBody', () => {
  it('sends json as an object and null as null', () => {
    expect(pushBody({ contactAddress: '{"city":"Ulm"}', fax: null }, REMOTE)).toMatchObject({
      contactAddress: { city: 'Ulm' },
      fax: null,
    });
    expect(pushBody({ contactAddress: null }, REMOTE)).toMatchObject({ contactAddress: null });
  });

  it('does not undo, field by field, a required one that was accepted just before', () => {
    const intent = { sent: { email: 'new@x.io', fico: 1 }, before: { email: 'ann@x.io', fico: 700 } };
    const [first, second] = splitIntent(intent);
    expect(first).toEqual({ sent: { email: 'new@x.io' }, before: { email: 'ann@x.io' } });
    const source = { ...REMOTE, ...first?.sent };
    expect(pushBody(second?.sent ?? {}, source)).toMatchObject({ email: 'new@x.io', fico: 1 });
  });
});
