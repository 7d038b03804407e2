/**
 * The mirror's own tables, one row a table, the same in both warehouses: stamps are canonical text, milliseconds
 * are our own clock's, JSON is text. `clients` itself is generated from the field table in schema.ts.
 * Append only: a table that shipped changes by a migration, never here alone.
 */
export interface Table {
  readonly name: string;
  /** Column definitions; `SERIAL` stands for the dialect's ascending integer primary key. */
  readonly columns: readonly string[];
  /** Further statements, complete. */
  readonly indexes?: readonly string[];
}

export const TABLES: readonly Table[] = [
  // What the triggers must know and what the engine found out, by name (ledger/settings.ts), and the mirror's identity.
  { name: 'mirror_settings', columns: ['name TEXT PRIMARY KEY NOT NULL', 'value TEXT'] },
  // A lease is held while holder is set and expires_ms is ahead; fence rises with each holder and never falls.
  {
    name: 'mirror_leases',
    columns: [
      'name TEXT PRIMARY KEY NOT NULL',
      'holder TEXT',
      'fence BIGINT NOT NULL',
      'expires_ms BIGINT NOT NULL',
    ],
  },
  // The two incremental streams: where each rests, and where a pull that is under way (or was killed) stands.
  {
    name: 'mirror_places',
    columns: [
      'stream TEXT PRIMARY KEY NOT NULL',
      'key TEXT',
      'seen BIGINT NOT NULL',
      'seam TEXT',
      'at_ms BIGINT NOT NULL',
      'began_ms BIGINT',
      'date TEXT',
      'walk TEXT', // JSON of the walk under way, else NULL
      'tail TEXT', // JSON of the rows stamped too far ahead to be a place, else NULL
    ],
  },
  {
    name: 'mirror_backfills',
    columns: [
      'id SERIAL',
      'state TEXT NOT NULL',
      'shape TEXT NOT NULL',
      'started_at TEXT NOT NULL',
      'finished_at TEXT',
    ],
  },
  // Half-open spans of createdOn (lane values), or the lane of rows without one (lane nulls).
  {
    name: 'mirror_windows',
    columns: [
      'id SERIAL',
      'backfill_id BIGINT NOT NULL',
      'lane TEXT NOT NULL',
      'low TEXT',
      'high TEXT',
      'key TEXT',
      'seen BIGINT NOT NULL DEFAULT 0',
      'seam TEXT',
      'rows BIGINT NOT NULL DEFAULT 0',
      'done INTEGER NOT NULL DEFAULT 0',
    ],
    indexes: ['CREATE INDEX mirror_windows_open ON mirror_windows (backfill_id) WHERE done = 0'],
  },
  // The one to-do list of single ids. listings rises with each listing, so that a read which began before the
  // last one cannot tick it off; seen/seen_at: what a read by id said, and when, until it is believed.
  {
    name: 'mirror_refetch',
    columns: [
      'id TEXT PRIMARY KEY NOT NULL',
      'reason TEXT NOT NULL',
      'listed_at TEXT NOT NULL',
      'due_at TEXT NOT NULL',
      'listings BIGINT NOT NULL DEFAULT 1',
      'seen TEXT',
      'seen_at TEXT',
    ],
    indexes: ['CREATE INDEX mirror_refetch_due ON mirror_refetch (due_at)'],
  },
  // id: the client's id, or sha256 of the raw row where it has none.
  {
    name: 'mirror_quarantine',
    columns: [
      'id TEXT PRIMARY KEY NOT NULL',
      'client_id TEXT',
      'reason TEXT NOT NULL',
      'raw TEXT NOT NULL',
      'at TEXT NOT NULL',
    ],
  },
  // Idle runs of a kind share one row, with a count.
  {
    name: 'mirror_runs',
    columns: [
      'id SERIAL',
      'kind TEXT NOT NULL',
      'state TEXT NOT NULL',
      'started_at TEXT NOT NULL',
      'finished_at TEXT',
      'rows BIGINT NOT NULL DEFAULT 0',
      'written BIGINT NOT NULL DEFAULT 0',
      'requests BIGINT NOT NULL DEFAULT 0',
      'count BIGINT NOT NULL DEFAULT 1',
      'error TEXT',
    ],
    indexes: ['CREATE INDEX mirror_runs_kind ON mirror_runs (kind, id)'],
  },
  // What became of edits, append-only.
  {
    name: 'mirror_edits',
    columns: [
      'id SERIAL',
      'client_id TEXT NOT NULL',
      'field TEXT',
      'base TEXT',
      'value TEXT',
      'at TEXT NOT NULL',
      'outcome TEXT NOT NULL',
      'message TEXT',
    ],
    indexes: ['CREATE INDEX mirror_edits_client ON mirror_edits (client_id, id)'],
  },
  // A push under way: written before the request, removed by settle. claimed_ms: until when the claim holds.
  {
    name: 'mirror_pushes',
    columns: [
      'id TEXT PRIMARY KEY NOT NULL',
      'holder TEXT NOT NULL',
      'sent TEXT',
      'before TEXT',
      'claimed_ms BIGINT NOT NULL',
    ],
  },
  {
    name: 'mirror_conflicts',
    columns: [
      'id SERIAL',
      'client_id TEXT NOT NULL',
      'field TEXT',
      'base TEXT',
      'local TEXT',
      'remote TEXT',
      'at TEXT NOT NULL',
      'resolved_at TEXT',
      'resolution TEXT',
      'message TEXT',
    ],
    indexes: [
      "CREATE UNIQUE INDEX mirror_conflicts_open ON mirror_conflicts (client_id, coalesce(field, '')) WHERE resolved_at IS NULL",
    ],
  },
  // A row deleted locally and not yet at the source: its last values as JSON, its merge base among them.
  {
    name: 'mirror_deletes',
    columns: [
      'id TEXT PRIMARY KEY NOT NULL',
      'values_json TEXT NOT NULL',
      'at TEXT NOT NULL',
      'parked INTEGER NOT NULL DEFAULT 0',
    ],
  },
  // The id under which a row was inserted locally, and the one that the source gave it.
  { name: 'mirror_ids', columns: ['local_id TEXT PRIMARY KEY NOT NULL', 'id TEXT NOT NULL'] },
];
