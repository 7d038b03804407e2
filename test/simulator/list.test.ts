import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileFilter } from '../../src/simulator/filter/evaluate.ts';
import { createPopulation } from '../../src/simulator/generate.ts';
import { type IdOrder, sortKeyOf } from '../../src/simulator/ids.ts';
import { compareText } from '../../src/simulator/keyIndex.ts';
import { type Found, runList } from '../../src/simulator/list.ts';
import { parseListQuery, type QueryRules, valueTypeOf } from '../../src/simulator/query.ts';
import type { ClientRow } from '../../src/simulator/row.ts';
import { createStore, type Store } from '../../src/simulator/store.ts';

const RULES: QueryRules = {
  typeOfField: valueTypeOf,
  refusesSelect: () => false,
  topMax: null,
  filterNodesMax: 100,
};

function idsOf(store: Store, found: Found): string[] {
  if ('handles' in found) return found.handles.map((handle) => store.id(handle));
  return found.slices.flatMap(({ leaf, from, to }) => leaf.handles.slice(from, to).map((h) => store.id(h)));
}

/** The same by filtering and sorting plain objects. */
function bruteForce(
  rows: readonly ClientRow[],
  idOrder: IdOrder,
  raw: string,
): { ids: string[]; more: boolean } {
  const query = parseListQuery(raw, RULES);
  const uuidKey = (id: string) => sortKeyOf(id, idOrder);
  const read = (name: string) => (row: ClientRow) => (row as Record<string, unknown>)[name];
  const test = query.filter === null ? () => true : compileFilter<ClientRow>(query.filter, { read, uuidKey });
  const keys = [...query.orderby];
  if (!keys.some((key) => key.name === 'id')) {
    keys.push({ name: 'id', descending: keys.at(-1)?.descending ?? false });
  }
  const sorted = rows.filter(test).sort((a, b) => {
    for (const { name, descending } of keys) {
      const value = (row: ClientRow) =>
        ((row as Record<string, unknown>)[name] ?? null) as string | number | null;
      const order =
        name === 'id' ? compareText(uuidKey(a.id), uuidKey(b.id)) : compareNullsFirst(value(a), value(b));
      if (order !== 0) return descending ? -order : order;
    }
    return 0;
  });
  const top = query.top ?? 50;
  return {
    ids: sorted.slice(query.skip, query.skip + top).map((row) => row.id),
    more: sorted.length > query.skip + top,
  };
}

function compareNullsFirst(a: string | number | null, b: string | number | null): number {
  if (a === null || b === null) return Number(a !== null) - Number(b !== null);
  return a < b ? -1 : a > b ? 1 : 0;
}

const UNTIL = Date.UTC(2026, 0, 1);
const SIZE = 60;

/** Stamps that are there, that are not, and ones that tie. */
const stamps = (rows: readonly ClientRow[]) =>
  fc.oneof(
    fc.constantFrom(...rows.flatMap((row) => [row.createdOn, row.updatedOn]).filter((text) => text !== null)),
    fc.constantFrom('2000-01-01T00:00:00Z', '2099-01-01T00:00:00Z'),
  );

const keys = fc.constantFrom('createdOn', 'updatedOn');

const clauses = (rows: readonly ClientRow[]) =>
  fc.oneof(
    fc.tuple(keys, fc.constantFrom('ge', 'gt', 'le', 'lt', 'eq', 'ne'), stamps(rows)).map((p) => p.join(' ')),
    fc.tuple(stamps(rows), fc.constantFrom('ge', 'lt'), keys).map((parts) => parts.join(' ')),
    fc.tuple(keys, fc.constantFrom('eq', 'ne')).map(([key, op]) => `${key} ${op} null`),
    fc.constantFrom(...rows.map((row) => row.id)).map((id) => `id eq ${id}`),
    fc
      .array(fc.constantFrom(...rows.map((row) => row.id)), { minLength: 1, maxLength: 4 })
      .map((ids) => `(${ids.map((id) => `id eq ${id}`).join(' or ')})`),
    fc.constantFrom('isArchived eq false', 'fico ge 600', 'fico eq null', "startswith(firstName,'A')"),
  );

const orders = fc.constantFrom(
  '',
  'id',
  'id desc',
  'createdOn',
  'createdOn,id',
  'createdOn desc',
  'createdOn desc,id desc',
  'createdOn desc,id',
  'updatedOn,id',
  'updatedOn desc,id desc',
  'updatedOn desc,createdOn',
  'fico,createdOn desc',
  'lastName desc,id',
);

