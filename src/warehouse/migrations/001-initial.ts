/**
 * The first schema: every table, every bookkeeping column, every CHECK. It names its fields, so that a field
 * which joins the table later is added by its own migration and not twice.
 */
import { FIELDS } from '../../clients/fields.ts';
import { clientsIndexes, clientsTable, mirrorTables, views } from '../schema.ts';
import type { Migration } from './migration.ts';

const COLUMNS = [
  'id external_id source owner_id referred_by_id email home_phone work_phone mobile_phone fax is_silenced',
  'is_archived created_on updated_on fico total_income total_debt_payments first_time_buyer login_token',
  'first_name last_name contact_address',
]
  .join(' ')
  .split(' ');

export const initial: Migration = {
  number: 1,
  name: 'initial',
  up: (dialect) => [
    ...mirrorTables(dialect),
    clientsTable(
      dialect,
      FIELDS.filter((field) => COLUMNS.includes(field.column)),
    ),
    ...clientsIndexes(dialect),
    ...views(dialect),
  ],
};
