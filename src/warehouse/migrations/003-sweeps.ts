/** What a reconcile keeps: sweeps with their spans, what each found, and the certificate of those that ended. */
import type { Migration } from './migration.ts';

export const sweeps: Migration = {
  number: 3,
  name: 'sweeps',
  up: (dialect) => [
    `CREATE TABLE mirror_sweeps (id ${dialect.serial}, mode TEXT NOT NULL, state TEXT NOT NULL,
      shape TEXT NOT NULL, started_at TEXT NOT NULL, finished_at TEXT, certificate TEXT)`,
    // As mirror_windows; key, seen and seam tell how far a span is compared, rows how many rows that were.
    `CREATE TABLE mirror_sweep_spans (id ${dialect.serial}, sweep_id BIGINT NOT NULL, lane TEXT NOT NULL,
      low TEXT, high TEXT, key TEXT, seen BIGINT NOT NULL DEFAULT 0, seam TEXT, rows BIGINT NOT NULL DEFAULT 0,
      done INTEGER NOT NULL DEFAULT 0)`,
    'CREATE INDEX mirror_sweep_spans_sweep ON mirror_sweep_spans (sweep_id)',
    // Ids met at one instant that holds too many of them for memory.
    'CREATE TABLE mirror_sweep_ids (span_id BIGINT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (span_id, id))',
    // what: missing, stale, differs, returned, absent. outcome NULL: not yet looked at.
    `CREATE TABLE mirror_findings (sweep_id BIGINT NOT NULL, id TEXT NOT NULL, what TEXT NOT NULL, fields TEXT,
      news INTEGER NOT NULL DEFAULT 0, at TEXT NOT NULL, outcome TEXT, PRIMARY KEY (sweep_id, id))`,
    'CREATE INDEX mirror_findings_open ON mirror_findings (sweep_id, what, id) WHERE outcome IS NULL',
    'CREATE INDEX mirror_findings_client ON mirror_findings (id)',
  ],
};
