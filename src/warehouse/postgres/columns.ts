/** A page's columns as arrays, and the parts of SQL that every statement which writes a page is made of. */
import { FIELDS, type Field, type FieldType } from '../../clients/fields.ts';
import type { ClientRecord, FieldValue } from '../../clients/record.ts';
import { binaryArray, type ElementType } from './arrays.ts';

const ARRAY_TYPES: Readonly<Record<FieldType, ElementType>> = {
  uuid: 'uuid',
  text: 'text',
  instant: 'timestamptz',
  boolean: 'boolean',
  int32: 'integer',
  double: 'double precision',
  json: 'jsonb',
};

interface Column {
  readonly name: string;
  readonly type: ElementType;
  value(row: ClientRecord): FieldValue;
}

/** Every column that the source decides: the fields, the stamps as text, the unknown fields. */
export const COLUMNS: readonly Column[] = [
  ...FIELDS.map(fieldColumn),
  { name: '_created_on', type: 'text', value: (row) => row.createdOn },
  { name: '_updated_on', type: 'text', value: (row) => row.updatedOn },
  { name: '_extra', type: 'jsonb', value: (row) => row.extra },
];

function fieldColumn(field: Field, index: number): Column {
  return { name: field.column, type: ARRAY_TYPES[field.type], value: (row) => row.values[index] ?? null };
}

export const NAMES = COLUMNS.map((column) => column.name);
const CHANGING = NAMES.filter((name) => name !== 'id');
const UPDATED_ON = '_updated_on';
/** A stamp's own column is cut; the text beside it is compared, and first, for where it differs nothing else is. */
export const COMPARED = [
  UPDATED_ON,
  ...COLUMNS.filter(({ type }) => type !== 'timestamptz')
    .map(({ name }) => name)
    .filter((name) => name !== 'id' && name !== UPDATED_ON),
];
export const STAMP = (row: string): string => `coalesce(${row}.${UPDATED_ON}, '')`;
/** No edit and no create of a user's is in it. */
export const CLEAN = 'c._base IS NULL AND c._create IS NULL';
export const NEWER = `${STAMP('i')} > ${STAMP('c')}`;
export const OVERWRITE = `${CHANGING.map((name) => `${name} = i.${name}`).join(', ')}, _deleted_at = NULL`;

/** One row an element, the first array being parameter `first`. In the target list, where nothing is kept aside. */
export function inputFrom(first: number): string {
  return `SELECT ${COLUMNS.map(({ name, type }, at) => `unnest($${first + at}::${type}[]) AS ${name}`).join(', ')}`;
}

export function list(row: string, names: readonly string[]): string {
  return names.map((name) => `${row}.${name}`).join(', ');
}

/** The rows, one array a column. */
export function toArrays(rows: readonly ClientRecord[]): readonly Buffer[] {
  return COLUMNS.map(({ type, value }) => binaryArray(type, rows, value));
}
