/**
 * THE field table: one row a field of the Clients API, in the order of the warehouse's columns.
 * DDL, checks, `$select`, parsing, merging and the documentation are generated from it, so that adding a
 * field is one line here and one migration. Source: the published API reference; `contactAddress` is not in
 * its schema but in the vendor's examples.
 */

/** How a value travels (JSON), is checked and is stored. `json` is compared as parsed JSON. */
export type FieldType = 'uuid' | 'text' | 'instant' | 'boolean' | 'int32' | 'double' | 'json';

export interface Field {
  /** Name in the API. */
  readonly name: string;
  /** Column in the warehouse. */
  readonly column: string;
  readonly type: FieldType;
  /** May the API answer null? */
  readonly nullable: boolean;
  /** Must a POST, PUT or PATCH carry it, and is an empty value refused? */
  readonly required: boolean;
  /** May a user change it? */
  readonly writable: boolean;
  readonly doc: string;
}

const NULLABLE = { nullable: true, required: false, writable: true } as const;
const REQUIRED = { nullable: false, required: true, writable: true } as const;
const PLAIN = { nullable: false, required: false, writable: true } as const;

export const FIELDS: readonly Field[] = [
  {
    name: 'id',
    column: 'id',
    type: 'uuid',
    nullable: false,
    required: false,
    writable: false,
    doc: 'Identifier, given by the source',
  },
  {
    name: 'externalId',
    column: 'external_id',
    type: 'text',
    ...NULLABLE,
    doc: 'Identifier in another system',
  },
  { name: 'source', column: 'source', type: 'text', ...NULLABLE, doc: 'Where the client came from' },
  { name: 'ownerId', column: 'owner_id', type: 'uuid', ...NULLABLE, doc: 'The user who owns the client' },
  {
    name: 'referredById',
    column: 'referred_by_id',
    type: 'uuid',
    ...NULLABLE,
    doc: 'Who referred the client',
  },
  { name: 'email', column: 'email', type: 'text', ...REQUIRED, doc: 'Email address' },
  { name: 'homePhone', column: 'home_phone', type: 'text', ...NULLABLE, doc: 'Phone at home' },
  { name: 'workPhone', column: 'work_phone', type: 'text', ...NULLABLE, doc: 'Phone at work' },
  { name: 'mobilePhone', column: 'mobile_phone', type: 'text', ...NULLABLE, doc: 'Mobile phone' },
  { name: 'fax', column: 'fax', type: 'text', ...NULLABLE, doc: 'Fax number' },
  { name: 'isSilenced', column: 'is_silenced', type: 'boolean', ...PLAIN, doc: 'Gets no messages' },
  { name: 'isArchived', column: 'is_archived', type: 'boolean', ...PLAIN, doc: 'Put away' },
  {
    name: 'createdOn',
    column: 'created_on',
    type: 'instant',
    nullable: false,
    required: false,
    writable: false,
    doc: 'When the source created it; never changes',
  },
  {
    name: 'updatedOn',
    column: 'updated_on',
    type: 'instant',
    nullable: true,
    required: false,
    writable: false,
    doc: 'When the source last changed it; null until a first update',
  },
  { name: 'fico', column: 'fico', type: 'int32', ...NULLABLE, doc: 'Credit score' },
  { name: 'totalIncome', column: 'total_income', type: 'double', ...NULLABLE, doc: 'Total income' },
  {
    name: 'totalDebtPayments',
    column: 'total_debt_payments',
    type: 'double',
    ...NULLABLE,
    doc: 'Total of debt payments',
  },
  {
    name: 'firstTimeBuyer',
    column: 'first_time_buyer',
    type: 'boolean',
    ...NULLABLE,
    doc: 'Buys for the first time',
  },
  {
    name: 'loginToken',
    column: 'login_token',
    type: 'text',
    ...NULLABLE,
    doc: 'Secret login token; excluded unless asked for',
  },
  { name: 'firstName', column: 'first_name', type: 'text', ...REQUIRED, doc: 'First name' },
  { name: 'lastName', column: 'last_name', type: 'text', ...REQUIRED, doc: 'Last name' },
  {
    name: 'contactAddress',
    column: 'contact_address',
    type: 'json',
    ...NULLABLE,
    doc: 'Postal address: addressLine1, addressLine2, city, state, zipCode',
  },
];

export const FIELD_NAMES: readonly string[] = FIELDS.map((field) => field.name);

/** Pattern of the published schema, anchored: what a user may write into `email`. */
export const EMAIL_PATTERN = '^[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\\.[a-zA-Z]{2,}$';

/** Fields without which a row can be neither placed nor compared. */
export const NEVER_EXCLUDED: readonly string[] = ['id', 'createdOn', 'updatedOn'];

/** Fields that a push needs: they can be excluded only where nothing is pushed. */
export const EXCLUDED_ONLY_READING: readonly string[] = ['email', 'firstName', 'lastName', 'externalId'];

export function fieldByName(name: string): Field | undefined {
  return FIELDS.find((field) => field.name === name);
}
