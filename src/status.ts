/** How the mirror stands: what `status` prints, the worker's page shows and the metrics count. */
import { type Instant, instantFromMs } from './clients/instant.ts';
import type { Clock } from './clock.ts';
import { type Certificate, readCertificate } from './ledger/certificates.ts';
import { type Drift, readDrift } from './ledger/drift.ts';
import { queueOf } from './ledger/editedRows.ts';
import { countDeadLetters } from './ledger/edits.ts';
import { type Lateness, readLateness } from './ledger/lateness.ts';
import { type Run, readLastRuns } from './ledger/runs.ts';
import { type MassEdit, parseMassEdit, tellMassEdit } from './push/guard.ts';
import type { SqlValue, Warehouse } from './warehouse/warehouse.ts';

/** How long a change of fields, or a lookback that was too short, is told. */
const TOLD_MS = 30 * 86_400_000;

export interface Status {
  readonly clients: { readonly live: number; readonly deleted: number };
  /** The larger key of the two places; null before the first backfill. */
  readonly cursor: Instant | null;
  /** Seconds since the last complete pull began; null before the first. */
  readonly lagSeconds: number | null;
  /** Local edits that wait for a push, new and deleted rows included. */
  readonly pending: number;
  readonly conflicts: number;
  readonly quarantined: number;
  readonly deadLetters: number;
  /** What the guard against a missing WHERE holds back; null: nothing. */
  readonly massEdit: MassEdit | null;
  /** Single ids on the to-do list. */
  readonly refetch: number;
  readonly backfill: 'none' | 'running' | 'done';
  /** What the last complete reconcile certified; null: there was none. */
  readonly certificate: Certificate | null;
  /** How late rows became visible at the source, as far as it was seen; null: none was late. */
  readonly lateness: Lateness | null;
  /** Fields that appeared, vanished or changed their type at the source, of the last month. */
  readonly drift: readonly Drift[];
  readonly lastRuns: readonly Run[];
}

const countsOf = (warehouse: Warehouse): string => `SELECT
  (SELECT count(*) FROM clients WHERE _deleted_at IS NULL) AS live,
  (SELECT count(*) FROM clients WHERE _deleted_at IS NOT NULL) AS deleted,
  (SELECT max(key) FROM mirror_places) AS cursor,
  (SELECT CASE WHEN count(*) = count(began_ms) THEN min(began_ms) END FROM mirror_places) AS began_ms,
  (SELECT count(*) FROM clients WHERE ${queueOf(warehouse)}) AS edited,
  (SELECT count(*) FROM mirror_deletes WHERE parked = 0) AS deletes,
  (SELECT count(*) FROM mirror_conflicts WHERE resolved_at IS NULL) AS conflicts,
  (SELECT count(*) FROM mirror_quarantine) AS quarantined,
  (${countDeadLetters(warehouse.kind)}) AS dead_letters,
  (SELECT count(*) FROM mirror_deletes WHERE parked = 1) AS dead_deletes,
  (SELECT value FROM mirror_settings WHERE name = 'mass_edit') AS mass_edit,
  (SELECT count(*) FROM mirror_refetch) AS refetch,
  (SELECT state FROM mirror_backfills WHERE id = (SELECT max(id) FROM mirror_backfills WHERE state <> 'abandoned'))
    AS backfill`;

export async function readStatus(warehouse: Warehouse, clock: Clock): Promise<Status> {
  const [counts = {}] = await warehouse.read({ sql: countsOf(warehouse), params: [] });
  const number = (name: string): number => Number(counts[name] ?? 0);
  const beganMs: SqlValue = counts.began_ms ?? null;
  const since = instantFromMs(clock.now() - TOLD_MS);
  return {
    clients: { live: number('live'), deleted: number('deleted') },
    cursor: (counts.cursor ?? null) as Instant | null,
    lagSeconds: beganMs === null ? null : Math.max(0, Math.round((clock.now() - Number(beganMs)) / 1000)),
    pending: number('edited') + number('deletes'),
    conflicts: number('conflicts'),
    quarantined: number('quarantined'),
    deadLetters: number('dead_letters') + number('dead_deletes'),
    massEdit: parseMassEdit(counts.mass_edit ?? null),
    refetch: number('refetch'),
    backfill: (counts.backfill ?? 'none') as Status['backfill'],
    certificate: await readCertificate(warehouse),
    lateness: await readLateness(warehouse, since),
    drift: await readDrift(warehouse, since),
    lastRuns: await readLastRuns(warehouse),
  };
}

/** What a person should look at, a line each; empty when nothing does. */
export function needsAttention(status: Status): string[] {
  const lines: string[] = [];
  const say = (count: number, one: string, many: string, command: string): void => {
    if (count > 0) lines.push(`${count} ${count === 1 ? one : many}: \`clients-mirror ${command}\``);
  };
  if (status.backfill !== 'done') lines.push('no finished backfill: run `clients-mirror sync` or `backfill`');
  if (status.massEdit !== null) lines.push(tellMassEdit(status.massEdit));
  say(status.conflicts, 'conflict', 'conflicts', 'conflicts list');
  say(status.deadLetters, 'dead letter', 'dead letters', 'edits list');
  say(status.quarantined, 'row in quarantine', 'rows in quarantine', 'quarantine list');
  const { lateness } = status;
  if (lateness !== null && lateness.lookbackSeconds !== null) {
    lines.push(
      `${lateness.over} rows became visible up to ${Math.ceil(lateness.maxSeconds)} seconds late, later than the lookback: set MIRROR_LOOKBACK_SECONDS to ${lateness.lookbackSeconds} or more`,
    );
  }
  for (const run of status.lastRuns) {
    if (run.state === 'failed') lines.push(`the last ${run.kind} failed: ${run.error ?? 'no reason noted'}`);
  }
  return lines;
}
