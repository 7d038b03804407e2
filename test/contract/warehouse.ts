/**
 * THE contract of a warehouse: what the port promises and what the triggers do for a user, once for both
 * databases. A driver's test file calls `describeWarehouse` with what makes one of its kind. SQL of users is
 * written so that both databases take it.
 */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EMAIL_PATTERN, FIELDS } from '../../src/clients/fields.ts';
import type { Instant } from '../../src/clients/instant.ts';
import { type ClientRecord, isRejected, parseRow, type RejectedRow } from '../../src/clients/record.ts';
import { NEXT_REVISION, ownDelete } from '../../src/warehouse/dialect.ts';
import {
  isRowsResult,
  type RowsResult,
  type SqlValue,
  statement,
  type Warehouse,
  type Write,
} from '../../src/warehouse/warehouse.ts';

export interface UserConnection {
  /** One statement, as a user types it; rows of a SELECT or RETURNING. Rejects with the database's own error. */
  run(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  close(): Promise<void>;
}

/** One database of its own, thrown away afterwards. */
export interface TestWarehouse {
  /** Opens it, once more each time. The test closes what it opened. `now` moves its clock. */
  open(options?: { readonly holder?: string; readonly now?: () => number }): Promise<Warehouse>;
  userConnection(): Promise<UserConnection>;
  dispose(): Promise<void>;
}

export type MakeWarehouse = () => Promise<TestWarehouse>;

type Row = Readonly<Record<string, SqlValue>>;

const AT = '2026-03-01T12:00:00.0000000Z' as Instant;
const LATER = '2026-03-01T13:00:00.0000000Z' as Instant;
const DAY1 = '2026-01-01T00:00:00.0000001Z';
const DAY2 = '2026-01-02T00:00:00.0000002Z';
const DAY3 = '2026-01-03T00:00:00.0000003Z';
const A_MINUTE_MS = 60_000;

/** A client as the API sends it. */
export function apiClient(overrides: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    id: randomUUID(),
    externalId: null,
    source: 'web',
    ownerId: '11111111-2222-4333-8444-555555555555',
    referredById: null,
    email: 'ann@example.com',
    homePhone: '555-0100',
    workPhone: null,
    mobilePhone: null,
    fax: null,
    isSilenced: false,
    isArchived: true,
    createdOn: '2025-12-01T08:30:00.1234567Z',
    updatedOn: DAY1,
    fico: 700,
    totalIncome: 50_000.25,
    totalDebtPayments: null,
    firstTimeBuyer: true,
    loginToken: null,
    firstName: 'Ann',
    lastName: 'Lee',
    contactAddress: { addressLine1: '1 Main St', city: 'Springfield', state: 'IL', zipCode: '62701' },
    ...overrides,
  };
}

/** The same as a record; fails the test when the parser refuses it. */
export function client(overrides: Readonly<Record<string, unknown>> = {}): ClientRecord {
  const row = parseRow(apiClient(overrides), { excluded: new Set(), acceptsNul: false });
  if (isRejected(row)) throw new Error(row.reason);
  return row;
}

function rejected(raw: Readonly<Record<string, unknown>>): RejectedRow {
  const row = parseRow(raw, { excluded: new Set(), acceptsNul: false });
  if (!isRejected(row)) throw new Error('the row is good');
  return row;
}

export function rowsWrite(
  rows: readonly ClientRecord[],
  options: { noted?: number; trust?: 'list' | 'believed'; at?: Instant } = {},
): Write {
  const { noted = Number.MAX_SAFE_INTEGER, trust = 'list', at = AT } = options;
  return { kind: 'rows', rows, noted, at, trust };
}

const ONE: RowsResult = { inserted: 0, updated: 0, unchanged: 0, deferred: 0 };

/** `users`: only what a user's SQL meets, for a second kind of user's connection. */
export type ContractPart = 'all' | 'users';

