/**
 * Whatever SQL values a user writes into whatever columns: the statement is refused with words that help, or the
 * edit is captured exactly. Never is there a row afterwards that a merge cannot read or a request cannot carry.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FIELDS, type Field } from '../../src/clients/fields.ts';
import { isSameValue, mergeClient, type Values } from '../../src/clients/merge.ts';
import { isRejected, parseRow } from '../../src/clients/record.ts';
import { type EditedRow, readRows } from '../../src/ledger/editedRows.ts';
import { pushBody } from '../../src/push/planPush.ts';
import type { ClientRow } from '../../src/simulator/row.ts';
import { describeBoth } from '../push/warehouses.ts';
import type { World } from '../push/world.ts';
import { differencesBetween } from '../support/mirror.ts';
import { FUZZ_TIMEOUT_MS, fuzzRuns } from './runs.ts';

const EXCLUDED = new Set(['loginToken']);
type Kind = World['kind'];

const quoted = (text: string): string =>
  `'${text.toWellFormed().replaceAll("'", "''").replaceAll('\0', '')}'`;
const text = fc.string({
  unit: fc.constantFrom('a', 'ß', '𝒳', "'", '"', '\\', '\n', '\t', ' ', '0', '%'),
  maxLength: 8,
});
const address = fc.dictionary(
  fc.constantFrom('addressLine1', 'addressLine2', 'city', 'state', 'zipCode'),
  fc.option(text),
);
const number = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(
    5e-324,
    2.2250738585072014e-308,
    1.7976931348623157e308,
    0.1 + 0.2,
    1e15 + 0.3,
    -0,
    2 ** 53 + 2,
  ),
);

/** SQL of a value that mostly fits the field. */
function fitting({ name, type }: Field): fc.Arbitrary<string> {
  if (name === 'email') return fc.emailAddress().map(quoted);
  switch (type) {
    case 'uuid':
      return fc.uuid().map(quoted);
    case 'boolean':
      return fc.constantFrom('TRUE', 'FALSE');
    case 'int32':
      return fc.integer().map(String);
    case 'double':
      return number.map(String);
    case 'json':
      return address.map((value) => quoted(JSON.stringify(value)));
    default:
      return text.map(quoted);
  }
}

/** SQL of anything: other types, ends of ranges, what a driver or a hand may come to write. */
const ODD: Readonly<Record<Kind, readonly string[]>> = {
  sqlite: [
    '9e999',
    '-9e999',
    "x'00ff'",
    "x''",
    'char(0)',
    "'a' || char(0) || 'b'",
    "CAST(x'ff61' AS TEXT)",
    '9223372036854775807',
    '-9223372036854775808',
    "'9223372036854775808'",
    '0.0',
    '-0.0',
    "'1e3'",
    "'0x10'",
    "json('[1]')",
    "jsonb('{}')",
    "'{a:1}'",
    `'{"a":1e999}'`,
    `'{"a":NaN}'`,
    `'{"a":"\\ud800"}'`,
    `'{"a":"\\u0000"}'`,
    `'{"a":1,"a":2}'`,
    `' {"b" : 1 , "a" : [ ] } '`,
    `'{"a":12345678901234567890}'`,
    'random()',
    'zeroblob(3)',
    "upper('3f2504e0-4f89-41d3-9a0c-0305e82c3301')",
    "'{3f2504e0-4f89-41d3-9a0c-0305e82c3301}'",
    "'2024-01-02'",
  ],
  postgres: [
    "'NaN'",
    "'Infinity'",
    "'-Infinity'",
    '1e400',
    '2147483648',
    '1.5',
    "'1e3'",
    "'0x10'",
    "' 7 '",
    "'yes'",
    "'t'",
    "'[1]'",
    `'{"a":1e999}'`,
    `'{"a":"\\ud800"}'`,
    `'{"a":"\\u0000"}'`,
    `'{"a":1,"a":2}'`,
    `'{"a":12345678901234567890}'`,
    `'{"b":1.10,"a":-0.0}'`,
    "'null'",
    'chr(1)',
    "U&'\\D800'",
    "E'\\xff'",
    "'\\x00'::bytea",
    "'{3f2504e04f8941d39a0c0305e82c3301}'",
    "upper('3f2504e0-4f89-41d3-9a0c-0305e82c3301')",
    "'2024-01-02'",
    "'infinity'",
    'now()',
    'random()',
    "'-0'",
    '1e-400',
  ],
};

