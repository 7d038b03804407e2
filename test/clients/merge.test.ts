import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FIELDS, type Field, fieldByName } from '../../src/clients/fields.ts';
import {
  type ConflictPolicy,
  isAlike,
  isSame,
  type MergeInput,
  mergeClient,
  mergedRow,
  type Values,
  valuesOf,
} from '../../src/clients/merge.ts';
import { type FieldValue, isRejected, parseRow } from '../../src/clients/record.ts';

/** Each run merges 19 fields, each on its own: a hundred thousand cases a property. */
const RUNS = 5_300;
const WRITABLE = FIELDS.filter((field) => field.writable);
/** For what is asked a million times: expect() would take seconds. */
function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(`not true: ${what}`);
}
const field = (name: string): Field => fieldByName(name) ?? expect.fail(name);

/** A few values a type, so that equal, alike and foreign ones all meet often; no two of them are alike. */
const SOME: Readonly<Record<Field['type'], readonly FieldValue[]>> = {
  text: ['', 'Ann', 'Bob', 'Ça va'],
  uuid: ['0a000000-0000-0000-0000-000000000001', '0b000000-0000-0000-0000-000000000002'],
  boolean: [true, false],
  int32: [0, 700, -3],
  double: [0, 0.1, 1e300, -12.5],
  json: ['{"city":"Bonn","state":"x"}', '{"city":"Ulm"}', '{}'],
  instant: [],
};
const LIKE: Partial<Record<Field['type'], (value: FieldValue) => FieldValue>> = {
  text: (value) => `  ${String(value).toLowerCase()}`,
  double: (value) => (value as number) * (1 + 3e-15),
  json: (value) => String(value).toLowerCase().replace('{', '{ ').replace(/^{ }$/, '{"state":null}'),
};

interface Triple {
  readonly base: Values;
  readonly local: Values;
  readonly remote: Values;
  readonly sent: Record<string, FieldValue[]>;
}

/** Every writable field on its own way; `base` has the keys that `isDirty` says. */
function tripleOf(arbitrary: (values: fc.Arbitrary<FieldValue>) => fc.Arbitrary<Quad>): fc.Arbitrary<Triple> {
  return fc
    .record(
      Object.fromEntries(
        WRITABLE.map(({ name, type, nullable }) => {
          const values = fc.constantFrom<FieldValue>(...SOME[type], ...(nullable ? [null] : []));
          return [name, arbitrary(values)];
        }),
      ),
    )
    .map((quads) => {
      const dirty = Object.entries(quads).filter(([, quad]) => quad.isDirty);
      return {
        base: Object.fromEntries(dirty.map(([name, quad]) => [name, quad.base])),
        local: Object.fromEntries(Object.entries(quads).map(([name, quad]) => [name, quad.local])),
        remote: Object.fromEntries(Object.entries(quads).map(([name, quad]) => [name, quad.remote])),
        sent: Object.fromEntries(dirty.map(([name, quad]) => [name, [...quad.sent]])),
      };
    });
}
interface Quad {
  readonly isDirty: boolean;
  readonly base: FieldValue;
  readonly local: FieldValue;
  readonly remote: FieldValue;
  readonly sent: readonly FieldValue[];
}

const anything = tripleOf((values) =>
  fc.record({
    isDirty: fc.boolean(),
    base: values,
    local: values,
    remote: values,
    sent: fc.array(values, { maxLength: 2 }),
  }),
);
const policies = fc.constantFrom<ConflictPolicy>('remote', 'local', 'manual');
const merged = (input: MergeInput) =>
  mergedRow({ values: input.local, base: input.base }, mergeClient(input));

