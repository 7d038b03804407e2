/**
 * A row of the API, made safe: `parseRow` turns what came over the wire into a ClientRecord whose values are
 * canonical (equal clients have equal values), or into a RejectedRow that says why it cannot be mirrored.
 *
 * Words, never doubled: *client* = the business record only (the HTTP side is `api`, the database `warehouse`);
 * *base* = the state both sides last agreed on; *local* / *remote* = the two changed copies; *edit* = a captured
 * local change; *window* = a half-open span of `createdOn` or `updatedOn`; *place* = where a read stands (key,
 * rows seen at it, seam); *cursor* = the stored place's key, as a user sees it; *run* = one execution;
 * *sweep* = comparison of ids that finds deletions; *conflict* = a field changed on both sides; *quarantine* =
 * a row we cannot accept, kept with its reason.
 */
import { FIELDS, type Field, type FieldType } from './fields.ts';
import { type Instant, parseInstant } from './instant.ts';
import { parseUuid } from './uuid.ts';

/** A canonical value: uuids in lower case, stamps as Instant, `json` as text with sorted keys. */
export type FieldValue = string | number | boolean | null;

export interface ClientRecord {
  readonly id: string;
  readonly createdOn: Instant | null;
  readonly updatedOn: Instant | null;
  /** One value a field, in the order of FIELDS. */
  readonly values: readonly FieldValue[];
  /** Fields that this version does not know, as canonical JSON text. */
  readonly extra: string | null;
}

export interface RejectedRow {
  /** null when the row has no readable id. */
  readonly id: string | null;
  /** undefined when the stamp is there but cannot be read. */
  readonly createdOn: Instant | null | undefined;
  readonly updatedOn: Instant | null | undefined;
  /** Why it cannot be mirrored, in words for the user. Never quotes a value. */
  readonly reason: string;
  /** The row as JSON text, without the excluded fields. */
  readonly raw: string;
}

export type ReadRow = ClientRecord | RejectedRow;

export interface ParseOptions {
  /** API names of the fields that must never be stored. */
  readonly excluded: ReadonlySet<string>;
  /** Can the warehouse hold U+0000 in a text? Postgres cannot. */
  readonly acceptsNul: boolean;
}

export function isRejected(row: ReadRow): row is RejectedRow {
  return 'reason' in row;
}

/** No address is nested so deeply; what is cannot be written down again (JSON.stringify gives up at some thousand). */
const LEVELS_MAX = 100;
const KNOWN = new Set(FIELDS.map((field) => field.name));
const ID = FIELDS.findIndex((field) => field.name === 'id');
const CREATED_ON = FIELDS.findIndex((field) => field.name === 'createdOn');
const UPDATED_ON = FIELDS.findIndex((field) => field.name === 'updatedOn');

/**
 * Checks and canonises one row of a list or one client. Absent optional fields read as null (servers leave
 * nulls out); unknown fields go to `extra`; excluded ones are dropped before anything else looks at them.
 */
export function parseRow(raw: unknown, options: ParseOptions): ReadRow {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    const nothing = { id: null, createdOn: null, updatedOn: null };
    return { ...nothing, reason: 'the row is not a JSON object', raw: rawText(raw, options.excluded) };
  }
  const row = raw as Readonly<Record<string, unknown>>;
  const values: FieldValue[] = new Array(FIELDS.length).fill(null);
  let known = 0;
  for (let index = 0; index < FIELDS.length; index += 1) {
    const field = FIELDS[index] as Field;
    if (options.excluded.has(field.name)) continue;
    const value = row[field.name];
    if (value !== undefined) known += 1;
    const read = readValue(field, value);
    if (typeof read === 'object' && read !== null)
      return reject(row, options, `${field.name} ${read.problem}`);
    if (typeof read === 'string' && !options.acceptsNul && holdsNul(field, read)) {
      return reject(row, options, `${field.name} holds the character U+0000, which Postgres cannot store`);
    }
    values[index] = read;
  }
  const unknown = Object.keys(row).length === known ? null : unknownFields(row, options.excluded);
  if (isDeeper(unknown, LEVELS_MAX)) return reject(row, options, `an unknown field ${TOO_DEEP.problem}`);
  const extra = unknown === null ? null : canonicalJson(unknown);
  if (extra !== null && !options.acceptsNul && holdsEscapedNul(extra)) {
    return reject(row, options, 'an unknown field holds the character U+0000, which Postgres cannot store');
  }
  return {
    id: values[ID] as string,
    createdOn: values[CREATED_ON] as Instant | null,
    updatedOn: values[UPDATED_ON] as Instant | null,
    values,
    extra,
  };
}

