/**
 * The floor: the least that a backfill, or a pull, can cost. It knows beforehand what the real one must find out (equal spans of
 * time, no drift, no faults, no duplicates), checks nothing and remembers nothing: pages by `$skip` within a
 * span, JSON.parse, one prepared statement. Same columns, page size and concurrency as the real one.
 */
import { Agent, get } from 'node:http';
import type { Database } from 'better-sqlite3';
import type { Pool } from 'pg';
import { FIELDS } from '../src/clients/fields.ts';

const READ = FIELDS.filter((field) => field.name !== 'loginToken');
const FROM_MS = Date.UTC(1995, 0, 1);
const SPANS_PER_LANE = 16;

export type Row = Readonly<Record<string, unknown>>;
export type Store = (rows: readonly Row[]) => void | Promise<void>;

export interface FloorOptions {
  readonly url: string;
  readonly token: string;
  readonly pageSize: number;
  readonly concurrency: number;
  readonly spans: readonly (readonly [from: string, to: string])[];
}

export interface Measured {
  readonly rows: number;
  /** From the first page in the warehouse to the last one. */
  readonly ms: number;
}

/** Reads all spans side by side and stores each page. */
export async function runFloor(options: FloorOptions, store: Store): Promise<Measured> {
  const agent = new Agent({ keepAlive: true, maxSockets: options.concurrency });
  const open = [...options.spans];
  let rows = 0;
  const began = performance.now();
  const lane = async (): Promise<void> => {
    for (let span = open.shift(); span !== undefined; span = open.shift()) {
      for (let skip = 0, more = true; more; ) {
        const page = await fetchPage(agent, options, span, skip);
        if (page.length > 0) await store(page);
        rows += page.length;
        skip += page.length;
        more = page.length === options.pageSize;
      }
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, lane));
  agent.destroy();
  return { rows, ms: performance.now() - began };
}

/** Spans of equal time, as many as keep every lane busy to the end. */
export function equalSpans(untilMs: number, concurrency: number): (readonly [string, string])[] {
  const count = concurrency * SPANS_PER_LANE;
  const at = (index: number) => new Date(FROM_MS + ((untilMs - FROM_MS) * index) / count).toISOString();
  return Array.from({ length: count }, (_, index) => [at(index), at(index + 1)] as const);
}

/** Reads what was changed since, in order, the next page while one is stored. */
export async function runPullFloor(
  options: Omit<FloorOptions, 'spans' | 'concurrency'> & { readonly since: string },
  store: Store,
): Promise<Measured> {
  const agent = new Agent({ keepAlive: true, maxSockets: 2 });
  const read = (skip: number) =>
    fetchRows(agent, options, `updatedOn ge ${options.since}`, { order: 'updatedOn,id', skip });
  let rows = 0;
  const began = performance.now();
  for (let next = read(0), more = true; more; ) {
    const page = await next;
    rows += page.length;
    more = page.length === options.pageSize;
    if (more) next = read(rows);
    if (page.length > 0) await store(page);
  }
  agent.destroy();
  return { rows, ms: performance.now() - began };
}

function fetchPage(
  agent: Agent,
  options: FloorOptions,
  [from, to]: readonly [string, string],
  skip: number,
): Promise<Row[]> {
  return fetchRows(agent, options, `createdOn ge ${from} and createdOn lt ${to}`, {
    order: 'createdOn,id',
    skip,
  });
}

function fetchRows(
  agent: Agent,
  { url, token, pageSize }: Pick<FloorOptions, 'url' | 'token' | 'pageSize'>,
  condition: string,
  { order, skip }: { readonly order: string; readonly skip: number },
): Promise<Row[]> {
  const filter = encodeURIComponent(condition);
  const select = READ.map((field) => field.name).join(',');
  const path = `${url}/clients?$filter=${filter}&$select=${select}&$orderby=${order}&$skip=${skip}&$top=${pageSize}`;
  return new Promise((resolve, reject) => {
    get(path, { agent, headers: { authorization: `Bearer ${token}` } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString()) as Row[]));
      response.on('error', reject);
    }).on('error', reject);
  });
}