// Not _revision: in SQLite a statement that forges one above the counter passes for the mirror's own.
const BOOKKEEPING = ['_edits', '_edited_at', '_base', '_parked', '_create', '_deleted_at', '_extra'];

interface Assignment {
  readonly column: string;
  readonly sql: string;
}

function assignment(kind: Kind): fc.Arbitrary<Assignment> {
  const odd = fc.oneof(
    fc.constantFrom('NULL', "''", "' '", '0', '1', '-1', '2', ...ODD[kind]),
    text.map(quoted),
  );
  const ofField = fc
    .constantFrom(...FIELDS)
    .chain((field) =>
      fc
        .oneof({ weight: 3, arbitrary: fitting(field) }, { weight: 2, arbitrary: odd })
        .map((sql) => ({ column: field.column, sql })),
    );
  const ofBookkeeping = fc
    .tuple(fc.constantFrom(...BOOKKEEPING), odd)
    .map(([column, sql]) => ({ column, sql }));
  return fc.oneof({ weight: 30, arbitrary: ofField }, { weight: 1, arbitrary: ofBookkeeping });
}

/** A client as a source may have it, with what is hard to write down exactly. */
const original = fc.record({
  fax: fc.option(text),
  source: fc.option(text),
  totalIncome: fc.option(number.map((value) => value + 0)),
  totalDebtPayments: fc.option(number.map((value) => value + 0)),
  fico: fc.option(fc.integer()),
  firstTimeBuyer: fc.option(fc.boolean()),
  ownerId: fc.option(fc.uuid()),
  contactAddress: fc.option(
    address.map((some) => ({
      addressLine1: null,
      addressLine2: null,
      city: null,
      state: null,
      zipCode: null,
      ...some,
    })),
  ),
}) as fc.Arbitrary<Partial<ClientRow>>;

/** Words by which a person knows what to write instead: the field by name, or whose the column is. */
const HELPFUL: Readonly<Record<Kind, RegExp>> = {
  sqlite: /\bmust\b|is read-only|belong to the mirror|is left out of this mirror|use UPDATE/,
  postgres:
    /\bmust\b|is read-only|belong to the mirror|is left out of this mirror|invalid input syntax|out of range|is of type|null character|invalid byte sequence|Unicode|violates check constraint ".* must be|unsupported Unicode/,
};

/** The row as the merge reads it, once it is sure that a request can carry it and a source could answer it. */
async function readable(world: World, id: string): Promise<EditedRow> {
  const row = (await readRows(world.warehouse, [id])).get(id) as EditedRow;
  const { values } = row.state;
  const all = Object.fromEntries(
    FIELDS.filter(({ writable }) => writable).map(({ name }) => [name, values[name] ?? null]),
  );
  const body = JSON.parse(JSON.stringify(pushBody(all, values))) as Record<string, unknown>;
  const { acceptsNul } = world.warehouse;
  const answered = parseRow(
    { ...body, id, createdOn: null, updatedOn: null },
    { excluded: EXCLUDED, acceptsNul },
  );
  if (isRejected(answered)) throw new Error(`the source could not answer this row: ${answered.reason}`);
  FIELDS.forEach(({ name, writable }, index) => {
    if (!writable || EXCLUDED.has(name)) return;
    const [here, there] = [values[name] ?? null, answered.values[index] ?? null];
    if (!isSameValue(name, here, there))
      throw new Error(`${name} is ${here} here and would be ${there} there`);
  });
  return row;
}

