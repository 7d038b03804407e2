/**
 * Rows of `clients` as a comparison with the source needs them: canonical values from both databases alike, by
 * stretches of `createdOn` or by id, in bounded chunks. Rows that are not yet at the source are left out.
 */
import { FIELDS } from '../clients/fields.ts';
import type { Instant } from '../clients/instant.ts';
import { canonicalJson, type FieldValue } from '../clients/record.ts';
import type { SqlValue, Warehouse } from '../warehouse/warehouse.ts';

export interface Mirrored {
  readonly id: string;
  readonly createdOn: Instant | null;
  readonly updatedOn: Instant | null;
  readonly revision: number;
  /** Edited here. */
  readonly isDirty: boolean;
  readonly isDeleted: boolean;
  /** One value a field, in the order of FIELDS; empty where only stamps were asked for. */
  readonly values: readonly FieldValue[];
  readonly extra: string | null;
}

/** Rows of one lane with createdOn from `low` (null: from the beginning) to before `high` (null: to the end). */
export interface Stretch {
  readonly lane: 'values' | 'nulls';
  readonly low: Instant | null;
  readonly high: Instant | null;
}

/** Rows of a stretch, a chunk at a time, behind the row given. */
export async function readStretch(
  warehouse: Warehouse,
  stretch: Stretch,
  from: { readonly after: Pick<Mirrored, 'id' | 'createdOn'> | null; readonly limit: number },
  isDeep: boolean,
): Promise<Mirrored[]> {
  const created = createdColumn(warehouse);
  const { where, params } = conditionOf(created, stretch);
  const { after } = from;
  if (after !== null && after.createdOn === null) {
    where.push('id > ?');
    params.push(after.id);
  } else if (after !== null) {
    where.push(`(${created}, id) > (?, ?)`);
    params.push(after.createdOn, after.id);
  }
  const sql = `${selectOf(warehouse, isDeep)} WHERE ${where.join(' AND ')} ORDER BY ${created}, id LIMIT ?`;
  const rows = await warehouse.read({ sql, params: [...params, from.limit] });
  return rows.map((row) => toMirrored(warehouse, row, isDeep));
}

/**
 * The live rows of a stretch as one text, their stamps and ids in order: to see at little cost whether a stretch is
 * as it should be. At most `limit` rows of it.
 */
export async function readStretchText(
  warehouse: Warehouse,
  stretch: Stretch,
  limit: number,
): Promise<string> {
  const isPostgres = warehouse.kind === 'postgres';
  const created = createdColumn(warehouse);
  const updated = isPostgres ? '_updated_on' : 'updated_on';
  const { where, params } = conditionOf(created, stretch);
  const rows = `SELECT coalesce(${created}, '') || id || coalesce(${updated}, '') AS one FROM clients
    WHERE ${where.join(' AND ')} AND _deleted_at IS NULL ORDER BY ${created}, id LIMIT ?`;
  // SQLite keeps the inner order; were it not to, the text would differ, which only costs a closer look.
  const join = isPostgres ? `string_agg(one, '' ORDER BY one COLLATE "C")` : "group_concat(one, '')";
  const [row] = await warehouse.read({
    sql: `SELECT ${join} AS stretch FROM (${rows}) AS live`,
    params: [...params, limit],
  });
  return String(row?.stretch ?? '');
}

/** The same text, of rows of the source. */
export function stretchText(rows: readonly Pick<Mirrored, 'id' | 'createdOn' | 'updatedOn'>[]): string {
  return rows
    .map(({ id, createdOn, updatedOn }) => `${createdOn ?? ''}${id}${updatedOn ?? ''}`)
    .sort()
    .join('');
}

function createdColumn(warehouse: Warehouse): string {
  return warehouse.kind === 'postgres' ? '_created_on' : 'created_on';
}

function conditionOf(created: string, { lane, low, high }: Stretch): { where: string[]; params: SqlValue[] } {
  const where = ['_create IS NULL', `${created} IS ${lane === 'nulls' ? 'NULL' : 'NOT NULL'}`];
  const params: SqlValue[] = [];
  if (low !== null) {
    where.push(`${created} >= ?`);
    params.push(low);
  }
  if (high !== null) {
    where.push(`${created} < ?`);
    params.push(high);
  }
  return { where, params };
}

/** The same by id; an id that is not there is not in the answer. */
export async function readMirrored(
  warehouse: Warehouse,
  ids: readonly string[],
  isDeep: boolean,
): Promise<ReadonlyMap<string, Mirrored>> {
  if (ids.length === 0) return new Map();
  const sql = `${selectOf(warehouse, isDeep)} WHERE _create IS NULL AND id IN (${ids.map(() => '?').join(', ')})`;
  const rows = await warehouse.read({ sql, params: ids });
  return new Map(rows.map((row) => [String(row.id), toMirrored(warehouse, row, isDeep)]));
}

