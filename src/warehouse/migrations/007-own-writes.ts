/** Lets SQLite's triggers know a commit of the mirror's while it runs, whatever a statement of a user sets `_revision` to. */
import type { Migration } from './migration.ts';

export const ownWrites: Migration = {
  number: 7,
  name: 'own writes',
  // Above 0 while the mirror, or a trigger at its bookkeeping, writes. Postgres compares with its sequence.
  up: ({ kind }) =>
    kind === 'sqlite' ? ['ALTER TABLE mirror_revision ADD COLUMN own INTEGER NOT NULL DEFAULT 0'] : [],
};
