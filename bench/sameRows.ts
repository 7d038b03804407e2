/**
 * Does a run's result equal the source? Every row is written in one way whatever it came from, and the hashes are
 * added up, so that order does not matter. Stamps count to the microsecond, which is what `timestamptz` holds; their
 * seventh digit is the tests'.
 */
import { createHash } from 'node:crypto';
import { FIELDS, type Field } from '../src/clients/fields.ts';
import { parseInstant } from '../src/clients/instant.ts';
import { canonicalJson } from '../src/clients/record.ts';
import type { Row } from './floor.ts';

const READ = FIELDS.filter((field) => field.name !== 'loginToken');
const MICROSECONDS = 'YYYY-MM-DDTHH:MM:SS.ffffff'.length;

export interface Sum {
  add(row: Row): void;
  /** Count and sum, as text. */
  toString(): string;
}

/** @param nameOf the name of a field in the rows that are added: the API's or the column */
export function createSum(nameOf: (field: Field) => string): Sum {
  let rows = 0;
  let sum = 0n;
  return {
    add(row) {
      rows += 1;
      const text = canonicalJson(READ.map((field) => canonical(field, row[nameOf(field)] ?? null)));
      sum += createHash('sha256').update(text).digest().readBigUInt64BE();
    },
    toString: () => `${rows} rows, ${sum.toString(16)}`,
  };
}

function canonical({ type }: Field, value: unknown): unknown {
  if (value === null) return null;
  if (type === 'boolean') return value === true || value === 1;
  if (type === 'json') return typeof value === 'string' ? JSON.parse(value) : value;
  if (type !== 'instant') return value;
  // Postgres drops trailing zeros and the letter; both come back as we write them.
  return parseInstant(value)?.slice(0, MICROSECONDS);
}

/** The columns of a table for `createSum`, as Postgres must be asked for them. */
export function postgresColumns(): string {
  return READ.map(({ column, type }) =>
    type === 'instant'
      ? `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS ${column}`
      : column,
  ).join(', ');
}