/** Base of each changed field: what the source had, exactly; nothing else is in it. */
function expectCaptured({ state }: EditedRow, before: Values): void {
  for (const { name, writable } of FIELDS) {
    const isChanged = !isSameValue(name, before[name] ?? null, state.values[name] ?? null);
    if (name in state.base) expect({ [name]: state.base[name] }).toEqual({ [name]: before[name] });
    else expect({ name, isChanged }).toEqual({ name, isChanged: false });
    if (!writable) expect(isChanged).toBe(false);
  }
  const merge = mergeClient({
    base: state.base,
    local: state.values,
    remote: before,
    sent: {},
    policy: 'manual',
  });
  const changed = Object.keys(state.base).filter(
    (name) => !isSameValue(name, state.base[name] ?? null, state.values[name] ?? null),
  );
  expect(Object.keys(merge.send).sort()).toEqual(changed.sort());
  expect(merge.conflicts).toEqual([]);
}

async function attempt(world: World, sql: string): Promise<boolean> {
  try {
    await world.sql(sql);
    return true;
  } catch (error) {
    expect((error as Error).message, sql).toMatch(HELPFUL[world.kind]);
    return false;
  }
}

describeBoth('an edit of anything', (begin, kind) => {
  it(
    'is refused with words that help, or captured exactly and carried to the source',
    async () => {
      const world = await begin({ simulator: { clients: 3 }, realTime: true, lookbackSeconds: 0 });
      const { source } = world.simulator;
      const taken = { update: 0, insert: 0 };
      const update = async (client: Partial<ClientRow>, statements: readonly (readonly Assignment[])[]) => {
        const { id } = source.insert(client);
        const { acceptsNul } = world.warehouse;
        const record = parseRow(source.get(id), { excluded: EXCLUDED, acceptsNul });
        if (isRejected(record)) throw new Error(record.reason);
        const at = record.createdOn as NonNullable<typeof record.createdOn>;
        await world.warehouse.commit([
          { kind: 'rows', rows: [record], noted: Number.MAX_SAFE_INTEGER, at, trust: 'list' },
        ]);
        const before = (await readable(world, id)).state.values;
        for (const assignments of statements) {
          const set = [...new Map(assignments.map((one) => [one.column, one])).values()];
          const sql = `UPDATE clients SET ${set.map(({ column, sql }) => `${column} = ${sql}`).join(', ')} WHERE id = '${id}'`;
          if (await attempt(world, sql)) taken.update += 1;
          expectCaptured(await readable(world, id), before);
        }
      };
      const insert = async (assignments: readonly Assignment[]) => {
        const preset = { email: "'new@example.com'", first_name: "'N'", last_name: "'M'" };
        const given = {
          ...preset,
          ...Object.fromEntries(assignments.map(({ column, sql }) => [column, sql])),
        };
        const sql = `INSERT INTO clients (${Object.keys(given).join(', ')}) VALUES (${Object.values(given).join(', ')})`;
        if (!(await attempt(world, sql))) return;
        taken.insert += 1;
        const [made] = await world.sql(
          'SELECT id FROM clients WHERE _create IS NOT NULL ORDER BY _revision DESC, id LIMIT 1',
        );
        for (const { id } of await world.sql('SELECT id FROM clients WHERE _create IS NOT NULL')) {
          expect((await readable(world, String(id))).create).not.toBeNull();
        }
        expect(made).toBeDefined();
        // Of those that wait one is enough: the others would be read again with each.
        if (taken.insert % 5 !== 0) await world.sql('DELETE FROM clients WHERE _create IS NOT NULL');
      };
      const one = assignment(kind);
      await fc.assert(
        fc.asyncProperty(
          original,
          fc.array(fc.array(one, { minLength: 1, maxLength: 2 }), { minLength: 1, maxLength: 3 }),
          update,
        ),
        fuzzRuns(80),
      );
      await fc.assert(fc.asyncProperty(fc.array(one, { minLength: 1, maxLength: 2 }), insert), fuzzRuns(40));
      expect(taken.update).toBeGreaterThan(20);
      expect(taken.insert).toBeGreaterThan(5);

      await world.push(true);
      await world.sync();
      const refused = await world.sql(
        "SELECT client_id FROM mirror_edits WHERE outcome IN ('refused', 'ignored')",
      );
      const isListed = (line: string) => refused.some(({ client_id }) => line.startsWith(String(client_id)));
      const left = await differencesBetween(world.simulator, world.warehouse);
      expect(left.filter((line) => !isListed(line))).toEqual([]);
    },
    FUZZ_TIMEOUT_MS,
  );
});