const SECONDS = 'YYYY-MM-DDTHH:MM:SS'.length;

const stamp = (value: unknown): unknown => {
  if (typeof value !== 'string') return null;
  const text = value.slice(0, -1);
  return `${(text.length === SECONDS ? `${text}.` : text).padEnd(27, '0')}Z`;
};

/** Cut, for Postgres would round the seventh digit. */
export function toMicroseconds(value: unknown): unknown {
  return typeof value === 'string'
    ? `${value.slice(0, 'YYYY-MM-DDTHH:MM:SS.ffffff'.length).replace('Z', '')}Z`
    : null;
}

/** Fields of a client that is there already are written over. */
const OVER = (names: readonly string[]) =>
  ` ON CONFLICT (id) DO UPDATE SET ${names.map((name) => `${name} = excluded.${name}`).join(', ')}`;

/** A store for SQLite: fifty rows a statement, one transaction a page. */
export function sqliteStore(db: Database, table: string, revision: boolean, upserts = false): Store {
  const columns = [...READ.map((field) => field.column), ...(revision ? ['_revision'] : [])];
  const marks = `(${columns.map(() => '?').join(', ')})`;
  const sql = (rows: number) =>
    `INSERT INTO ${table} (${columns.join(', ')}) VALUES ${new Array(rows).fill(marks).join(', ')}${upserts ? OVER(columns) : ''}`;
  const many = db.prepare(sql(50));
  // The triggers must take these rows for the mirror's own, as they take ours.
  if (revision) db.exec('UPDATE mirror_revision SET own = 1');
  // Rises from run to run, as the mirror's own does.
  let number = Date.now();
  return (rows) => {
    number += 1;
    db.exec('BEGIN IMMEDIATE');
    for (let start = 0; start < rows.length; start += 50) {
      const part = rows.slice(start, start + 50);
      const values = part.flatMap((row) => [
        ...READ.map((field) => sqliteValue(field.type, row[field.name])),
        ...(revision ? [number] : []),
      ]);
      (part.length === 50 ? many : db.prepare(sql(part.length))).run(values);
    }
    db.exec('COMMIT');
  };
}

function sqliteValue(type: string, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (type === 'boolean') return value === true ? 1 : 0;
  if (type === 'instant') return stamp(value);
  return type === 'json' ? JSON.stringify(value) : value;
}

/** A store for Postgres: one `unnest` of arrays a page, which is the fastest there is short of COPY. */
export function postgresStore(pool: Pool, table: string, bookkeeping: boolean, upserts = false): Store {
  const types: Record<string, string> = {
    uuid: 'uuid',
    text: 'text',
    instant: 'timestamptz',
    boolean: 'boolean',
    int32: 'integer',
    double: 'double precision',
    json: 'jsonb',
  };
  const columns = READ.map((field) => field.column);
  const more = bookkeeping ? ['_created_on', '_updated_on'] : [];
  const arrays = [...READ.map((field) => types[field.type]), ...more.map(() => 'text')]
    .map((type, index) => `$${index + 1}::${type}[]`)
    .join(', ');
  const names = [...columns, ...more];
  const sql = `INSERT INTO ${table} (${[...names, ...(bookkeeping ? ['_revision'] : [])].join(', ')})
    SELECT *${bookkeeping ? ', (SELECT mirror_next_revision())' : ''} FROM unnest(${arrays})${
      upserts ? OVER([...names, ...(bookkeeping ? ['_revision'] : [])]) : ''
    }`;
  return async (rows) => {
    const values = READ.map((field) =>
      rows.map((row) => {
        const value = row[field.name] ?? null;
        if (field.type === 'instant') return toMicroseconds(value);
        return field.type === 'json' && value !== null ? JSON.stringify(value) : value;
      }),
    );
    const stamps = more.map((_, index) =>
      rows.map((row) => stamp(row[index === 0 ? 'createdOn' : 'updatedOn'])),
    );
    await pool.query(sql, [...values, ...stamps]);
  };
}