describe('mergeClient', () => {
  it('keeps a field that one side alone has changed, whatever the policy', () => {
    const oneSided = tripleOf((values) =>
      fc.record({ base: values, other: values, isLocal: fc.boolean() }).map(({ base, other, isLocal }) => ({
        isDirty: isLocal,
        base,
        local: isLocal ? other : base,
        remote: isLocal ? base : other,
        sent: [],
      })),
    );
    fc.assert(
      fc.property(oneSided, policies, (triple, policy) => {
        const merge = mergeClient({ ...triple, policy });
        const row = merged({ ...triple, policy });
        expect(merge.conflicts).toEqual([]);
        for (const { name } of WRITABLE) {
          const [base, local, remote] = [triple.base[name], triple.local[name], triple.remote[name]];
          if (base === undefined) must(row.values[name] === remote, `${name} is the source's`);
          else {
            must(row.values[name] === local, `${name} is the user's`);
            must(merge.send[name] === (local === remote ? undefined : local), `${name} is sent`);
            must(name in row.base === (local !== remote), `${name} is dirty while it is on its way`);
          }
        }
      }),
      { numRuns: RUNS },
    );
  });

  it('sees no conflict where both sides hold the same', () => {
    const same = tripleOf((values) =>
      fc
        .record({ isDirty: fc.boolean(), base: values, value: values })
        .map(({ isDirty, base, value }) => ({ isDirty, base, local: value, remote: value, sent: [] })),
    );
    fc.assert(
      fc.property(same, policies, (triple, policy) => {
        const merge = mergeClient({ ...triple, policy });
        expect(merge).toMatchObject({ conflicts: [], send: {}, take: {}, rewrites: [] });
        expect(merged({ ...triple, policy }).base).toEqual({});
      }),
      { numRuns: RUNS },
    );
  });

  it('agrees with a model of each field, and loses no value', () => {
    fc.assert(
      fc.property(anything, policies, (triple, policy) => {
        const merge = mergeClient({ ...triple, policy });
        const row = merged({ ...triple, policy });
        for (const { name } of WRITABLE) {
          const [base, local, remote] = [triple.base[name], triple.local[name], triple.remote[name]];
          const conflict = merge.conflicts.find((candidate) => candidate.field === name);
          if (base === undefined || local === undefined || remote === undefined) {
            must(row.values[name] === remote, `${name} is the source's`);
            continue;
          }
          // The user's value is in the row, or at the source, or on record; or there never was an edit.
          const isKept =
            row.values[name] === local || remote === local || conflict?.local === local || local === base;
          must(isKept, `${name} is kept`);
          // A conflict needs two sides: the user's (now, or what was sent and taken back), and the source's.
          if (conflict) {
            const wasSent = (triple.sent[name] ?? []).some((sent) => sent !== base);
            must(remote !== base && local !== remote && (local !== base || wasSent), 'both have changed it');
            must(conflict.base === base && conflict.remote === remote, 'base and remote are on record');
            must(conflict.winner === policy, 'the policy decides');
            must(row.values[name] === (policy === 'remote' ? remote : local), `${name} is the winner's`);
            must(row.base[name] === (policy === 'remote' ? undefined : remote), `${name} is rebased`);
            must(merge.send[name] === (policy === 'local' ? local : undefined), `${name} is sent if it won`);
          }
          // What stays dirty is sent from where the source stands.
          if (name in merge.send) must(row.base[name] === remote, `${name} has the source's value as base`);
        }
      }),
      { numRuns: RUNS },
    );
  });

  it('is idempotent: a second merge with the same answer finds nothing new', () => {
    fc.assert(
      fc.property(anything, policies, (triple, policy) => {
        const first = mergeClient({ ...triple, policy });
        const row = merged({ ...triple, policy });
        // What was sent is settled but where it was taken back: that the source must still hear.
        const open = Object.entries(triple.sent).filter(
          ([name]) => name in first.send && row.values[name] === row.base[name],
        );
        const sent = Object.fromEntries(open);
        const second = mergeClient({ ...triple, base: row.base, local: row.values, sent, policy });
        expect(second).toMatchObject({
          take: {},
          done: [],
          rebase: {},
          conflicts: [],
          rewrites: [],
          arrived: [],
        });
        expect(mergedRow(row, second)).toEqual(row);
        for (const name in first.send) must(second.send[name] === first.send[name], `${name} is sent`);
      }),
      { numRuns: RUNS },
    );
  });

  it('tells the source that an edit was taken back, for an answer without it may be older than what was sent', () => {
    const values = { base: { fax: '1' }, local: { fax: '1' }, remote: { fax: '1' } };
    for (const policy of ['remote', 'local', 'manual'] as const) {
      expect(mergeClient({ ...values, sent: { fax: ['2'] }, policy })).toMatchObject({
        send: { fax: '1' },
        done: [],
      });
      expect(mergeClient({ ...values, sent: {}, policy })).toMatchObject({ send: {}, done: ['fax'] });
    }
  });

  it('knows its own value at the source, however the source wrote it', () => {
    const lost = tripleOf((values) =>
      fc.record({ base: values, sent: values, local: values }).map(({ base, sent, local }) => ({
        isDirty: true,
        base,
        local,
        remote: sent,
        sent: [sent],
      })),
    );
    fc.assert(
      fc.property(lost, policies, (triple, policy) => {
        const remote = Object.fromEntries(
          WRITABLE.map(({ name, type }) => {
            const value = triple.remote[name] ?? null;
            return [name, value === null ? null : (LIKE[type]?.(value) ?? value)];
          }),
        );
        const merge = mergeClient({ ...triple, remote, policy });
        // What was sent is no news where it is the base: then it tells nothing of another value at the source.
        const isNews = (name: string) => triple.sent[name]?.[0] !== triple.base[name];
        expect(merge.conflicts.filter((conflict) => isNews(conflict.field))).toEqual([]);
        const row = merged({ ...triple, remote, policy });
        for (const { name } of WRITABLE) {
          const [base, local] = [triple.base[name] ?? null, triple.local[name] ?? null];
          const sent = triple.sent[name]?.[0] ?? null;
          if (local === sent && sent !== base) {
            must(row.values[name] === remote[name], `${name} is as the source wrote it`);
            must(!(name in row.base), `${name} is clean`);
          } else if (local !== sent && sent !== base) {
            // Edited again since, be it back to the base: the source still has to hear of it.
            must(merge.send[name] === local, `${name} is sent again`);
            must(row.base[name] === remote[name], `${name} is rebased`);
          }
        }
      }),
      { numRuns: RUNS },
    );
  });

  it('takes the spelling of the source without a word where both mean the same', () => {
    const base = { contactAddress: null, ownerId: null };
    const local = {
      contactAddress: '{ "state":"NY", "city":"B" }',
      ownerId: SOME.uuid[0]?.toString().toUpperCase() ?? null,
    };
    const remote = { contactAddress: '{"city":"B","state":"NY"}', ownerId: SOME.uuid[0] ?? null };
    const merge = mergeClient({ base, local, remote, sent: {}, policy: 'remote' });
    expect(merge).toMatchObject({
      done: ['ownerId', 'contactAddress'],
      take: remote,
      rewrites: [],
      conflicts: [],
    });
    expect(mergedRow({ values: local, base }, merge)).toEqual({ values: remote, base: {} });
  });

  it('records what was sent where the source wrote it its own way', () => {
    const values = { base: { email: 'a@x.io' }, local: { email: 'B@x.io' }, remote: { email: 'b@x.io' } };
    const merge = mergeClient({ ...values, sent: { email: ['B@x.io'] }, policy: 'manual' });
    expect(merge.rewrites).toEqual([{ field: 'email', base: 'a@x.io', local: 'B@x.io', remote: 'b@x.io' }]);
    expect(merge.take).toEqual({ email: 'b@x.io' });
  });

  it('tells a null from a field that the answer lacks', () => {
    const row = {
      base: { fax: '1' },
      local: { fax: '1', loginToken: 'kept' },
      sent: {},
      policy: 'remote',
    } as const;
    expect(mergeClient({ ...row, remote: { fax: null } }).take).toEqual({ fax: null });
    expect(mergeClient({ ...row, remote: {} })).toMatchObject({ take: {}, send: {}, done: [] });
  });

  it('sends a null and a null base like any value', () => {
    const values = { base: { fax: '1' }, local: { fax: null }, remote: { fax: '1' } };
    expect(mergeClient({ ...values, sent: {}, policy: 'remote' }).send).toEqual({ fax: null });
    const opposite = { base: { fax: null }, local: { fax: '1' }, remote: { fax: null } };
    expect(mergeClient({ ...opposite, sent: {}, policy: 'remote' }).send).toEqual({ fax: '1' });
  });
});