/** Live rows at one instant whose ids are not in the scratch table of a span, by id. */
export async function readUnmet(
  warehouse: Warehouse,
  spanId: number,
  at: Instant | null,
  from: { readonly after: string | null; readonly limit: number },
): Promise<string[]> {
  const created = createdColumn(warehouse);
  const id = warehouse.kind === 'postgres' ? 'CAST(c.id AS text)' : 'c.id';
  const after = from.after === null ? '' : 'AND c.id > ?';
  const sql = `SELECT c.id FROM clients c WHERE c.${created} ${at === null ? 'IS NULL' : '= ?'} ${after}
    AND c._create IS NULL AND c._deleted_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM mirror_sweep_ids s WHERE s.span_id = ? AND s.id = ${id}) ORDER BY c.id LIMIT ?`;
  const params = [
    ...(at === null ? [] : [at]),
    ...(from.after === null ? [] : [from.after]),
    spanId,
    from.limit,
  ];
  return (await warehouse.read({ sql, params })).map((row) => String(row.id));
}

/** Of these ids those that were deleted here and wait for a push. */
export async function readDeletedHere(
  warehouse: Warehouse,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  if (ids.length === 0) return new Set();
  const sql = `SELECT id FROM mirror_deletes WHERE id IN (${ids.map(() => '?').join(', ')})`;
  return new Set((await warehouse.read({ sql, params: ids })).map((row) => String(row.id)));
}

/** Clients that are mirrored and not known to be deleted, rows inserted here included. */
export async function countLive(warehouse: Warehouse): Promise<number> {
  // Two counts over indexes: the table itself may be large.
  const sql = `SELECT (SELECT count(*) FROM clients)
    - (SELECT count(*) FROM clients WHERE _deleted_at IS NOT NULL) AS live`;
  const [row] = await warehouse.read({ sql, params: [] });
  return Number(row?.live ?? 0);
}

/** Bounds that cut what is mirrored into `parts` of about as many rows, ascending; fewer where many share one. */
export async function readQuantiles(warehouse: Warehouse, parts: number): Promise<Instant[]> {
  const created = createdColumn(warehouse);
  const [{ count = 0 } = {}] = await warehouse.read({
    sql: `SELECT count(*) AS count FROM clients WHERE ${created} IS NOT NULL`,
    params: [],
  });
  const step = Math.floor(Number(count) / parts);
  const bounds = new Set<Instant>();
  for (let part = 1; step > 0 && part < parts; part += 1) {
    const sql = `SELECT ${created} AS bound FROM clients WHERE ${created} IS NOT NULL ORDER BY ${created} LIMIT 1 OFFSET ?`;
    const [row] = await warehouse.read({ sql, params: [part * step] });
    if (row !== undefined) bounds.add(row.bound as Instant);
  }
  return [...bounds].sort();
}

const STAMPS = `_revision AS revision, CASE WHEN _base IS NULL THEN 0 ELSE 1 END AS dirty,
  CASE WHEN _deleted_at IS NULL THEN 0 ELSE 1 END AS deleted`;

function selectOf(warehouse: Warehouse, isDeep: boolean): string {
  const stamp = warehouse.kind === 'postgres' ? '_' : '';
  const others = FIELDS.filter((field) => field.name !== 'id' && field.type !== 'instant');
  const fields = isDeep ? `, ${others.map((field) => field.column).join(', ')}, _extra` : '';
  return `SELECT id, ${stamp}created_on AS created_on, ${stamp}updated_on AS updated_on, ${STAMPS}${fields} FROM clients`;
}

type Row = Readonly<Record<string, SqlValue>>;

function toMirrored({ kind }: Warehouse, row: Row, isDeep: boolean): Mirrored {
  return {
    id: String(row.id),
    createdOn: row.created_on as Instant | null,
    updatedOn: row.updated_on as Instant | null,
    revision: Number(row.revision),
    isDirty: Number(row.dirty) === 1,
    isDeleted: Number(row.deleted) === 1,
    values: isDeep ? FIELDS.map((field) => storedValue(kind, field.type, row[field.column] ?? null)) : [],
    extra: isDeep ? (storedValue(kind, 'json', row._extra ?? null) as string | null) : null,
  };
}

function storedValue(kind: Warehouse['kind'], type: string, value: SqlValue): FieldValue {
  if (value === null) return null;
  if (type === 'boolean') return value === 1;
  // Postgres has its own order of keys and its own spacing.
  return type === 'json' && kind === 'postgres' ? canonicalJson(JSON.parse(String(value))) : value;
}

/** Ids of random clients that are mirrored, live and unedited. */
export async function readRandomIds(warehouse: Warehouse, count: number): Promise<string[]> {
  // The inner query needs no more than an index of ids.
  const sql = `SELECT id FROM clients WHERE id IN (SELECT id FROM clients ORDER BY random() LIMIT ?)
    AND _deleted_at IS NULL AND _base IS NULL AND _create IS NULL`;
  return (await warehouse.read({ sql, params: [count] })).map((row) => String(row.id));
}