export function describeWarehouse(name: string, make: MakeWarehouse, part: ContractPart = 'all'): void {
  const describePort = describe.skipIf(part === 'users');
  describe(`warehouse on ${name}`, () => {
    let test: TestWarehouse;
    let warehouse: Warehouse;
    let user: UserConnection;
    let nowMs = 0;

    beforeEach(async () => {
      nowMs = Date.UTC(2026, 2, 1, 12);
      test = await make();
      warehouse = await test.open({ now: () => nowMs });
      user = await test.userConnection();
    });
    afterEach(async () => {
      await user.close();
      await warehouse.close();
      await test.dispose();
    });

    const read = (sql: string, ...params: SqlValue[]): Promise<readonly Row[]> =>
      warehouse.read({ sql, params });

    async function take(
      rows: readonly ClientRecord[],
      options: Parameters<typeof rowsWrite>[1] = {},
    ): Promise<RowsResult> {
      const [result] = await warehouse.commit([rowsWrite(rows, options)]);
      if (result === undefined || !isRowsResult(result)) throw new Error('no result of rows');
      return result;
    }

    async function bookkeeping(id: string): Promise<Row> {
      const [row] = await read(
        'SELECT _revision, _edits, _edited_at, _base, _parked, _create, _deleted_at, _extra FROM clients WHERE id = ?',
        id,
      );
      if (row === undefined) throw new Error(`no client ${id}`);
      return row;
    }

    /** `_base` parsed, or null. */
    async function baseOf(id: string): Promise<unknown> {
      const { _base } = await bookkeeping(id);
      return _base === null ? null : JSON.parse(String(_base));
    }

    /** A client's values, canonical, in the order of FIELDS. */
    async function valuesOf(id: string): Promise<unknown[]> {
      const [row] = await read('SELECT * FROM clients WHERE id = ?', id);
      const [stamps] = await read('SELECT created_on, updated_on FROM mirror_stamps WHERE id = ?', id);
      return FIELDS.map((field) => {
        const value = (field.type === 'instant' ? stamps : row)?.[field.column] ?? null;
        if (value === null) return null;
        if (field.type === 'boolean') return Boolean(value);
        if (field.type === 'json') return JSON.parse(String(value));
        return value;
      });
    }

    function expected(record: ClientRecord): unknown[] {
      return record.values.map((value, index) =>
        FIELDS[index]?.type === 'json' && value !== null ? JSON.parse(String(value)) : value,
      );
    }

    async function setting(key: string, value: string): Promise<void> {
      const sql = `INSERT INTO mirror_settings (name, value) VALUES (?, ?)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value`;
      await warehouse.commit([statement(sql, [key, value])]);
    }

    async function refetch(): Promise<readonly Row[]> {
      return read('SELECT id, reason, listed_at, due_at, listings, seen, seen_at FROM mirror_refetch');
    }

    async function one(overrides: Readonly<Record<string, unknown>> = {}): Promise<ClientRecord> {
      const row = client(overrides);
      await take([row]);
      return row;
    }

    const idOf = async (): Promise<string> => String((await read('SELECT id FROM clients'))[0]?.id);

    describePort('rows', () => {
      it('keeps every value of every type exactly', async () => {
        const rows = [
          client(),
          client({ createdOn: '0001-01-01T00:00:00.0000000Z', updatedOn: '9999-12-31T23:59:59.9999999Z' }),
          client({ updatedOn: null, externalId: 'x', ownerId: null, email: 'ZOË@EXAMPLE', source: '' }),
          client({ fico: 2 ** 31 - 1, totalIncome: 0.1 + 0.2, totalDebtPayments: Number.MAX_VALUE }),
          client({ fico: -(2 ** 31), totalIncome: 5e-324, totalDebtPayments: -123_456_789.123_456_78 }),
          client({ totalIncome: -0, totalDebtPayments: 1e21, fico: 0 }),
          client({ firstName: 'O\'Neil \\ "q" \n\t', lastName: '日本 🎉 \u200d', fax: '\u007f\u0001' }),
          client({ contactAddress: { b: [1, null, { ü: '🎉' }], a: 1.5e-7, z: true } }),
          client({ contactAddress: null, firstTimeBuyer: null, isArchived: false, isSilenced: true }),
          client({ createdOn: null, unknownField: { deep: [1, 'é'] }, another: null }),
        ];
        expect(await take(rows)).toEqual({ ...ONE, inserted: rows.length });
        for (const row of rows) expect(await valuesOf(row.id)).toEqual(expected(row));
        const extra = (await bookkeeping(rows[9]?.id ?? ''))._extra;
        expect(JSON.parse(String(extra))).toEqual({ another: null, unknownField: { deep: [1, 'é'] } });
        expect((await bookkeeping(rows[0]?.id ?? ''))._extra).toBeNull();
        expect(await take(rows)).toEqual({ ...ONE, unchanged: rows.length });
      });

      it('keeps any double and any text exactly', async () => {
        const id = randomUUID();
        let second = 0;
        const text = fc.string({ unit: 'binary', maxLength: 20 }).map((value) => value.replaceAll('\0', ''));
        await fc.assert(
          fc.asyncProperty(fc.double({ noNaN: true, noDefaultInfinity: true }), text, async (total, last) => {
            second += 1;
            const updatedOn = `2026-01-01T00:${String(Math.floor(second / 60)).padStart(2, '0')}:${String(second % 60).padStart(2, '0')}Z`;
            const row = client({ id, totalIncome: total, lastName: last, updatedOn });
            await take([row]);
            expect(await valuesOf(id)).toEqual(expected(row));
          }),
          { numRuns: 100 },
        );
      });

      it('raises _revision with each write and writes nothing for a row that is the same', async () => {
        const row = await one();
        const first = Number((await bookkeeping(row.id))._revision);
        expect(first).toBeGreaterThanOrEqual(1);
        expect(await take([row])).toEqual({ ...ONE, unchanged: 1 });
        expect((await bookkeeping(row.id))._revision).toBe(first);
        const newer = client({ id: row.id, email: 'new@example.com', updatedOn: DAY2 });
        expect(await take([newer])).toEqual({ ...ONE, updated: 1 });
        expect(Number((await bookkeeping(row.id))._revision)).toBeGreaterThan(first);
        expect(await valuesOf(row.id)).toEqual(expected(newer));
        expect(await warehouse.revision()).toBeGreaterThanOrEqual(
          Number((await bookkeeping(row.id))._revision),
        );
      });

      it('does not take what it writes itself for an edit', async () => {
        const row = await one();
        await take([client({ id: row.id, updatedOn: DAY2, fico: 1 })]);
        expect(await bookkeeping(row.id)).toMatchObject({ _base: null, _create: null, _edits: 0 });
        expect(await refetch()).toEqual([]);
      });

      it('collapses several versions of a client in one answer to the newest', async () => {
        const id = randomUUID();
        const versions = [
          client({ id, updatedOn: DAY1, fico: 1 }),
          client({ id, updatedOn: DAY3, fico: 3 }),
          client({ id, updatedOn: null, fico: 0 }),
          client({ id, updatedOn: DAY2, fico: 2 }),
        ];
        const result = await take(versions);
        expect(result.inserted).toBe(1);
        expect(result.inserted + result.updated + result.unchanged + result.deferred).toBe(4);
        expect(await valuesOf(id)).toEqual(expected(versions[1] as ClientRecord));
      });

      it('never takes an older stamp from a list, but lists the id', async () => {
        const row = await one({ updatedOn: DAY2 });
        for (const updatedOn of [DAY1, null]) {
          expect(await take([client({ id: row.id, updatedOn, fico: 1 })])).toEqual({ ...ONE, deferred: 1 });
        }
        expect(await valuesOf(row.id)).toEqual(expected(row));
        expect(await refetch()).toMatchObject([{ id: row.id, reason: 'older', listed_at: AT, due_at: AT }]);
      });

      it('takes an older stamp that a read by id has confirmed', async () => {
        const row = await one({ updatedOn: DAY2 });
        const older = client({ id: row.id, updatedOn: null, fico: 1 });
        expect(await take([older], { trust: 'believed' })).toEqual({ ...ONE, updated: 1 });
        expect(await valuesOf(row.id)).toEqual(expected(older));
      });

      it('takes a null stamp as the oldest', async () => {
        const row = await one({ updatedOn: null });
        const newer = client({ id: row.id, updatedOn: '0001-01-01T00:00:00Z', fico: 1 });
        expect(await take([newer])).toEqual({ ...ONE, updated: 1 });
      });

      it('tells stamps apart that differ by a tick', async () => {
        const row = await one({ updatedOn: '2026-01-01T00:00:00.0000008Z' });
        const older = client({ id: row.id, updatedOn: '2026-01-01T00:00:00.0000007Z', fico: 1 });
        expect(await take([older])).toEqual({ ...ONE, deferred: 1 });
        const newer = client({ id: row.id, updatedOn: '2026-01-01T00:00:00.0000009Z', fico: 1 });
        expect(await take([newer])).toEqual({ ...ONE, updated: 1 });
      });

      it('with equal stamps takes an answer only if the row was not written since the request', async () => {
        const row = client();
        const before = await warehouse.revision();
        await take([row]);
        const other = client({ id: row.id, fico: 1 });
        expect(await take([other], { noted: before })).toEqual({ ...ONE, deferred: 1 });
        expect(await refetch()).toMatchObject([{ id: row.id, reason: 'raced' }]);
        expect(await valuesOf(row.id)).toEqual(expected(row));
        expect(await take([other], { noted: await warehouse.revision() })).toEqual({ ...ONE, updated: 1 });
        expect(await valuesOf(row.id)).toEqual(expected(other));
      });

      it('sees a change of the unknown fields alone', async () => {
        const row = await one({ extra: 1 });
        expect(await take([client({ id: row.id, extra: 2 })])).toEqual({ ...ONE, updated: 1 });
        expect(await take([client({ id: row.id })])).toEqual({ ...ONE, updated: 1 });
        expect((await bookkeeping(row.id))._extra).toBeNull();
      });

      it('brings a tombstoned client back to life, unless the tombstone is younger than the request', async () => {
        const row = await one();
        const before = await warehouse.revision();
        await warehouse.commit([{ kind: 'tombstone', ids: [row.id], noted: before, at: AT }]);
        expect(await take([row], { noted: before })).toEqual({ ...ONE, deferred: 1 });
        expect((await bookkeeping(row.id))._deleted_at).toBe(AT);
        expect(await take([row], { noted: await warehouse.revision() })).toEqual({ ...ONE, updated: 1 });
        expect((await bookkeeping(row.id))._deleted_at).toBeNull();
      });

      it('lists a dirty row and leaves it alone', async () => {
        const row = await one();
        await user.run(`UPDATE clients SET email = 'mine@example.com' WHERE id = '${row.id}'`);
        const before = await valuesOf(row.id);
        expect(await take([client({ id: row.id, updatedOn: DAY3, email: 'theirs@example.com' })])).toEqual({
          ...ONE,
          deferred: 1,
        });
        expect(await valuesOf(row.id)).toEqual(before);
        expect(await baseOf(row.id)).toEqual({ email: 'ann@example.com' });
        expect(await refetch()).toMatchObject([{ id: row.id, reason: 'dirty' }]);
      });

      it('does not insert a client that was deleted here', async () => {
        await setting('push_deletes', 'true');
        const row = await one();
        await user.run(`DELETE FROM clients WHERE id = '${row.id}'`);
        const result = await take([client({ id: row.id, updatedOn: DAY3 })]);
        expect(result.inserted + result.updated).toBe(0);
        expect(await read('SELECT id FROM clients')).toEqual([]);
      });

      describe.each(['new clients', 'newer versions'])('behind a page of nothing but %s', (what) => {
        /** Such a page. */
        async function guessed(): Promise<void> {
          const known = await one();
          await take([what === 'new clients' ? client() : client({ id: known.id, updatedOn: DAY3 })]);
        }

        it('takes each row for what it is', async () => {
          const [same, older, dirty, differs, restored, newer] = [
            client(),
            client({ updatedOn: DAY2 }),
            client(),
            client(),
            client(),
            client(),
          ];
          await take([same, older, dirty, differs, restored, newer]);
          await user.run(`UPDATE clients SET fax = '1' WHERE id = '${dirty.id}'`);
          await warehouse.commit([{ kind: 'tombstone', ids: [restored.id], noted: 999, at: AT }]);
          await guessed();
          const page = [
            client({ createdOn: '2024-01-01T00:00:00Z' }),
            same,
            client({ id: older.id }),
            client({ id: dirty.id, updatedOn: DAY2 }),
            client({ id: differs.id, fico: 1 }),
            client({ id: restored.id, updatedOn: DAY2 }),
            client({ id: newer.id, updatedOn: DAY2, fico: 2, firstName: 'Zoë' }),
          ];
          expect(await take(page)).toEqual({ inserted: 1, updated: 3, unchanged: 1, deferred: 2 });
          for (const index of [0, 1, 4, 5, 6]) {
            const row = page[index] as ClientRecord;
            expect(await valuesOf(row.id)).toEqual(expected(row));
            expect((await bookkeeping(row.id))._deleted_at).toBeNull();
          }
          expect(await valuesOf(older.id)).toEqual(expected(older));
          expect(await baseOf(dirty.id)).toEqual({ fax: null });
          expect((await refetch()).map(({ id, reason }) => [id, reason]).sort()).toEqual(
            [
              [older.id, 'older'],
              [dirty.id, 'dirty'],
            ].sort(),
          );
        });

        it('finds a client that is known, but not by its time of creation', async () => {
          const undated = await one({ createdOn: null });
          await guessed();
          const dated = client({ id: undated.id, createdOn: '2024-02-01T00:00:00Z', updatedOn: DAY2 });
          const fresh = client({ createdOn: '2024-02-01T00:00:00Z' });
          expect(await take([fresh, dated])).toEqual({ ...ONE, inserted: 1, updated: 1 });
          expect(await valuesOf(dated.id)).toEqual(expected(dated));
        });
      });

      it('lists, and does not insert, a client whose externalId belongs to a pending create', async () => {
        await take([client()]);
        await user.run(
          "INSERT INTO clients (email, first_name, last_name, external_id) VALUES ('b@example.com', 'B', 'C', 'Crm-7')",
        );
        const mine = client({ externalId: ' crm-7' });
        const stranger = client({ externalId: 'crm-8' });
        expect(await take([mine, stranger])).toEqual({ ...ONE, inserted: 1, deferred: 1 });
        expect(await refetch()).toMatchObject([{ id: mine.id, reason: 'creating' }]);
        expect(await read('SELECT id FROM clients WHERE id = ?', mine.id)).toEqual([]);
      });

      it('listing an id again keeps what was learnt of it and brings it forward', async () => {
        const row = await one({ updatedOn: DAY2 });
        const older = client({ id: row.id, updatedOn: DAY1 });
        await take([older], { at: LATER });
        await warehouse.commit([
          statement("UPDATE mirror_refetch SET reason = 'drifted', seen = 's', seen_at = ?, due_at = ?", [
            LATER,
            DAY3,
          ]),
        ]);
        await take([older], { at: LATER });
        const kept = { reason: 'drifted', listed_at: LATER, seen: 's', seen_at: LATER };
        expect(await refetch()).toMatchObject([{ ...kept, due_at: DAY3, listings: 2 }]);
        await warehouse.commit([statement("UPDATE mirror_refetch SET due_at = '9999'")]);
        await take([older], { at: AT });
        expect(await refetch()).toMatchObject([{ ...kept, due_at: AT, listings: 3 }]);
      });

      it('lands a page of any size', async () => {
        expect(await take([])).toEqual(ONE);
        const rows = Array.from({ length: 1234 }, (_, index) => client({ fico: index }));
        expect(await take(rows)).toEqual({ ...ONE, inserted: 1234 });
        const mixed = rows.map((row, index) =>
          index % 3 === 0 ? client({ id: row.id, updatedOn: DAY2, fico: -index }) : row,
        );
        expect(await take([...mixed, client()])).toEqual({
          ...ONE,
          inserted: 1,
          updated: 412,
          unchanged: 822,
        });
      });

      it('holds only newest versions after any order of answers', async () => {
        const ids = [randomUUID(), randomUUID(), randomUUID()];
        const answer = fc.array(fc.record({ who: fc.nat(2), stamp: fc.nat(5) }), { maxLength: 6 });
        let base = 0;
        await fc.assert(
          fc.asyncProperty(fc.array(answer, { maxLength: 6 }), async (answers) => {
            base += 10;
            const newest = new Map<string, number>();
            for (const rows of answers) {
              await take(
                rows.map(({ who, stamp }) => {
                  const at = base + stamp;
                  const id = ids[who] as string;
                  newest.set(id, Math.max(newest.get(id) ?? 0, at));
                  return client({
                    id,
                    fico: at,
                    updatedOn: `2026-01-01T00:00:00.${String(at).padStart(7, '0')}Z`,
                  });
                }),
              );
            }
            for (const [id, at] of newest) {
              expect((await read('SELECT fico FROM clients WHERE id = ?', id))[0]?.fico).toBe(at);
            }
          }),
          { numRuns: 25 },
        );
      });
    });

    describePort('commit', () => {
      const note = (key: string): Write =>
        statement('INSERT INTO mirror_settings (name, value) VALUES (?, ?)', [key, '1']);

      it('answers each write in order, with rows and counts', async () => {
        const results = await warehouse.commit([
          note('a'),
          note('b'),
          statement('SELECT name FROM mirror_settings ORDER BY name'),
          statement("UPDATE mirror_settings SET value = '2' RETURNING name"),
          statement("DELETE FROM mirror_settings WHERE name = 'nobody'"),
          rowsWrite([client()]),
        ]);
        expect(results[0]).toEqual({ rows: [], count: 1 });
        expect(results[2]).toEqual({ rows: [{ name: 'a' }, { name: 'b' }], count: 2 });
        expect(results[3]).toMatchObject({ count: 2 });
        expect(results[4]).toEqual({ rows: [], count: 0 });
        expect(results[5]).toEqual({ ...ONE, inserted: 1 });
        expect(await warehouse.commit([])).toEqual([]);
      });

      it('does what comes behind rows behind them', async () => {
        const row = await one({ updatedOn: DAY2 });
        await take([client({ id: row.id, updatedOn: DAY1 })]);
        const [, settled, listed] = await warehouse.commit([
          rowsWrite([client({ id: row.id, updatedOn: DAY1 })]),
          statement('DELETE FROM mirror_refetch WHERE listings = 1'),
          statement('SELECT listings FROM mirror_refetch'),
        ]);
        expect(settled).toMatchObject({ count: 0 });
        expect(listed).toMatchObject({ rows: [{ listings: 2 }] });
      });

      it('writes all or nothing', async () => {
        await expect(
          warehouse.commit([rowsWrite([client()]), note('a'), statement('INSERT INTO nowhere VALUES (1)')]),
        ).rejects.toMatchObject({ name: 'SyncError', code: 'WAREHOUSE_FAILED' });
        expect(await read('SELECT id FROM clients')).toEqual([]);
        expect(await read('SELECT name FROM mirror_settings')).toEqual([]);
      });

      it('rolls back where a statement did not do what it was expected to do', async () => {
        await expect(
          warehouse.commit([note('a'), statement("DELETE FROM mirror_settings WHERE name = 'b'", [], 1)]),
        ).rejects.toMatchObject({ code: 'EXPECTATION' });
        await expect(
          warehouse.commit([note('a'), statement('SELECT name FROM mirror_settings', [], 2)]),
        ).rejects.toMatchObject({ code: 'EXPECTATION' });
        expect(await read('SELECT name FROM mirror_settings')).toEqual([]);
        await warehouse.commit([note('a'), statement('SELECT name FROM mirror_settings', [], 1)]);
      });

      it('keeps whole numbers whole and stamps in milliseconds exact', async () => {
        const ms = 1_772_366_400_123;
        await warehouse.commit([
          statement('INSERT INTO mirror_windows (backfill_id, lane, seen, rows) VALUES (?, ?, ?, ?)', [
            7,
            'values',
            ms,
            10_000_000_000,
          ]),
          statement('INSERT INTO mirror_settings (name, value) VALUES (?, ?)', ['t', 5]),
        ]);
        expect(await read('SELECT backfill_id, seen, rows, key, done FROM mirror_windows')).toEqual([
          { backfill_id: 7, seen: ms, rows: 10_000_000_000, key: null, done: 0 },
        ]);
        // A driver that binds every number as a real would keep '5.0' in a column of text.
        expect(await read('SELECT value FROM mirror_settings')).toEqual([{ value: '5' }]);
      });

      it('runs many commits side by side without losing one', async () => {
        const pages = Array.from({ length: 12 }, () => Array.from({ length: 20 }, () => client()));
        await Promise.all(pages.map((rows) => warehouse.commit([rowsWrite(rows)])));
        expect(await read('SELECT count(*) AS count FROM clients')).toEqual([{ count: 240 }]);
      });

      it('lets a second process write to the same warehouse', async () => {
        const other = await test.open();
        const shared = client();
        await Promise.all([
          take([shared, client()]),
          other.commit([rowsWrite([client({ id: shared.id, updatedOn: DAY2 }), client()])]),
        ]);
        expect(await read('SELECT count(*) AS count FROM clients')).toEqual([{ count: 3 }]);
        await other.close();
      });

      it('takes a statement of its own on clients for its own', async () => {
        const row = await one({ loginToken: 'secret' });
        const noted = await warehouse.revision();
        await warehouse.commit([
          statement(`UPDATE clients SET login_token = NULL, _revision = ${NEXT_REVISION}`, [], 1),
        ]);
        expect(await bookkeeping(row.id)).toMatchObject({ _base: null, _edits: 0 });
        expect(Number((await bookkeeping(row.id))._revision)).toBeGreaterThan(noted);
        expect(await warehouse.revision()).toBeGreaterThan(noted);
      });

      it('deletes rows for itself, whatever the settings say', async () => {
        const [row, other] = [await one(), await one()];
        await setting('push', 'false');
        const results = await warehouse.commit(ownDelete('id = ?', [row.id]));
        expect(results[1]).toMatchObject({ count: 1 });
        expect(await read('SELECT id FROM clients')).toEqual([{ id: other.id }]);
        expect(await read('SELECT id FROM mirror_deletes')).toEqual([]);
      });
    });

    describePort('tombstone', () => {
      it('marks a client as deleted, once, and hides it from clients_live', async () => {
        const [row, other] = [await one(), await one()];
        const noted = await warehouse.revision();
        const write: Write = { kind: 'tombstone', ids: [row.id, randomUUID()], noted, at: AT };
        expect(await warehouse.commit([write])).toMatchObject([{ count: 1 }]);
        expect(await warehouse.commit([{ ...write, at: LATER, noted: noted + 100 }])).toMatchObject([
          { count: 0 },
        ]);
        expect((await bookkeeping(row.id))._deleted_at).toBe(AT);
        expect(await valuesOf(row.id)).toEqual(expected(row));
        expect(await read('SELECT id FROM clients_live')).toEqual([{ id: other.id }]);
      });

      it('leaves an edited row alone, and one written since the proof was asked for', async () => {
        const noted = await warehouse.revision();
        const fresh = await one();
        expect(await warehouse.commit([{ kind: 'tombstone', ids: [fresh.id], noted, at: AT }])).toMatchObject(
          [{ count: 0 }],
        );
        await user.run(`UPDATE clients SET fico = 1 WHERE id = '${fresh.id}'`);
        const now = (await warehouse.revision()) + 100;
        expect(
          await warehouse.commit([{ kind: 'tombstone', ids: [fresh.id], noted: now, at: AT }]),
        ).toMatchObject([{ count: 0 }]);
        expect(await baseOf(fresh.id)).toEqual({ fico: 700 });
      });
    });

    describePort('quarantine', () => {
      const bad = (overrides: Readonly<Record<string, unknown>>): RejectedRow =>
        rejected(apiClient({ fico: 'high', ...overrides }));

      it('keeps a bad row with its reason, counts what is new or changed, and keeps the first time', async () => {
        const row = bad({});
        const noId = rejected(apiClient({ id: undefined }));
        const write = (rows: readonly RejectedRow[], at = AT): Write => ({ kind: 'quarantine', rows, at });
        expect(await warehouse.commit([write([row, noId])])).toMatchObject([{ count: 2 }]);
        expect(await warehouse.commit([write([row, noId], LATER)])).toMatchObject([{ count: 0 }]);
        const held = await read(
          'SELECT client_id, reason, raw, at FROM mirror_quarantine WHERE id = ?',
          row.id,
        );
        expect(held).toEqual([{ client_id: row.id, reason: row.reason, raw: row.raw, at: AT }]);
        const [nameless] = await read('SELECT id, raw FROM mirror_quarantine WHERE client_id IS NULL');
        expect(nameless?.raw).toBe(noId.raw);
        expect(nameless?.id).toMatch(/^[0-9a-f]{64}$/);
        const changed = bad({ id: row.id, fico: 'low' });
        expect(await warehouse.commit([write([changed], LATER)])).toMatchObject([{ count: 1 }]);
        expect(await read('SELECT at FROM mirror_quarantine WHERE id = ?', row.id)).toEqual([{ at: LATER }]);
      });

      it('lets a row out when a good version as new as it arrives, not for an older one', async () => {
        const id = randomUUID();
        await warehouse.commit([{ kind: 'quarantine', rows: [bad({ id, updatedOn: DAY2 })], at: AT }]);
        await take([client({ id, updatedOn: DAY1 })]);
        expect(await read('SELECT id FROM mirror_quarantine')).toEqual([{ id }]);
        await take([client({ id, updatedOn: DAY2 })]);
        expect(await read('SELECT id FROM mirror_quarantine')).toEqual([]);
      });

      it('keeps the newer version that comes together with a good one', async () => {
        const id = randomUUID();
        const newer = bad({ id, updatedOn: DAY3 });
        await warehouse.commit([{ kind: 'quarantine', rows: [bad({ id, updatedOn: DAY1 })], at: AT }]);
        await warehouse.commit([
          rowsWrite([client({ id, updatedOn: DAY2 })]),
          { kind: 'quarantine', rows: [newer], at: LATER },
        ]);
        expect(await read('SELECT id, raw FROM mirror_quarantine')).toEqual([{ id, raw: newer.raw }]);
      });

      it('lets a row out of quarantine also when the good version is what the mirror has', async () => {
        const row = await one({ updatedOn: DAY2 });
        await warehouse.commit([
          { kind: 'quarantine', rows: [bad({ id: row.id, updatedOn: DAY1 })], at: AT },
        ]);
        expect(await take([row])).toEqual({ ...ONE, unchanged: 1 });
        expect(await read('SELECT id FROM mirror_quarantine')).toEqual([]);
      });
    });

    describePort('leases', () => {
      it('gives a name to one holder at a time', async () => {
        const other = await test.open({ holder: 'other', now: () => nowMs });
        const lease = await warehouse.acquireLease('pull', A_MINUTE_MS);
        expect(lease).toMatchObject({ name: 'pull', fence: 1 });
        expect(await other.acquireLease('pull', A_MINUTE_MS)).toBeNull();
        expect(await warehouse.acquireLease('pull', A_MINUTE_MS)).toBeNull();
        expect(await other.acquireLease('reconcile', A_MINUTE_MS)).not.toBeNull();
        await other.close();
      });

      it('gives it away when it expires or is released; the fence rises with each holder', async () => {
        const other = await test.open({ holder: 'other', now: () => nowMs });
        const first = await warehouse.acquireLease('pull', A_MINUTE_MS);
        nowMs += A_MINUTE_MS - 1;
        expect(await other.acquireLease('pull', A_MINUTE_MS)).toBeNull();
        nowMs += 1;
        const second = await other.acquireLease('pull', A_MINUTE_MS);
        expect(second?.fence).toBe(2);
        if (first === null || second === null) throw new Error('no lease');
        expect(await warehouse.renewLease(first, A_MINUTE_MS)).toBe(false);
        await warehouse.releaseLease(first);
        expect(await other.renewLease(second, A_MINUTE_MS)).toBe(true);
        await other.releaseLease(second);
        expect(await other.renewLease(second, A_MINUTE_MS)).toBe(false);
        expect((await warehouse.acquireLease('pull', A_MINUTE_MS))?.fence).toBe(3);
        await other.close();
      });

      it('prolongs, also after the time if nobody took it', async () => {
        const other = await test.open({ holder: 'other', now: () => nowMs });
        const lease = await warehouse.acquireLease('pull', A_MINUTE_MS);
        if (lease === null) throw new Error('no lease');
        nowMs += 2 * A_MINUTE_MS;
        expect(await warehouse.renewLease(lease, A_MINUTE_MS)).toBe(true);
        expect(await other.acquireLease('pull', A_MINUTE_MS)).toBeNull();
        await other.close();
      });

      it('goes to one of many that ask at once', async () => {
        const others = await Promise.all(
          Array.from({ length: 5 }, (_, index) => test.open({ holder: `h${index}`, now: () => nowMs })),
        );
        const leases = await Promise.all(others.map((other) => other.acquireLease('pull', A_MINUTE_MS)));
        expect(leases.filter((lease) => lease !== null)).toHaveLength(1);
        await Promise.all(others.map((other) => other.close()));
      });

      it('fences a commit: after another took over nothing is written', async () => {
        const other = await test.open({ holder: 'other', now: () => nowMs });
        const lease = await warehouse.acquireLease('pull', A_MINUTE_MS);
        if (lease === null) throw new Error('no lease');
        await warehouse.commit([rowsWrite([client()])], lease);
        nowMs += A_MINUTE_MS;
        await warehouse.commit([rowsWrite([client()])], lease);
        const taken = await other.acquireLease('pull', A_MINUTE_MS);
        await expect(warehouse.commit([rowsWrite([client()])], lease)).rejects.toMatchObject({
          code: 'LEASE_LOST',
        });
        // The fence comes first: a write that would fail by itself is not even tried.
        await expect(warehouse.commit([statement('no sql')], lease)).rejects.toMatchObject({
          code: 'LEASE_LOST',
        });
        expect(await read('SELECT count(*) AS count FROM clients')).toEqual([{ count: 2 }]);
        if (taken !== null) await other.releaseLease(taken);
        await expect(warehouse.commit([], lease)).rejects.toMatchObject({ code: 'LEASE_LOST' });
        await other.close();
      });
    });

    describe('edits', () => {
      it('puts the old value of each field first changed into _base', async () => {
        const { id } = await one();
        await user.run(`UPDATE clients SET email = 'b@example.com' WHERE id = '${id}'`);
        expect(await baseOf(id)).toEqual({ email: 'ann@example.com' });
        const first = await bookkeeping(id);
        expect(first).toMatchObject({ _edits: 1, _parked: null, _create: null });
        expect(first._edited_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$/);
        await user.run(`UPDATE clients SET email = 'c@example.com', work_phone = '5' WHERE id = '${id}'`);
        await user.run(`UPDATE clients SET is_archived = FALSE, first_time_buyer = NULL WHERE id = '${id}'`);
        expect(await baseOf(id)).toEqual({
          email: 'ann@example.com',
          workPhone: null,
          isArchived: true,
          firstTimeBuyer: true,
        });
        const second = await bookkeeping(id);
        expect(second).toMatchObject({ _edits: 3, _edited_at: first._edited_at as string });
        expect(await read('SELECT email, work_phone FROM clients')).toEqual([
          { email: 'c@example.com', work_phone: '5' },
        ]);
      });

      it('keeps an old value of every writable field exactly', async () => {
        const row = await one({
          externalId: 'e"\\\u0001',
          referredById: randomUUID(),
          totalIncome: 0.1 + 0.2,
          totalDebtPayments: -1.7976931348623157e308,
          firstName: 'Zoë 🎉\n\t',
          loginToken: 't',
          fax: '',
          isSilenced: true,
          fico: -1,
        });
        await user.run(
          `UPDATE clients SET external_id = NULL, source = 's', owner_id = NULL, referred_by_id = NULL,
           email = 'x@example.com', home_phone = '1', work_phone = '2', mobile_phone = '3', fax = NULL,
           is_silenced = FALSE, is_archived = FALSE, fico = NULL, total_income = NULL, total_debt_payments = 1,
           first_time_buyer = FALSE, login_token = NULL, first_name = 'F', last_name = 'L',
           contact_address = '{"city":"Rome"}'`,
        );
        const base = Object.fromEntries(
          FIELDS.flatMap((field, index) =>
            field.writable ? [[field.name, expected(row)[index]] as const] : [],
          ),
        );
        expect(await baseOf(row.id)).toEqual(base);
        expect((await bookkeeping(row.id))._edits).toBe(1);
      });

      it('keeps any double in _base exactly', async () => {
        const id = randomUUID();
        let second = 0;
        await fc.assert(
          fc.asyncProperty(fc.double({ noNaN: true, noDefaultInfinity: true }), async (value) => {
            second += 1;
            const updatedOn = `2026-01-01T00:${String(Math.floor(second / 60)).padStart(2, '0')}:${String(second % 60).padStart(2, '0')}Z`;
            await take([client({ id, totalIncome: value, updatedOn })]);
            await user.run(
              'UPDATE clients SET total_income = CASE WHEN total_income = 12345.678 THEN 1 ELSE 12345.678 END',
            );
            expect(await baseOf(id)).toEqual({ totalIncome: value + 0 });
            await warehouse.commit([
              statement(`UPDATE clients SET _base = NULL, _revision = ${NEXT_REVISION}`),
            ]);
          }),
          { numRuns: 100 },
        );
      });

      it('captures an UPDATE of many rows, each by itself', async () => {
        const rows = Array.from({ length: 30 }, (_, index) => client({ fico: index }));
        await take(rows);
        await user.run('UPDATE clients SET fico = 5');
        const dirty = await read('SELECT id FROM clients WHERE _base IS NOT NULL');
        expect(dirty).toHaveLength(29);
        expect(await baseOf(rows[7]?.id ?? '')).toEqual({ fico: 7 });
      });

      it('takes an UPDATE that changes nothing for no edit', async () => {
        const { id } = await one();
        await user.run(`UPDATE clients SET email = email, fico = 700, work_phone = NULL WHERE id = '${id}'`);
        expect(await bookkeeping(id)).toMatchObject({ _base: null, _edits: 0, _edited_at: null });
      });

      it('makes the row and its base one: a rollback undoes both', async () => {
        const { id } = await one();
        await user.run('BEGIN');
        await user.run(`UPDATE clients SET fico = 1 WHERE id = '${id}'`);
        await user.run('ROLLBACK');
        expect(await bookkeeping(id)).toMatchObject({ _base: null, _edits: 0 });
      });

      it('puts an edited row into the push queue; a parked one comes back with its next edit', async () => {
        const { id } = await one();
        const queue = (): Promise<readonly Row[]> =>
          read(
            'SELECT id FROM clients WHERE (_base IS NOT NULL OR _create IS NOT NULL) AND _parked IS DISTINCT FROM _edits',
          );
        expect(await queue()).toEqual([]);
        await user.run(`UPDATE clients SET fico = 1 WHERE id = '${id}'`);
        expect(await queue()).toEqual([{ id }]);
        await warehouse.commit([
          statement(`UPDATE clients SET _parked = _edits, _revision = ${NEXT_REVISION}`),
        ]);
        expect(await queue()).toEqual([]);
        await user.run(`UPDATE clients SET fico = 2 WHERE id = '${id}'`);
        expect(await queue()).toEqual([{ id }]);
      });

      it('refuses a write of a bookkeeping column', async () => {
        const { id } = await one();
        for (const set of [
          '_base = NULL, email = email, _edits = 5',
          "_deleted_at = '2026'",
          "_extra = '{}'",
          '_parked = 1',
          '_revision = _revision - 1',
          "_base = '{}'",
        ]) {
          await expect(user.run(`UPDATE clients SET ${set} WHERE id = '${id}'`), set).rejects.toThrow(
            /columns beginning with _ belong to the mirror, or the row changed since you read it/,
          );
        }
        expect(await bookkeeping(id)).toMatchObject({ _base: null, _edits: 0, _deleted_at: null });
      });

      it('takes no write for its own, whatever number a user gives it', async () => {
        const { id } = await one();
        for (const number of ['_revision + 1', '_revision + 1000000', '9007199254740991']) {
          const sql = `UPDATE clients SET fax = '7', _revision = ${number} WHERE id = '${id}'`;
          await expect(user.run(sql), number).rejects.toThrow(/belong to the mirror/);
          const { id: other } = client();
          const insert = `INSERT INTO clients (id, email, first_name, last_name, _revision)
            VALUES ('${other}', 'b@example.com', 'B', 'C', (SELECT max(${number}) FROM clients))`;
          await expect(user.run(insert), number).rejects.toThrow(/belong to the mirror/);
        }
        await user.run(`UPDATE clients SET fax = '8' WHERE id = '${id}'`);
        expect(Object.keys((await baseOf(id)) ?? {})).toEqual(['fax']);
      });

      it('lets a tool save the whole row as it read it, and refuses one that read it before a pull', async () => {
        const { id } = await one();
        const { _revision } = await bookkeeping(id);
        const save = (email: string): string =>
          `UPDATE clients SET email = '${email}', fico = 700, _revision = ${_revision}, _edits = 0, _base = NULL, _parked = NULL, _extra = NULL WHERE id = '${id}'`;
        await take([client({ id, updatedOn: DAY2, fico: 650 })]);
        await expect(user.run(save('b@example.com'))).rejects.toThrow(/changed since you read it/);
        expect((await read('SELECT fico FROM clients'))[0]?.fico).toBe(650);
        const fresh = Number((await bookkeeping(id))._revision);
        await user.run(save('c@example.com').replace(`_revision = ${_revision}`, `_revision = ${fresh}`));
        expect(await baseOf(id)).toEqual({ email: 'ann@example.com', fico: 650 });
      });

      it('refuses to change what only the source sets', async () => {
        const { id } = await one();
        for (const set of [
          `id = '${randomUUID()}'`,
          "created_on = '2020-01-01T00:00:00.0000000Z'",
          'updated_on = NULL',
        ]) {
          await expect(user.run(`UPDATE clients SET ${set} WHERE id = '${id}'`), set).rejects.toThrow(
            /read-only/,
          );
        }
        expect(await baseOf(id)).toBeNull();
      });

      it('refuses an empty required field and a flag without a value', async () => {
        const { id } = await one();
        for (const column of ['email', 'first_name', 'last_name']) {
          for (const value of ["''", "'  '", 'NULL']) {
            await expect(
              user.run(`UPDATE clients SET ${column} = ${value} WHERE id = '${id}'`),
              `${column} ${value}`,
            ).rejects.toThrow(new RegExp(`${column} must not be empty`));
          }
        }
        for (const column of ['is_silenced', 'is_archived']) {
          await expect(user.run(`UPDATE clients SET ${column} = NULL`), column).rejects.toThrow(column);
        }
        expect(await baseOf(id)).toBeNull();
      });

      it('takes and refuses emails as the API pattern does', async () => {
        const { id } = await one();
        const pattern = new RegExp(EMAIL_PATTERN);
        const part = fc.constantFrom(
          'a',
          'Z9',
          '.',
          '-',
          '_',
          '%',
          '+',
          '@',
          ' ',
          'é',
          '"',
          ',',
          'com',
          '\n',
          '[',
          ']',
          '^',
        );
        const glued = fc.array(part, { maxLength: 6 }).map((parts) => parts.join(''));
        const shaped = fc.tuple(glued, glued, glued).map(([name, host, top]) => `${name}@${host}.${top}`);
        const known = [
          'a@b.co',
          'a@b.c',
          'a@.co',
          '@b.co',
          'a@b',
          'a@@b.co',
          'a@b.co.',
          'a@b.c0',
          'a.b@c-d.e.info',
          'a@b..co',
          'a b@c.de',
          'a@b.co ',
        ];
        const tried = [...known, ...fc.sample(fc.oneof(shaped, glued), { numRuns: 150, seed: 7 })];
        for (const email of new Set(tried.filter((value) => value !== 'ann@example.com'))) {
          const sql = `UPDATE clients SET email = '${email.replaceAll("'", "''")}' WHERE id = '${id}'`;
          const taken = await user.run(sql).then(
            () => true,
            (error: Error) => {
              expect(error.message).toMatch(/email must/);
              return false;
            },
          );
          expect({ email, taken }).toEqual({ email, taken: pattern.test(email) });
        }
      });

      it('lets other fields of a client be edited whose email the API itself would refuse', async () => {
        const { id } = await one({ email: 'not an email' });
        await user.run(`UPDATE clients SET fico = 1 WHERE id = '${id}'`);
        expect(await baseOf(id)).toEqual({ fico: 700 });
      });

      it('refuses a value of the wrong type', async () => {
        const { id } = await one();
        for (const set of [
          "fico = 'abc'",
          'fico = 3000000000',
          "total_income = 'abc'",
          'total_income = 1e308 * 10',
          "is_archived = 'maybe'",
          "owner_id = 'nobody'",
          "contact_address = 'nowhere'",
          "contact_address = '[1]'",
          "contact_address = '5'",
        ]) {
          await expect(user.run(`UPDATE clients SET ${set} WHERE id = '${id}'`), set).rejects.toThrow();
        }
        expect(await bookkeeping(id)).toMatchObject({ _base: null, _edits: 0 });
        await user.run(`UPDATE clients SET fico = '701', total_income = '5' WHERE id = '${id}'`);
        expect(await baseOf(id)).toEqual({ fico: 700, totalIncome: 50_000.25 });
      });

      it('refuses an edit of an excluded field, and no other', async () => {
        const { id } = await one();
        await setting('excluded', '["loginToken"]');
        await expect(user.run("UPDATE clients SET login_token = 'x'")).rejects.toThrow(
          /login_token is left out of this mirror/,
        );
        await user.run('UPDATE clients SET fico = 1');
        expect(await baseOf(id)).toEqual({ fico: 700 });
      });

      it('refuses every edit of a read-only mirror', async () => {
        const { id } = await one();
        await setting('push', 'false');
        await setting('push_deletes', 'true');
        const statements = [
          'UPDATE clients SET fico = 1',
          'DELETE FROM clients',
          "INSERT INTO clients (email, first_name, last_name) VALUES ('b@example.com', 'B', 'C')",
        ];
        for (const sql of statements) {
          await expect(user.run(sql), sql).rejects.toThrow(/this mirror is read-only/);
        }
        expect(await baseOf(id)).toBeNull();
        await take([client({ id, updatedOn: DAY2 })]);
        await setting('push', 'true');
        await user.run('UPDATE clients SET fico = 1');
        expect(await baseOf(id)).toEqual({ fico: 700 });
      });

      it('refuses to edit or delete a client that was deleted at the source', async () => {
        const { id } = await one();
        const noted = await warehouse.revision();
        await warehouse.commit([{ kind: 'tombstone', ids: [id], noted, at: AT }]);
        await setting('push_deletes', 'true');
        await expect(user.run('UPDATE clients SET fico = 1')).rejects.toThrow(/deleted at the source/);
        await expect(user.run('DELETE FROM clients')).rejects.toThrow(/deleted at the source/);
        expect((await read('SELECT fico FROM clients'))[0]?.fico).toBe(700);
      });
    });

    describe('deletes', () => {
      it('are refused unless they are switched on', async () => {
        await one();
        await expect(user.run('DELETE FROM clients')).rejects.toThrow(/MIRROR_PUSH_DELETES/);
        await setting('push_deletes', 'false');
        await expect(user.run('DELETE FROM clients')).rejects.toThrow(/MIRROR_PUSH_DELETES/);
        expect(await read('SELECT id FROM mirror_deletes')).toEqual([]);
        expect(await read('SELECT count(*) AS count FROM clients')).toEqual([{ count: 1 }]);
      });

      it('leave the values and the merge base in mirror_deletes', async () => {
        await setting('push_deletes', 'true');
        const row = await one({ hidden: [1], totalIncome: 0.1 + 0.2, updatedOn: DAY2 });
        await user.run('UPDATE clients SET fico = 1');
        await user.run('DELETE FROM clients');
        const [left] = await read('SELECT id, values_json, at, parked FROM mirror_deletes');
        expect(left).toMatchObject({ id: row.id, parked: 0 });
        expect(left?.at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$/);
        const values = expected(row);
        values[FIELDS.findIndex((field) => field.name === 'fico')] = 1;
        expect(JSON.parse(String(left?.values_json))).toEqual({
          ...Object.fromEntries(FIELDS.map((field, index) => [field.name, values[index]])),
          _base: { fico: 700 },
          _extra: { hidden: [1] },
        });
      });

      it('cannot be undone by an INSERT of the same id', async () => {
        await setting('push_deletes', 'true');
        const { id } = await one();
        await user.run('DELETE FROM clients');
        await expect(
          user.run(
            `INSERT INTO clients (id, email, first_name, last_name) VALUES ('${id}', 'b@example.com', 'B', 'C')`,
          ),
        ).rejects.toThrow(/being deleted/);
      });
    });

    describe('creates', () => {
      const insert = (columns = '', values = ''): string =>
        `INSERT INTO clients (email, first_name, last_name${columns}) VALUES ('b@example.com', 'B', 'C'${values})`;

      it('give a row without id a uuid, an external id and its place in the queue', async () => {
        await user.run(insert());
        const [row] = await read(
          'SELECT id, external_id, is_silenced, is_archived, created_on, updated_on FROM clients',
        );
        expect(row?.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        expect(row?.external_id).toMatch(
          /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
        );
        expect(row).toMatchObject({ created_on: null, updated_on: null });
        expect([Boolean(row?.is_silenced), Boolean(row?.is_archived)]).toEqual([false, false]);
        const kept = await bookkeeping(String(row?.id));
        expect(kept).toMatchObject({ _base: null, _edits: 1, _deleted_at: null });
        expect(JSON.parse(String(kept._create))).toEqual({ external: 'made' });
        expect(kept._edited_at).toMatch(/\.\d{7}Z$/);
      });

      it('keep an id and an external id that the user gives', async () => {
        const id = randomUUID();
        await user.run(insert(', id, external_id', `, '${id}', 'crm-1'`));
        expect(await read('SELECT id, external_id FROM clients')).toEqual([{ id, external_id: 'crm-1' }]);
        expect(JSON.parse(String((await bookkeeping(id))._create))).toEqual({ external: 'given' });
      });

      it('count further edits without a base: nothing was agreed on yet', async () => {
        await user.run(insert());
        const id = await idOf();
        await user.run("UPDATE clients SET fico = 5, email = 'd@example.com'");
        const kept = await bookkeeping(id);
        expect(kept).toMatchObject({ _base: null, _edits: 2 });
        expect(JSON.parse(String(kept._create))).toEqual({ external: 'made' });
      });

      it('are refused where the API could not take them', async () => {
        const refused: readonly [string, string, RegExp][] = [
          [', id', ", 'x'", /uuid/],
          [', fico', ", 'abc'", /./],
          [', owner_id', ", 'x'", /./],
          [', created_on', ", '2026-01-01T00:00:00.0000000Z'", /read-only/],
          [', updated_on', ", '2026-01-01T00:00:00.0000000Z'", /read-only/],
          [', is_archived', ', NULL', /is_archived/],
          [', _revision', ', 1', /belong to the mirror/],
          [', _edits', ', 1', /belong to the mirror/],
          [', _deleted_at', ", '2026'", /belong to the mirror/],
          [', _base', ", '{}'", /belong to the mirror/],
        ];
        // A row that the mirror wrote has a _revision that a copy of it would carry.
        await one();
        for (const [columns, values, message] of refused) {
          await expect(user.run(insert(columns, values)), columns).rejects.toThrow(message);
        }
        for (const [email, first, last] of [
          ['', 'B', 'C'],
          ['b', 'B', 'C'],
          ['b@example.com', ' ', 'C'],
          ['b@example.com', 'B', ''],
        ]) {
          const sql = `INSERT INTO clients (email, first_name, last_name) VALUES ('${email}', '${first}', '${last}')`;
          await expect(user.run(sql)).rejects.toThrow(/must/);
        }
        await expect(user.run("INSERT INTO clients (email) VALUES ('b@example.com')")).rejects.toThrow(
          /first_name must not be empty/,
        );
        await setting('excluded', '["loginToken"]');
        await expect(user.run(insert(', login_token', ", 'x'"))).rejects.toThrow(/left out/);
        expect(await read('SELECT count(*) AS count FROM clients')).toEqual([{ count: 1 }]);
      });

      it('never hide an edit behind an INSERT of a known id', async () => {
        const { id } = await one();
        const known = insert(', id', `, '${id}'`);
        await expect(user.run(known)).rejects.toThrow();
        for (const sql of [
          `${known} ON CONFLICT (id) DO UPDATE SET email = excluded.email`,
          `${known} ON CONFLICT (id) DO NOTHING`,
        ]) {
          await user.run(sql).catch((error: Error) => expect(error.message).toMatch(/use UPDATE/));
        }
        const [row] = await read('SELECT email FROM clients');
        const base = await baseOf(id);
        expect(base).toEqual(row?.email === 'ann@example.com' ? null : { email: 'ann@example.com' });
        expect((await bookkeeping(id))._create).toBeNull();
      });

      it('simply go when they are deleted before they were sent, and cannot while in flight', async () => {
        await user.run(insert());
        const id = await idOf();
        await warehouse.commit([
          statement('INSERT INTO mirror_pushes (id, holder, claimed_ms) VALUES (?, ?, ?)', [id, 'h', 1]),
        ]);
        await expect(user.run('DELETE FROM clients')).rejects.toThrow(/being created/);
        await warehouse.commit([statement('DELETE FROM mirror_pushes')]);
        await user.run('DELETE FROM clients');
        expect(await read('SELECT id FROM clients')).toEqual([]);
        expect(await read('SELECT id FROM mirror_deletes')).toEqual([]);
      });
    });

    describePort('schema', () => {
      it('is created once by many that start at the same moment', async () => {
        const fresh = await make();
        const opened = await Promise.all(Array.from({ length: 8 }, () => fresh.open()));
        await opened[3]?.commit([rowsWrite([client()])]);
        const rows = await opened[5]?.read({ sql: 'SELECT number, name FROM mirror_migrations', params: [] });
        expect(rows?.[0]).toEqual({ number: 1, name: 'initial' });
        await Promise.all(opened.map((each) => each.close()));
        await fresh.dispose();
      });

      it('is kept, with the data, when the warehouse is opened again', async () => {
        const row = await one();
        const again = await test.open();
        expect(await again.read({ sql: 'SELECT id FROM clients', params: [] })).toEqual([{ id: row.id }]);
        expect(await again.revision()).toBe(await warehouse.revision());
        await again.close();
      });

      it('of a newer program is refused', async () => {
        await user.run("INSERT INTO mirror_migrations (number, name) VALUES (999, 'future')");
        await expect(test.open()).rejects.toMatchObject({ code: 'SCHEMA_NEWER', exit: 1 });
      });

      it('leaves a table clients that is not the mirror’s alone', async () => {
        const fresh = await make();
        const owner = await fresh.userConnection();
        await owner.run('CREATE TABLE clients (name TEXT)');
        await owner.run("INSERT INTO clients VALUES ('theirs')");
        await expect(fresh.open()).rejects.toMatchObject({ code: 'WAREHOUSE_FOREIGN', exit: 2 });
        expect(await owner.run('SELECT name FROM clients')).toEqual([{ name: 'theirs' }]);
        await expect(owner.run('SELECT 1 FROM mirror_runs')).rejects.toThrow();
        await owner.close();
        await fresh.dispose();
      });

      it('holds the fields in their order, then bookkeeping', async () => {
        const [row] = await (async () => {
          await one();
          return read('SELECT * FROM clients');
        })();
        const columns = Object.keys(row ?? {});
        expect(columns.slice(0, FIELDS.length)).toEqual(FIELDS.map((field) => field.column));
        expect(columns.slice(FIELDS.length).every((column) => column.startsWith('_'))).toBe(true);
      });
    });
  });
}
