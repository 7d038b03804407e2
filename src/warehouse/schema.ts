/**
 * The DDL, generated from the field table and the table list: pure, one text for both databases but for what
 * the dialect says. Triggers are the drivers' own (each speaks its database's language).
 */
import { FIELDS, type Field } from '../clients/fields.ts';
import type { Dialect } from './dialect.ts';
import { TABLES } from './tables.ts';

/** Statements that create the mirror's own tables and the counter. */
export function mirrorTables(dialect: Dialect): readonly string[] {
  const tables = TABLES.flatMap((table) => {
    const columns = table.columns.map((column) => column.replace(/\bSERIAL\b/, dialect.serial));
    return [`CREATE TABLE ${table.name} (\n  ${columns.join(',\n  ')}\n)`, ...(table.indexes ?? [])];
  });
  return [...tables, ...dialect.counter];
}

/** The statement that creates `clients`: the fields in their order, bookkeeping, named CHECKs. */
export function clientsTable(dialect: Dialect, fields: readonly Field[] = FIELDS): string {
  const checks = [...fields.map((field) => dialect.check(field)), ...dialect.checks]
    .filter((check) => check !== null)
    .map((check) => `CONSTRAINT "${check.name}" CHECK (${check.sql})`);
  const parts = [...fields.map((field) => columnOf(dialect, field)), ...dialect.bookkeeping, ...checks];
  return `CREATE TABLE clients (\n  ${parts.join(',\n  ')}\n)`;
}

function columnOf(dialect: Dialect, field: Field): string {
  if (field.name === 'id') return `id ${dialect.idColumn}`;
  // No NOT NULL: an excluded field is never stored. A flag that a user's INSERT leaves out is off.
  const isFlag = field.type === 'boolean' && !field.nullable;
  const preset = isFlag ? ` DEFAULT ${dialect.falseValue}` : '';
  return `${field.column} ${dialect.types[field.type]}${preset}`;
}

/** What makes a row an edited one, in the words of the partial index: a query must repeat them to use it. */
const EDITED = '(_base IS NOT NULL OR _create IS NOT NULL)';

/** What makes a row wait for a push: it is edited, and has not given up at just these edits. */
export function pushQueueCondition(dialect: Dialect): string {
  return `${EDITED} AND _parked ${dialect.distinct} _edits`;
}

/** Indexes of `clients`: apart from the table, so that a first backfill may build them at its end. */
export function clientsIndexes(dialect: Dialect): readonly string[] {
  const { updatedOn } = dialect.stamps;
  return [
    createdOnIndex(dialect),
    `CREATE INDEX clients_updated_on ON clients (${updatedOn})`,
    'CREATE INDEX clients_external_id ON clients (external_id) WHERE external_id IS NOT NULL',
    // Parked rows stand in it too: they are few, and a second index would cost every edit of a user.
    `CREATE INDEX clients_push_queue ON clients (_edited_at, id) WHERE ${EDITED}`,
    'CREATE INDEX clients_creates ON clients (lower(trim(external_id))) WHERE _create IS NOT NULL',
    'CREATE INDEX clients_deleted ON clients (_deleted_at) WHERE _deleted_at IS NOT NULL',
  ];
}

/** All that a sweep compares: it reads no row of the table itself where source and mirror agree. */
export function createdOnIndex({ stamps }: Dialect): string {
  return `CREATE INDEX clients_created_on ON clients (${stamps.createdOn}, id, ${stamps.updatedOn}, _deleted_at)`;
}

/** `clients_live` is public. `mirror_stamps` gives use cases the canonical stamps under one name in both. */
export function views(dialect: Dialect): readonly string[] {
  const { createdOn, updatedOn } = dialect.stamps;
  return [
    'CREATE VIEW clients_live AS SELECT * FROM clients WHERE _deleted_at IS NULL',
    `CREATE VIEW mirror_stamps AS SELECT id, ${createdOn} AS created_on, ${updatedOn} AS updated_on,
  _revision AS revision, _deleted_at AS deleted_at FROM clients`,
  ];
}
