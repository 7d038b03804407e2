/** Clients and writes for the tests of this folder. */
import { randomUUID } from 'node:crypto';
import type { Instant } from '../../../src/clients/instant.ts';
import { type ClientRecord, isRejected, parseRow } from '../../../src/clients/record.ts';
import type { RowsResult, RowsWrite, Warehouse } from '../../../src/warehouse/warehouse.ts';

export const AT = '2026-01-01T00:00:00.0000000Z' as Instant;
/** An `updatedOn`; more days, later. */
export const day = (days: number): string => `2025-02-${String(days).padStart(2, '0')}T00:00:00.1234567Z`;

/** A client of the source, by the API's names. */
export function client(given: Record<string, unknown> = {}): ClientRecord {
  const row = parseRow(
    {
      id: randomUUID(),
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

export async function writeRows(
  warehouse: Warehouse,
  rows: readonly ClientRecord[],
  more: Partial<RowsWrite> = {},
): Promise<RowsResult> {
  const noted = await warehouse.revision();
  const write: RowsWrite = { kind: 'rows', rows, noted, at: AT, trust: 'list', ...more };
  return (await warehouse.commit([write]))[0] as RowsResult;
}

export async function refetches(warehouse: Warehouse): Promise<Record<string, unknown>> {
  const rows = await warehouse.read({ sql: 'SELECT id, reason FROM mirror_refetch', params: [] });
  return Object.fromEntries(rows.map((row) => [row.id, row.reason]));
}
