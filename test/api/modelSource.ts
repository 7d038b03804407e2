/**
 * A source in memory that answers the pager's requests as an OData server would: it reads `$filter` as text, sorts
 * with its own order of ids, skips, caps. Faults switch single options off.
 */
import type { PageRequest } from '../../src/api/readInOrder.ts';
import { addSeconds, type Instant, parseInstant } from '../../src/clients/instant.ts';
import type { ReadRow } from '../../src/clients/record.ts';

export interface ModelRow {
  readonly id: string;
  createdOn: Instant | null;
  updatedOn: Instant | null;
  /** Tells one content from another. */
  version: number;
  /** What the client of the API can read of it. */
  readable?: 'all' | 'rejected' | 'noId' | 'noKey';
}

export type IdOrder = 'text' | 'sqlServer';
type Option = '$filter' | '$orderby' | '$skip' | '$top';

export interface Server {
  readonly order: IdOrder;
  readonly cap: number;
  readonly ignores?: Option | undefined;
}

const EPOCH = parseInstant('2026-01-01T00:00:00Z') as Instant;

/** A stamp, `seconds` after an arbitrary beginning. */
export function at(seconds: number): Instant {
  return addSeconds(EPOCH, seconds);
}

/** A uuid whose text order and SQL Server order differ. */
export function idOf(n: number): string {
  const hex = n.toString(16).padStart(8, '0');
  const mixed = ((n * 2_654_435_761) >>> 0).toString(16).padStart(12, '0');
  return `${hex}-0000-4000-8000-${mixed}`;
}

export function compareIds(order: IdOrder, a: string, b: string): number {
  const [x, y] = order === 'text' ? [a, b] : [sqlServerKey(a), sqlServerKey(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

const sqlServerKeys = new Map<string, string>();

function sqlServerKey(id: string): string {
  const known = sqlServerKeys.get(id);
  if (known !== undefined) return known;
  const key = computeSqlServerKey(id);
  sqlServerKeys.set(id, key);
  return key;
}

/** SQL Server compares the last six bytes first, then the groups from right to left, their bytes as stored. */
function computeSqlServerKey(id: string): string {
  const [a = '', b = '', c = '', d = '', e = ''] = id.split('-');
  const swap = (group: string) => (group.match(/../g) ?? []).reverse().join('');
  return e + d + swap(c) + swap(b) + swap(a);
}

type Field = 'createdOn' | 'updatedOn';

/** The answer to one request, as the API's client reads it. */
export function answer(rows: readonly ModelRow[], request: PageRequest, server: Server): ReadRow[] {
  const clauses = server.ignores === '$filter' ? [] : (request.filter ?? '').split(' and ').filter(Boolean);
  const tests = clauses.map(parseClause);
  const found = rows.filter((row) => tests.every((test) => test(row)));
  if (server.ignores === '$orderby') found.sort((a, b) => compareIds('text', a.id, b.id));
  else found.sort(comparator(request.orderby, server.order));
  const skip = server.ignores === '$skip' ? 0 : request.skip;
  const top = server.ignores === '$top' ? found.length : Math.min(request.top, server.cap);
  return found.slice(skip, skip + top).map(toReadRow);
}

function parseClause(clause: string): (row: ModelRow) => boolean {
  const [, name, operator, operand = ''] = /^(createdOn|updatedOn) (ge|lt|eq|ne) (\S+)$/.exec(clause) ?? [];
  const field = name as Field;
  if (operand === 'null') {
    if (operator === 'eq') return (row) => row[field] === null;
    if (operator === 'ne') return (row) => row[field] !== null;
  } else if (operand !== '' && parseInstant(operand) === operand) {
    // OData: a comparison with null is false.
    if (operator === 'ge') return (row) => row[field] !== null && row[field] >= operand;
    if (operator === 'lt') return (row) => row[field] !== null && row[field] < operand;
  }
  throw new Error(`400: ${clause}`);
}

function comparator(orderby: string, order: IdOrder) {
  const terms = orderby.split(',').map((term) => term.split(' '));
  return (a: ModelRow, b: ModelRow): number => {
    for (const [name, direction] of terms) {
      const sign = direction === 'desc' ? -1 : 1;
      if (name === 'id') {
        const by = compareIds(order, a.id, b.id);
        if (by !== 0) return sign * by;
      } else {
        const [x, y] = [a[name as Field] ?? '', b[name as Field] ?? ''];
        if (x !== y) return x < y ? -sign : sign;
      }
    }
    return 0;
  };
}

export function toReadRow(row: ModelRow): ReadRow {
  const { id, createdOn, updatedOn, version, readable = 'all' } = row;
  if (readable === 'all') return { id, createdOn, updatedOn, values: [id, version], extra: null };
  const raw = JSON.stringify({ id, createdOn, updatedOn, version });
  return {
    id: readable === 'noId' ? null : id,
    createdOn: readable === 'noKey' ? undefined : createdOn,
    updatedOn: readable === 'noKey' ? undefined : updatedOn,
    reason: 'for the test',
    raw,
  };
}
