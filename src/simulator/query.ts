/**
 * The query string of `GET /clients`, read as strictly as a server could: an unknown or repeated parameter, a
 * `+` that is not escaped, an unknown field or a number that is none is a 400.
 */
import { badQuery, badValues } from './answer.ts';
import { FilterError, type Node, type ValueType } from './filter/ast.ts';
import { parseFilter } from './filter/parse.ts';
import { UUID } from './ids.ts';
import { FIELD_TYPES } from './row.ts';

export interface OrderKey {
  readonly name: string;
  readonly descending: boolean;
}

export interface ListQuery {
  readonly filter: Node | null;
  readonly orderby: readonly OrderKey[];
  /** null: all fields. */
  readonly select: readonly string[] | null;
  readonly skip: number;
  /** null: not given. */
  readonly top: number | null;
  readonly ownerId: string | null;
  readonly searchText: string | null;
}

/** What the server knows and allows at the moment. */
export interface QueryRules {
  /** Type of a known field; undefined: unknown. */
  typeOfField(name: string): ValueType | undefined;
  /** Must a `$select` of this field be refused although it is known? */
  refusesSelect(name: string): boolean;
  /** A larger `$top` is a 400; null: any is taken. */
  readonly topMax: number | null;
  readonly filterNodesMax: number;
}

/** What a known field is to a filter; undefined: it is none. */
export function valueTypeOf(field: string): ValueType | undefined {
  const type = FIELD_TYPES.get(field);
  if (type === 'int32' || type === 'double') return 'number';
  return type === 'json' ? 'address' : type;
}

const PARAMETERS = ['ownerId', 'searchText', '$filter', '$select', '$orderby', '$skip', '$top'];

/** @throws HttpProblem 400 */
export function parseListQuery(raw: string, rules: QueryRules): ListQuery {
  const given = readParameters(raw);
  const text = (name: string): string | null => given.get(name) ?? null;
  const top = readCount(text('$top'), '$top');
  if (top !== null && rules.topMax !== null && top > rules.topMax) {
    throw badQuery(
      `The limit of '${rules.topMax}' for Top query has been exceeded. The value from the incoming request is '${top}'.`,
    );
  }
  return {
    filter: readFilter(text('$filter'), rules),
    orderby: readOrder(text('$orderby'), rules),
    select: readSelect(text('$select'), rules),
    skip: readCount(text('$skip'), '$skip') ?? 0,
    top,
    ownerId: readOwner(text('ownerId')),
    searchText: text('searchText'),
  };
}

/** Any query on a route that takes none. @throws HttpProblem 400 */
export function refuseParameters(raw: string): void {
  if (raw !== '') throw badQuery(`The query parameter '${raw.split('=')[0]}' is not supported.`);
}

function readParameters(raw: string): Map<string, string> {
  const given = new Map<string, string>();
  if (raw === '') return given;
  for (const pair of raw.split('&')) {
    const cut = pair.indexOf('=');
    const name = decode(cut < 0 ? pair : pair.slice(0, cut));
    const value = cut < 0 ? '' : pair.slice(cut + 1);
    if (!PARAMETERS.includes(name)) {
      throw badQuery(
        name.startsWith('$')
          ? `The query parameter '${name}' is not supported.`
          : `The query parameter '${name}' is unknown.`,
      );
    }
    if (given.has(name)) {
      throw badQuery(
        `Query option '${name}' was specified more than once, but it must be specified at most once.`,
      );
    }
    // To one server a bare `+` is a plus, to the next a space: only the escaped forms are safe.
    if (name.startsWith('$') && value.includes('+')) {
      throw badQuery(`The value of '${name}' holds a '+' that is not percent-encoded.`);
    }
    given.set(name, decode(value.replaceAll('+', ' ')));
  }
  return given;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw badQuery('The query is not percent-encoded UTF-8.');
  }
}

function readFilter(text: string | null, rules: QueryRules): Node | null {
  if (text === null) return null;
  try {
    return parseFilter(text, { typeOfField: rules.typeOfField, nodesMax: rules.filterNodesMax });
  } catch (error) {
    if (error instanceof FilterError) throw badQuery(error.message);
    throw error;
  }
}

function readOrder(text: string | null, rules: QueryRules): OrderKey[] {
  if (text === null) return [];
  const keys = text.split(',').map((part) => {
    const found = /^ *(\w+)(?: +(asc|desc))? *$/.exec(part);
    const type = found?.[1] === undefined ? undefined : rules.typeOfField(found[1]);
    if (found?.[1] === undefined) throw badQuery(`Syntax error in $orderby: '${text}'.`);
    if (type === undefined) throw badQuery(unknownField(found[1]));
    if (type === 'address') {
      throw badQuery(
        `The $orderby expression '${found[1]}' must evaluate to a single value of primitive type.`,
      );
    }
    return { name: found[1], descending: found[2] === 'desc' };
  });
  const repeated = keys.find((key, n) => keys.findIndex((other) => other.name === key.name) !== n);
  if (repeated !== undefined) {
    throw badQuery(`Duplicate property named '${repeated.name}' is not supported in '$orderby'.`);
  }
  return keys;
}

function readSelect(text: string | null, rules: QueryRules): string[] | null {
  if (text === null) return null;
  const names = text.split(',').map((name) => name.trim());
  for (const name of names) {
    if (name === '') throw badQuery("The value for OData query '$select' cannot be empty.");
    if (name === '*') continue;
    if (rules.typeOfField(name) === undefined) throw badQuery(unknownField(name));
    if (rules.refusesSelect(name)) {
      throw badQuery(`The property '${name}' cannot be used in the $select query option.`);
    }
  }
  return names.includes('*') ? null : [...new Set(names)];
}

function unknownField(name: string): string {
  return `Could not find a property named '${name}' on type 'LoanSystem.Client'.`;
}

function readCount(text: string | null, name: string): number | null {
  if (text === null) return null;
  const count = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (count <= 2_147_483_647) return count;
  throw badQuery(
    `Invalid value '${text}' for ${name} query option found. The ${name} query option requires a non-negative integer value.`,
  );
}

function readOwner(text: string | null): string | null {
  if (text === null || UUID.test(text)) return text?.toLowerCase() ?? null;
  throw badValues({ ownerId: [`The value '${text}' is not valid.`] });
}
