/**
 * `mirror_findings`: what a sweep found at odds between source and mirror, one row a client, and what became of it.
 * Kept after the sweep: it tells which run took a client for deleted.
 */
import type { Instant } from '../clients/instant.ts';
import { type SqlValue, type Statement, statement, type Warehouse } from '../warehouse/warehouse.ts';

/**
 * missing: at the source, not in the mirror. stale: its stamp differs. differs: a field does, under equal stamps.
 * returned: at the source, deleted in the mirror. absent: in the mirror, not in the source's lists.
 */
export type FindingKind = 'missing' | 'stale' | 'differs' | 'returned' | 'absent';

/**
 * mended: written as the source has it. deleted: proved gone. agreed: looked at again, both sides say the same.
 * waiting: stands on the to-do list of single ids (edited here, locked, or stamped older than ours).
 * unfit: the source's row cannot be mirrored and stands in quarantine.
 */
export type Outcome = 'mended' | 'deleted' | 'agreed' | 'waiting' | 'unfit';

export interface Finding {
  readonly id: string;
  readonly what: FindingKind;
  /** Names of the fields that differ; empty where only stamps were compared. */
  readonly fields: readonly string[];
  /** The source changed it after the last pull could have seen it: no drift, only news. */
  readonly isNews: boolean;
  readonly outcome: Outcome | null;
}

export type NewFinding = Omit<Finding, 'outcome'>;

export function noteFinding(sweepId: number, finding: NewFinding, at: Instant): Statement {
  const sql = `INSERT INTO mirror_findings (sweep_id, id, what, fields, news, at) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (sweep_id, id) DO UPDATE SET what = excluded.what, fields = excluded.fields, news = excluded.news`;
  const fields = finding.fields.length === 0 ? null : JSON.stringify(finding.fields);
  return statement(sql, [sweepId, finding.id, finding.what, fields, finding.isNews ? 1 : 0, at]);
}

export function settleFinding(sweepId: number, id: string, outcome: Outcome, at: Instant): Statement {
  return statement('UPDATE mirror_findings SET outcome = ?, at = ? WHERE sweep_id = ? AND id = ?', [
    outcome,
    at,
    sweepId,
    id,
  ]);
}

/** It is not in the lists any more: it must be proved. */
export function turnAbsent(sweepId: number, id: string): Statement {
  const sql = "UPDATE mirror_findings SET what = 'absent' WHERE sweep_id = ? AND id = ?";
  return statement(sql, [sweepId, id]);
}

const COLUMNS = 'id, what, fields, news, outcome';

/** Findings that nobody has looked at, behind the id given. */
export async function readOpenFindings(
  warehouse: Warehouse,
  sweepId: number,
  query: { readonly absent: boolean; readonly after: string; readonly limit: number },
): Promise<Finding[]> {
  const sql = `SELECT ${COLUMNS} FROM mirror_findings
    WHERE sweep_id = ? AND outcome IS NULL AND what ${query.absent ? '=' : '<>'} 'absent' AND id > ? ORDER BY id LIMIT ?`;
  return (await warehouse.read({ sql, params: [sweepId, query.after, query.limit] })).map(toFinding);
}

/** What a person is shown: all but what turned out to be right, the first `limit` of them. */
export async function readFindings(warehouse: Warehouse, sweepId: number, limit: number): Promise<Finding[]> {
  const sql = `SELECT ${COLUMNS} FROM mirror_findings
    WHERE sweep_id = ? AND (outcome IS NULL OR outcome <> 'agreed') ORDER BY news, what, id LIMIT ?`;
  return (await warehouse.read({ sql, params: [sweepId, limit] })).map(toFinding);
}

export interface FindingCount {
  readonly what: FindingKind;
  readonly isNews: boolean;
  readonly outcome: Outcome | null;
  readonly count: number;
}

export async function countFindings(warehouse: Warehouse, sweepId: number): Promise<FindingCount[]> {
  const sql = `SELECT what, news, outcome, count(*) AS count FROM mirror_findings WHERE sweep_id = ?
    GROUP BY what, news, outcome`;
  const rows = await warehouse.read({ sql, params: [sweepId] });
  return rows.map((row) => ({
    what: row.what as FindingKind,
    isNews: Number(row.news) === 1,
    outcome: row.outcome as Outcome | null,
    count: Number(row.count),
  }));
}

function toFinding(row: Readonly<Record<string, SqlValue>>): Finding {
  return {
    id: String(row.id),
    what: row.what as FindingKind,
    fields: row.fields === null ? [] : (JSON.parse(String(row.fields)) as string[]),
    isNews: Number(row.news) === 1,
    outcome: row.outcome as Outcome | null,
  };
}

/** Forgets what older sweeps found, but for the proofs of clients that are still deleted here. */
export function pruneFindings(kind: Warehouse['kind'], before: Instant): Statement[] {
  const id = kind === 'postgres' ? 'CAST(mirror_findings.id AS uuid)' : 'mirror_findings.id';
  return [
    statement(
      `DELETE FROM mirror_findings WHERE at < ? AND (outcome IS NULL OR outcome <> 'deleted'
        OR NOT EXISTS (SELECT 1 FROM clients c WHERE c.id = ${id} AND c._deleted_at IS NOT NULL))`,
      [before],
    ),
    statement(
      `DELETE FROM mirror_sweeps WHERE finished_at < ? AND id NOT IN (SELECT sweep_id FROM mirror_findings)
        AND id <> (SELECT coalesce(max(id), 0) FROM mirror_sweeps WHERE certificate IS NOT NULL)`,
      [before],
    ),
  ];
}

/** Ids of findings that wait on the to-do list, behind the id given. */
export async function readWaiting(
  warehouse: Warehouse,
  sweepId: number,
  after: string,
  limit: number,
): Promise<string[]> {
  const sql = `SELECT id FROM mirror_findings WHERE sweep_id = ? AND outcome = 'waiting' AND id > ? ORDER BY id LIMIT ?`;
  return (await warehouse.read({ sql, params: [sweepId, after, limit] })).map((row) => String(row.id));
}

export async function countAbsent(warehouse: Warehouse, sweepId: number): Promise<number> {
  const sql = `SELECT count(*) AS count FROM mirror_findings
    WHERE sweep_id = ? AND outcome IS NULL AND what = 'absent'`;
  const [row] = await warehouse.read({ sql, params: [sweepId] });
  return Number(row?.count ?? 0);
}

/** Of these ids those that a sweep wrote anew since then. */
export async function readMendedSince(
  warehouse: Warehouse,
  ids: readonly string[],
  since: Instant,
): Promise<string[]> {
  if (ids.length === 0) return [];
  const sql = `SELECT DISTINCT id FROM mirror_findings
    WHERE outcome = 'mended' AND at > ? AND id IN (${ids.map(() => '?').join(', ')})`;
  return (await warehouse.read({ sql, params: [since, ...ids] })).map((row) => String(row.id));
}