describe('isAlike', () => {
  it.each([
    ['email', ' Ann@X.io ', 'ann@x.IO', true],
    ['firstName', 'STRASSE', 'straße', true],
    ['firstName', 'Ann', 'Anne', false],
    ['firstName', '', '  ', true],
    ['firstName', '', null, false],
    ['totalIncome', 0.1 + 0.2, 0.3, true],
    ['totalIncome', 100, 100.000001, false],
    ['totalIncome', 0, 1e-300, false],
    ['fico', 700, 701, false],
    ['isArchived', true, false, false],
    ['contactAddress', '{"city":"Bonn","state":null}', '{"city":" bonn"}', true],
    ['contactAddress', '{"city":"Bonn"}', '{"city":"Bonn","state":"x"}', false],
    ['contactAddress', '{"lines":["a","b"]}', '{"lines":["A","b "]}', true],
    ['contactAddress', '{"lines":["a"]}', '{"lines":{"0":"a"}}', false],
    ['contactAddress', '{"city":"Bonn"}', null, false],
    ['contactAddress', 'no JSON', '{}', false],
  ] as const)('compares %s %j with %j: %s', (name, a, b, expected) => {
    expect(isAlike(field(name), a, b)).toBe(expected);
    expect(isAlike(field(name), b, a)).toBe(expected);
  });

  it('is kinder than isSame, which takes case and white space seriously', () => {
    expect(isSame(field('email'), 'A@x.io', 'a@x.io')).toBe(false);
    expect(isSame(field('contactAddress'), '{"a":1, "b":2}', '{"b":2,"a":1}')).toBe(true);
    expect(isSame(field('contactAddress'), '{"a":"X"}', '{"a":"x"}')).toBe(false);
  });
});

describe('valuesOf', () => {
  it('names the values of a record and leaves the excluded ones out', () => {
    const raw = {
      id: '0A000000-0000-0000-0000-000000000001',
      email: 'a@x.io',
      firstName: 'A',
      lastName: 'B',
      isSilenced: false,
      isArchived: false,
      createdOn: '2026-01-01T00:00:00Z',
      contactAddress: { state: 'NY', city: 'B' },
    };
    const excluded = new Set(['loginToken']);
    const row = parseRow(raw, { excluded, acceptsNul: true });
    if (isRejected(row)) expect.fail(row.reason);
    const values = valuesOf(row, excluded);
    expect(values).toMatchObject({
      id: raw.id.toLowerCase(),
      fax: null,
      contactAddress: '{"city":"B","state":"NY"}',
    });
    expect(values).not.toHaveProperty('loginToken');
  });
});
