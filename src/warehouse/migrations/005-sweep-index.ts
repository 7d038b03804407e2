/** Puts into one index all that a sweep compares, so that it need not read the rows. */
import { createdOnIndex } from '../schema.ts';
import type { Migration } from './migration.ts';

export const sweepIndex: Migration = {
  number: 5,
  name: 'sweep index',
  up: (dialect) => ['DROP INDEX clients_created_on', createdOnIndex(dialect)],
};
