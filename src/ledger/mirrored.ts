/**
 * Rows of `clients` as a comparison with the source needs them: canonical values from both databases alike, by
 * stretches of `createdOn` or by id, in bounded chunks. Rows that are not yet at the source are left out.
 */
import { createHash, randomUUID } from 'node:crypto';
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
  where.push('_create IS NULL');
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

type Stamped = Pick<Mirrored, 'id' | 'createdOn' | 'updatedOn'>;

/**
 * Are the live rows of a stretch just these, each once, with these stamps? Seen at the cost of one index: mostly
 * source and mirror agree. False may also mean that they could not be compared this way.
 */
export async function holdsJust(
  warehouse: Warehouse,
  stretch: Stretch,
  rows: readonly Stamped[],
): Promise<boolean> {
  const isPostgres = warehouse.kind === 'postgres';
  const created = createdColumn(warehouse);
  const updated = isPostgres ? '_updated_on' : 'updated_on';
  const { where, params } = conditionOf(created, stretch);
  // Whether a row is yet to be created is not in the index; such rows have one of their own. Postgres, while it has no
  // statistics of a young table, takes every row for one of them, and would read all of it for each page.
  const bounds = isPostgres ? where : [];
  const known = `id NOT IN (SELECT id FROM clients WHERE ${[...bounds, '_create IS NOT NULL'].join(' AND ')})`;
  const live = `SELECT coalesce(${created}, '') || id || coalesce(${updated}, '') AS one FROM clients
    WHERE ${[...where, known].join(' AND ')} AND _deleted_at IS NULL ORDER BY ${created}, id LIMIT ?`;
  // Both keep the inner order; were they not to, it would only cost a closer look. A hash spares the network.
  const all = isPostgres
    ? "encode(sha256(convert_to(coalesce(string_agg(one, ''), ''), 'UTF8')), 'hex')"
    : "coalesce(group_concat(one, ''), '')";
  const sql = `SELECT ${all} AS stretch FROM (${live}) AS live`;
  const [held] = await warehouse.read({
    sql,
    params: [...params, ...(isPostgres ? params : []), rows.length + 1],
  });
  const text = textOf(rows);
  return held?.stretch === (isPostgres ? createHash('sha256').update(text).digest('hex') : text);
}

/** Stamps and ids of rows in order. The source's order differs within one instant at the most. */
function textOf(rows: readonly Stamped[]): string {
  const isInOrder = rows.every((row, index) => index === 0 || isBefore(rows[index - 1] as Stamped, row));
  const ordered = isInOrder ? rows : [...rows].sort((a, b) => (isBefore(a, b) ? -1 : 1));
  let text = '';
  for (const { id, createdOn, updatedOn } of ordered) {
    if (createdOn !== null) text += createdOn;
    text += id;
    if (updatedOn !== null) text += updatedOn;
  }
  return text;
}

function isBefore(a: Stamped, b: Stamped): boolean {
  const [mine, other] = [a.createdOn ?? '', b.createdOn ?? ''];
  return mine === other ? a.id < b.id : mine < other;
}

function createdColumn(warehouse: Warehouse): string {
  return warehouse.kind === 'postgres' ? '_created_on' : 'created_on';
}

function conditionOf(created: string, { lane, low, high }: Stretch): { where: string[]; params: SqlValue[] } {
  const where = [`${created} IS ${lane === 'nulls' ? 'NULL' : 'NOT NULL'}`];
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

/** Bounds that cut what is mirrored into about `parts` of as many rows, ascending; where many share one, up to twice. */
export async function readQuantiles(warehouse: Warehouse, parts: number): Promise<Instant[]> {
  const created = createdColumn(warehouse);
  const [{ count = 0 } = {}] = await warehouse.read({
    sql: `SELECT count(*) AS count FROM clients WHERE ${created} IS NOT NULL`,
    params: [],
  });
  const step = Math.floor(Number(count) / parts);
  const bounds: Instant[] = [];
  if (step === 0) return bounds;
  // From bound to bound, so that the index is walked once. A group that is larger than a part is a part of its own.
  for (let last: Instant | null = null; ; ) {
    const next = await readBound(warehouse, { from: last, isBehind: false, offset: step });
    const isSame: boolean = next !== null && next === last;
    const bound: Instant | null = isSame
      ? await readBound(warehouse, { from: last, isBehind: true, offset: 0 })
      : next;
    if (bound === null) return bounds;
    bounds.push(bound);
    last = bound;
  }
}

/** createdOn of the row `offset` rows on from the first at `from`, or from the first behind it. */
async function readBound(
  warehouse: Warehouse,
  { from, isBehind, offset }: { from: Instant | null; isBehind: boolean; offset: number },
): Promise<Instant | null> {
  const created = createdColumn(warehouse);
  const where = from === null ? `${created} IS NOT NULL` : `${created} ${isBehind ? '>' : '>='} ?`;
  const sql = `SELECT ${created} AS bound FROM clients WHERE ${where} ORDER BY ${created} LIMIT 1 OFFSET ?`;
  const [row] = await warehouse.read({ sql, params: from === null ? [offset] : [from, offset] });
  return (row?.bound as Instant | undefined) ?? null;
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

const AT_REST = '_deleted_at IS NULL AND _base IS NULL AND _create IS NULL';

/** Ids of random clients that are mirrored, live and unedited; looks at every id. */
export async function readRandomIds(warehouse: Warehouse, count: number): Promise<string[]> {
  // The inner query needs no more than an index of ids.
  const sql = `SELECT id FROM clients WHERE id IN (SELECT id FROM clients ORDER BY random() LIMIT ?) AND ${AT_REST}`;
  return (await warehouse.read({ sql, params: [count] })).map((row) => String(row.id));
}

/** The same of clients that stand together at a random place in the order of ids; looks at no others. */
export async function readSomeIds(warehouse: Warehouse, count: number): Promise<string[]> {
  const from = randomUUID();
  const read = async (side: string, limit: number): Promise<string[]> => {
    const sql = `SELECT id FROM clients WHERE id ${side} ? AND ${AT_REST} ORDER BY id LIMIT ?`;
    return (await warehouse.read({ sql, params: [from, limit] })).map((row) => String(row.id));
  };
  const behind = await read('>=', count);
  return behind.length === count ? behind : [...behind, ...(await read('<', count - behind.length))];
}
