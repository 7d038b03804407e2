/** What a migration is: a number, a name, and statements generated for a dialect. */
import type { Dialect } from '../dialect.ts';

export interface Migration {
  readonly number: number;
  readonly name: string;
  up(dialect: Dialect): readonly string[];
}
