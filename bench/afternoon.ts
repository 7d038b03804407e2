/**
 * What one would write in an afternoon, as a second yardstick: axios, pages by `$skip` over everything, one upsert a
 * row. It loses rows when others change them meanwhile; here nobody does.
 */
import axios from 'axios';
import type { Database } from 'better-sqlite3';
import type { Pool } from 'pg';
import { FIELDS } from '../src/clients/fields.ts';
import { type FloorOptions, type Measured, type Row, toMicroseconds } from './floor.ts';

const COLUMNS = FIELDS.filter((field) => field.name !== 'loginToken');

export async function runAfternoon(
  { url, token, pageSize }: Omit<FloorOptions, 'spans'>,
  upsert: (row: Row) => unknown,
): Promise<Measured> {
  const began = performance.now();
  const headers = { authorization: `Bearer ${token}` };
  let skip = 0;
  for (;;) {
    const params = { $orderby: 'createdOn', $skip: skip, $top: pageSize };
    const { data } = await axios.get<Row[]>(`${url}/clients`, { headers, params });
    for (const row of data) await upsert(row);
    skip += data.length;
    if (data.length < pageSize) return { rows: skip, ms: performance.now() - began };
  }
}

function upsertSql(marks: readonly string[]): string {
  const names = COLUMNS.map(({ column }) => column);
  const set = names.slice(1).map((name) => `${name} = excluded.${name}`);
  return `INSERT INTO bare (${names.join(', ')}) VALUES (${marks.join(', ')}) ON CONFLICT (id) DO UPDATE SET ${set.join(', ')}`;
}

export function sqliteUpsert(db: Database): (row: Row) => unknown {
  const statement = db.prepare(upsertSql(COLUMNS.map(() => '?')));
  return (row) =>
    statement.run(
      COLUMNS.map(({ name, type }) => {
        const value = row[name] ?? null;
        if (type === 'boolean' && value !== null) return value === true ? 1 : 0;
        return type === 'json' && value !== null ? JSON.stringify(value) : value;
      }),
    );
}

export function postgresUpsert(pool: Pool): (row: Row) => Promise<unknown> {
  const sql = upsertSql(COLUMNS.map((_, index) => `$${index + 1}`));
  return (row) =>
    pool.query(
      sql,
      // In an afternoon one lets Postgres round stamps; cut like all others', they can be compared.
      COLUMNS.map(({ name, type }) => (type === 'instant' ? toMicroseconds(row[name]) : (row[name] ?? null))),
    );
}
