/** How late rows of the source became visible, as a distribution, and which fields it was seen with. */
import type { Migration } from './migration.ts';

export const latenessAndDrift: Migration = {
  number: 4,
  name: 'lateness and drift',
  up: () => [
    // One row a class of lateness: up to `bound` seconds. over: how many were later than the lookback of their time.
    `CREATE TABLE mirror_lateness (bound INTEGER PRIMARY KEY NOT NULL, count BIGINT NOT NULL,
      max_ms BIGINT NOT NULL, over BIGINT NOT NULL, over_at TEXT)`,
    // type: JSON types, sorted, joined with a bar. change: what was told last, NULL where nothing was.
    `CREATE TABLE mirror_fields (name TEXT PRIMARY KEY NOT NULL, type TEXT NOT NULL, present INTEGER NOT NULL,
      change TEXT, was TEXT, at TEXT NOT NULL)`,
  ],
};