/** JSON text with sorted keys and well-formed strings: equal values have equal texts. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(isFlatAndSorted(value) ? value : canonical(value));
}

/** What an address mostly is, and then canonical as it stands: plain values, well-formed, keys in order. */
function isFlatAndSorted(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  let before = '';
  for (const key in value) {
    const inner = (value as Readonly<Record<string, unknown>>)[key];
    const isPlain = typeof inner === 'string' ? inner.isWellFormed() : inner === null;
    if (!isPlain || key < before || !Object.hasOwn(value, key)) return false;
    before = key;
  }
  return before.isWellFormed();
}

function canonical(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(canonical);
  const entries = Object.entries(value).map(
    ([key, inner]) => [key.toWellFormed(), canonical(inner)] as const,
  );
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

interface Problem {
  readonly problem: string;
}

const TOO_DEEP: Problem = { problem: `is nested deeper than ${LEVELS_MAX} levels` };

/** Are there so many levels of objects and arrays in it, or more? */
function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  for (const inner of Object.values(value)) if (isDeeper(inner, levels - 1)) return true;
  return false;
}

/**
 * A row as well-formed JSON text, whatever it holds and at whatever depth the row itself lies in it: without the
 * excluded fields, and without a value that is nested too deeply to be written down.
 */
export function rawText(row: unknown, excluded: ReadonlySet<string>): string {
  const keep = (name: string, value: unknown) => (isExcluded(name, excluded) ? undefined : value);
  if (!isDeeper(row, LEVELS_MAX + 1)) return JSON.stringify(row, keep).toWellFormed();
  const members = Object.entries(row as object).map(([name, value]) => [
    name,
    isDeeper(value, LEVELS_MAX) ? 'left out: nested too deeply' : value,
  ]);
  return JSON.stringify(Object.fromEntries(members), keep).toWellFormed();
}

/** One reader a type: what the API sent → canonical value, or the problem in words. */
const READERS: Readonly<Record<FieldType, (value: unknown) => FieldValue | Problem>> = {
  text: (value) => (typeof value === 'string' ? value.toWellFormed() : { problem: 'is not a string' }),
  uuid: (value) => parseUuid(value) ?? { problem: 'is not a uuid' },
  instant: (value) => parseInstant(value) ?? { problem: 'is not a timestamp' },
  boolean: (value) => (typeof value === 'boolean' ? value : { problem: 'is not true or false' }),
  // Adding zero turns -0, which JSON can carry and a database may not, into 0.
  int32: (value) => (isInt32(value) ? value + 0 : { problem: 'is not a whole number of 32 bits' }),
  double: (value) => (Number.isFinite(value) ? (value as number) + 0 : { problem: 'is not a finite number' }),
  json: (value) => {
    if (typeof value !== 'object') return { problem: 'is not a JSON object' };
    return isDeeper(value, LEVELS_MAX) ? TOO_DEEP : canonicalJson(value);
  },
};

/** Reads one value of the API. Returns the canonical value, or the problem in words. */
export function readValue(field: Field, value: unknown): FieldValue | Problem {
  if (value !== null && value !== undefined) return READERS[field.type](value);
  // createdOn is read by a lane of its own where it is null; the rest of what the schema promises is needed.
  const fits =
    value === null ? field.nullable || field.name === 'createdOn' : !field.required && field.name !== 'id';
  if (fits) return null;
  return { problem: value === null ? 'is null, which the API never answers' : 'is missing' };
}

function isInt32(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && Math.abs(value + 0.5) < 2 ** 31;
}

function holdsNul(field: Field, text: string): boolean {
  return field.type === 'json' ? holdsEscapedNul(text) : text.includes('\0');
}

/** JSON text writes U+0000 as an escape, which an even run of backslashes before it turns into plain text. */
function holdsEscapedNul(json: string): boolean {
  return json.includes('\\u0000') && /(?<!\\)(?:\\\\)*\\u0000/.test(json);
}

function unknownFields(row: Readonly<Record<string, unknown>>, excluded: ReadonlySet<string>): object | null {
  let extra: Record<string, unknown> | null = null;
  for (const name in row) {
    // OData annotations (`@odata.etag`) describe the answer, not the client.
    if (KNOWN.has(name) || isExcluded(name, excluded) || name.includes('@')) continue;
    extra ??= Object.create(null) as Record<string, unknown>;
    extra[name] = row[name];
  }
  return extra;
}

/** Is it a field that must not be stored, however a server that has changed spells it (`LoginToken`)? */
function isExcluded(name: string, excluded: ReadonlySet<string>): boolean {
  if (excluded.has(name)) return true;
  const plain = name.toLowerCase();
  for (const one of excluded) if (one.toLowerCase() === plain) return true;
  return false;
}

function reject(row: Readonly<Record<string, unknown>>, options: ParseOptions, reason: string): RejectedRow {
  return {
    id: parseUuid(row.id),
    createdOn: readStamp(row.createdOn),
    updatedOn: readStamp(row.updatedOn),
    reason,
    raw: rawText(row, options.excluded),
  };
}

function readStamp(value: unknown): Instant | null | undefined {
  return value === null || value === undefined ? null : (parseInstant(value) ?? undefined);
}
