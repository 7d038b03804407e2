import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Instant } from '../../../src/clients/instant.ts';
import { type ClientRecord, isRejected, parseRow } from '../../../src/clients/record.ts';
import type { RowsResult, RowsWrite, Warehouse } from '../../../src/warehouse/warehouse.ts';
import { describePostgres } from '../../support/postgresWarehouse.ts';

const postgres = describePostgres();
beforeAll(postgres.begin);
afterAll(postgres.end);

const AT = '2026-01-01T00:00:00.0000000Z' as Instant;

function client(given: Record<string, unknown> = {}): ClientRecord {
  const id = String(given.id ?? randomUUID());
  const row = parseRow(
    {
      id,
      email: 'ann@example.com',
      firstName: 'Ann',
      lastName: 'Lee',
      isSilenced: false,
      isArchived: false,
      createdOn: '2025-01-01T00:00:00.1234567Z',
      updatedOn: null,
      ...given,
    },
    { excluded: new Set(), acceptsNul: false },
  );
  if (isRejected(row)) throw new Error(row.reason);
  return row;
}

async function rows(
  warehouse: Warehouse,
  list: ClientRecord[],
  more: Partial<RowsWrite> = {},
): Promise<RowsResult> {
  const write: RowsWrite = {
    kind: 'rows',
    rows: list,
    noted: await warehouse.revision(),
    at: AT,
    trust: 'list',
    ...more,
  };
  return (await warehouse.commit([write]))[0] as RowsResult;
}

describe('commit of rows', () => {
  it('inserts, updates what differs and writes nothing else', async () => {
    const test = await postgres.make();
    const warehouse = await test.open();
    const user = await test.client();
    const ids = [randomUUID(), randomUUID(), randomUUID()];
    expect(
      await rows(
        warehouse,
        ids.map((id) => client({ id, totalIncome: 0.1 })),
      ),
    ).toEqual({
      inserted: 3,
      updated: 0,
      unchanged: 0,
      deferred: 0,
    });
    const before = (await user.query('SELECT ctid::text, xmin::text, xmax::text FROM clients ORDER BY id'))
      .rows;
    expect(
      await rows(
        warehouse,
        ids.map((id) => client({ id, totalIncome: 0.1 })),
      ),
    ).toMatchObject({ unchanged: 3 });
    expect(
      (await user.query('SELECT ctid::text, xmin::text, xmax::text FROM clients ORDER BY id')).rows,
    ).toEqual(before);
    const updatedOn = '2025-01-02T00:00:00.1234567Z';
    expect(await rows(warehouse, [client({ id: ids[0], updatedOn })])).toMatchObject({ updated: 1 });
    expect(
      (await user.query(`SELECT updated_on, _updated_on, created_on FROM clients WHERE id = '${ids[0]}'`))
        .rows,
    ).toEqual([
      {
        updated_on: '2025-01-02T00:00:00.1234560Z',
        _updated_on: updatedOn,
        created_on: '2025-01-01T00:00:00.1234560Z',
      },
    ]);
    await user.query(`UPDATE clients SET email = 'new@example.com' WHERE id = '${ids[1]}'`);
    expect(
      (await user.query(`SELECT _base, _edits, email FROM clients WHERE id = '${ids[1]}'`)).rows,
    ).toEqual([{ _base: '{"email": "ann@example.com"}', _edits: 1, email: 'new@example.com' }]);
    expect(await rows(warehouse, [client({ id: ids[1], updatedOn })])).toMatchObject({ deferred: 1 });
    await warehouse.close();
    await test.dispose();
  });
});
