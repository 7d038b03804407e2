/**
 * The body of a POST, PUT or PATCH → the fields it sets, or a 400 that names each value that does not fit.
 *
 * As .NET would: `id`, `createdOn` and `updatedOn` are read-only and silently left out. Stricter than .NET by
 * default: a field that the API does not know is refused, so that a misspelt one shows.
 */
import { EMAIL_PATTERN, FIELDS, type Field, type FieldType } from '../clients/fields.ts';
import { badValues } from './answer.ts';
import { UUID } from './ids.ts';
import { ADDRESS_FIELDS, type ClientRow } from './row.ts';

const EMAIL = new RegExp(EMAIL_PATTERN);

const NET_TYPES: Readonly<Record<FieldType, string>> = {
  uuid: 'System.Nullable`1[System.Guid]',
  text: 'System.String',
  instant: 'System.DateTimeOffset',
  boolean: 'System.Boolean',
  int32: 'System.Nullable`1[System.Int32]',
  double: 'System.Nullable`1[System.Double]',
  json: 'LoanSystem.Address',
};

/** @throws HttpProblem 400 */
export function parseBody(bytes: Buffer, known: ReadonlySet<string>): Partial<ClientRow> {
  const body = parseObject(bytes);
  const errors: Record<string, string[]> = {};
  const fields: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(body)) {
    const field = known.has(name) ? FIELDS.find((candidate) => candidate.name === name) : undefined;
    if (field === undefined) {
      errors[`$.${name}`] = [`The JSON property '${name}' could not be mapped to any .NET member.`];
    } else if (field.writable) {
      const problem = problemOf(field, value);
      if (problem !== null) errors[`$.${name}`] = [problem];
      fields[name] = field.type === 'uuid' && typeof value === 'string' ? value.toLowerCase() : value;
      if (field.type === 'json' && value !== null) fields[name] = wholeAddress(value);
    }
  }
  // A body that cannot be converted is refused before its values are looked at.
  if (Object.keys(errors).length > 0) throw badValues(errors);
  checkRequired(fields);
  return fields as Partial<ClientRow>;
}

function parseObject(bytes: Buffer): Record<string, unknown> {
  let body: unknown;
  try {
    body =
      bytes.length === 0 ? undefined : JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw badValues({ $: ['The JSON value could not be read.'] });
  }
  if (body === undefined) throw badValues({ '': ['A non-empty request body is required.'] });
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw badValues({ $: ['The JSON value could not be converted to LoanSystem.Client.'] });
  }
  return body as Record<string, unknown>;
}

function problemOf(field: Field, value: unknown): string | null {
  if (value === null ? field.nullable || field.required : fits(field.type, value)) return null;
  const type = NET_TYPES[field.type];
  return `The JSON value could not be converted to ${type}. Path: $.${field.name}.`;
}

function fits(type: FieldType, value: unknown): boolean {
  switch (type) {
    case 'text':
      return typeof value === 'string' && value.isWellFormed();
    case 'uuid':
      return typeof value === 'string' && UUID.test(value);
    case 'boolean':
      return typeof value === 'boolean';
    case 'int32':
      return Number.isInteger(value) && Math.abs((value as number) + 0.5) < 2 ** 31;
    case 'double':
      return Number.isFinite(value);
    case 'json':
      return isAddress(value);
    default:
      return false;
  }
}

function isAddress(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.entries(value).every(
    ([name, part]) => ADDRESS_FIELDS.includes(name) && (part === null || typeof part === 'string'),
  );
}

function wholeAddress(value: unknown): unknown {
  const given = value as Readonly<Record<string, unknown>>;
  return Object.fromEntries(ADDRESS_FIELDS.map((name) => [name, given[name] ?? null]));
}

/** Every write must carry these, a PATCH too. */
function checkRequired(fields: Readonly<Record<string, unknown>>): void {
  const errors: Record<string, string[]> = {};
  for (const { name, required } of FIELDS) {
    if (!required) continue;
    const title = name.charAt(0).toUpperCase() + name.slice(1);
    const value = fields[name];
    if (typeof value !== 'string' || value.trim() === '') errors[title] = [`The ${title} field is required.`];
    else if (name === 'email' && !EMAIL.test(value)) {
      errors[title] = [`The field ${title} must match the regular expression '${EMAIL_PATTERN}'.`];
    }
  }
  if (Object.keys(errors).length > 0) throw badValues(errors);
}
