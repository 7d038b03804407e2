/** Prepared statements of one connection, kept by their text: preparing costs more than running most of them. */
import type { Statement } from 'better-sqlite3';
import type { SqlValue } from '../warehouse.ts';
import type { Connection } from './file.ts';

type Bound = string | number | bigint | null;
export type Prepared = Statement<unknown[]>;
type PreparedRaw = Statement<unknown[], SqlValue[]>;

export interface Statements {
  prepare(sql: string): Prepared;
  /** For statements whose rows are wanted as arrays. */
  prepareRaw(sql: string): PreparedRaw;
}

/** How many texts are kept; use cases have some dozens. */
const KEPT_MAX = 300;

export function createStatements(db: Connection): Statements {
  const kept = new Map<string, Prepared>();
  const keptRaw = new Map<string, PreparedRaw>();
  return {
    prepare: (sql) => remember(kept, sql, () => db.prepare<unknown[]>(sql)),
    prepareRaw: (sql) => remember(keptRaw, sql, () => db.prepare<unknown[], SqlValue[]>(sql).raw()),
  };
}

function remember<T>(kept: Map<string, T>, sql: string, make: () => T): T {
  const known = kept.get(sql);
  if (known !== undefined) return known;
  const oldest = kept.keys().next();
  if (kept.size >= KEPT_MAX && !oldest.done) kept.delete(oldest.value);
  const made = make();
  kept.set(sql, made);
  return made;
}

/** The driver binds every number as a real, which a text column would keep as '5.0': whole ones go as integers. */
export function bound(params: readonly SqlValue[]): Bound[] {
  return params.map((value) => (Number.isSafeInteger(value) ? BigInt(value as number) : value));
}

/**
 * A text that depends on a number of rows, made once a number: it is the key by which its statement is found, and a
 * text that is put together anew must be hashed anew.
 */
export function byCount(make: (count: number) => string): (count: number) => string {
  const made: string[] = [];
  return (count) => {
    made[count] ??= make(count);
    return made[count];
  };
}

/** `?, ?, ?` */
export function marks(count: number): string {
  return new Array(count).fill('?').join(', ');
}