describe('runList', () => {
  for (const idOrder of ['text', 'sqlserver'] as const) {
    it(`answers the same as filtering and sorting everything, after any changes, ids in ${idOrder} order`, () => {
      const population = createPopulation(SIZE, 7, UNTIL, { createdTies: 25, updatedTies: 12 });
      const initial = Array.from({ length: SIZE }, (_, n) => population.row(n));
      const change = fc.record({
        n: fc.nat(SIZE + 5),
        row: fc.option(
          fc.record({ updatedOn: fc.option(stamps(initial)), createdOn: fc.option(stamps(initial)) }),
        ),
      });
      const query = fc.record({
        parts: fc.array(clauses(initial), { maxLength: 3 }),
        joint: fc.constantFrom(' and ', ' or '),
        order: orders,
        skip: fc.nat(30),
        top: fc.integer({ min: 0, max: 40 }),
      });
      fc.assert(
        fc.property(
          fc.array(change, { maxLength: 12 }),
          fc.array(query, { minLength: 1, maxLength: 4 }),
          (changes, queries) => {
            const store = createStore(population, idOrder, () => 0);
            const model = new Map(initial.map((row) => [row.id, row]));
            // An index built late must equal one that lived through the changes.
            if (changes.length % 2 === 0) store.index('id').at(0);
            for (const { n, row } of changes) {
              const before = initial[n % SIZE] as ClientRow;
              const id = n < SIZE ? before.id : `ffffffff-0000-4000-8000-00000000000${n - SIZE}`;
              if (row === null) {
                model.delete(id);
                store.put(id, null);
              } else {
                const after = { ...before, id, createdOn: row.createdOn, updatedOn: row.updatedOn };
                model.set(id, after);
                store.put(id, after);
              }
            }
            expect(store.size).toBe(model.size);
            for (const { parts, joint, order, skip, top } of queries) {
              const filter = parts.length > 0 ? `$filter=${encodeURIComponent(parts.join(joint))}&` : '';
              const orderby = order === '' ? '' : `$orderby=${encodeURIComponent(order)}&`;
              const raw = `${filter}${orderby}$skip=${skip}&$top=${top}`;
              const found = runList(store, parseListQuery(raw, RULES), top);
              const got = { ids: idsOf(store, found), more: found.more };
              expect(got, raw).toEqual(bruteForce([...model.values()], idOrder, raw));
            }
          },
        ),
        { numRuns: 150 },
      );
    });
  }

  it('keeps its order over thousands of inserts and removals, leaf splits included', () => {
    const store = createStore(createPopulation(3_000, 3, UNTIL), 'sqlserver', () => 0);
    const index = store.index('createdOn');
    const population = createPopulation(4_000, 99, UNTIL, { createdTies: 2_500 });
    for (let n = 0; n < 4_000; n += 1) store.put(population.id(n), population.row(n));
    for (let n = 0; n < 4_000; n += 3) store.put(population.id(n), null);
    const rows = Array.from(store.handles(), (handle) => store.row(handle));
    const sorted = rows.map((row) => `${row.createdOn} ${sortKeyOf(row.id, 'sqlserver')}`).sort(compareText);
    const walked = Array.from({ length: index.size }, (_, at) => {
      const handle = index.at(at);
      return `${store.stamp(handle, 'createdOn')} ${store.idKey(handle)}`;
    });
    expect(walked).toEqual(sorted);
  });
});

describe('sortKeyOf', () => {
  it('orders uuids as SQL Server does: last group first, the leading groups by their bytes from the right', () => {
    // Each id is larger than the one before it only in the byte that SQL Server looks at next.
    const rising = [
      '00000000-0000-0000-0000-000000000000',
      '01000000-0000-0000-0000-000000000000',
      '00010000-0000-0000-0000-000000000000',
      '00000001-0000-0000-0000-000000000000',
      '00000000-0100-0000-0000-000000000000',
      '00000000-0001-0000-0000-000000000000',
      '00000000-0000-0100-0000-000000000000',
      '00000000-0000-0001-0000-000000000000',
      '00000000-0000-0000-0001-000000000000',
      '00000000-0000-0000-0100-000000000000',
      '00000000-0000-0000-0000-000000000001',
      '00000000-0000-0000-0000-010000000000',
    ];
    const sorted = [...rising]
      .reverse()
      .sort((a, b) => compareText(sortKeyOf(a, 'sqlserver'), sortKeyOf(b, 'sqlserver')));
    expect(sorted).toEqual(rising);
  });
});
