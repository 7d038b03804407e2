/**
 * What a client looks like inside the simulator: the API's own names and values, stamps as seven-digit text.
 * The known fields come from the field table, so that the simulator cannot drift from what the mirror expects.
 */
import { FIELDS, type FieldType } from '../clients/fields.ts';

export type ContactAddress = {
  readonly addressLine1: string | null;
  readonly addressLine2: string | null;
  readonly city: string | null;
  readonly state: string | null;
  readonly zipCode: string | null;
};

/** `createdOn` is null only where a test says so: the published schema does not exclude it. */
export type ClientRow = {
  readonly externalId: string | null;
  readonly source: string | null;
  readonly ownerId: string | null;
  readonly referredById: string | null;
  readonly email: string;
  readonly homePhone: string | null;
  readonly workPhone: string | null;
  readonly mobilePhone: string | null;
  readonly fax: string | null;
  readonly isSilenced: boolean;
  readonly isArchived: boolean;
  readonly createdOn: string | null;
  readonly updatedOn: string | null;
  readonly fico: number | null;
  readonly totalIncome: number | null;
  readonly totalDebtPayments: number | null;
  readonly firstTimeBuyer: boolean | null;
  readonly loginToken: string | null;
  readonly id: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly contactAddress: ContactAddress | null;
};

/** The two keys a client can be read by in order. */
export type StampKey = 'createdOn' | 'updatedOn';

/** A client with every optional field empty; what a POST does not give stays like this. */
export const BLANK_ROW: ClientRow = {
  externalId: null,
  source: null,
  ownerId: null,
  referredById: null,
  email: '',
  homePhone: null,
  workPhone: null,
  mobilePhone: null,
  fax: null,
  isSilenced: false,
  isArchived: false,
  createdOn: null,
  updatedOn: null,
  fico: null,
  totalIncome: null,
  totalDebtPayments: null,
  firstTimeBuyer: null,
  loginToken: null,
  id: '',
  firstName: '',
  lastName: '',
  contactAddress: null,
};

export const ADDRESS_FIELDS: readonly string[] = ['addressLine1', 'addressLine2', 'city', 'state', 'zipCode'];

export const FIELD_TYPES: ReadonlyMap<string, FieldType> = new Map(
  FIELDS.map((field) => [field.name, field.type]),
);

/** Any field by name; undefined for a field this row does not have. */
export function fieldOf(row: ClientRow, name: string): unknown {
  return (row as Readonly<Record<string, unknown>>)[name];
}
