/** Leases in SQLite: rows by name, one statement each way. The fence rises with each holder and outlives release. */
import { isGone } from '../holder.ts';
import type { Lease } from '../warehouse.ts';
import { bound, type Statements } from './statements.ts';

const ACQUIRE = `INSERT INTO mirror_leases (name, holder, fence, expires_ms) VALUES (?, ?, 1, ?)
  ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, fence = fence + 1, expires_ms = excluded.expires_ms
  WHERE holder IS NULL OR expires_ms <= ? OR (holder = ? AND fence = ?)
  RETURNING fence`;

export interface LeaseRequest {
  readonly name: string;
  readonly holder: string;
  readonly nowMs: number;
  readonly ttlMs: number;
}

/** The lease, or null when another living holder has it. */
export function acquire(statements: Statements, request: LeaseRequest): Lease | null {
  const held = statements
    .prepareRaw('SELECT holder, fence FROM mirror_leases WHERE name = ?')
    .get(request.name);
  const [holder = null, fence = null] = held ?? [];
  // By holder and fence, so that of two that see the same dead holder one only takes over.
  const dead = typeof holder === 'string' && isGone(holder) ? [holder, fence] : [null, null];
  const { name, nowMs, ttlMs } = request;
  const params = bound([name, request.holder, nowMs + ttlMs, nowMs, ...dead]);
  const taken = statements.prepareRaw(ACQUIRE).get(...params);
  return taken === undefined ? null : { name, holder: request.holder, fence: Number(taken[0]) };
}

/** Prolongs it, also when it has expired and nobody took it; false when it was lost. */
export function renew(statements: Statements, lease: Lease, expiresMs: number): boolean {
  const sql = 'UPDATE mirror_leases SET expires_ms = ? WHERE name = ? AND holder = ? AND fence = ?';
  return statements.prepare(sql).run(bound([expiresMs, ...keyOf(lease)])).changes === 1;
}

export function release(statements: Statements, lease: Lease): void {
  const sql =
    'UPDATE mirror_leases SET holder = NULL, expires_ms = 0 WHERE name = ? AND holder = ? AND fence = ?';
  statements.prepare(sql).run(bound(keyOf(lease)));
}

/** Is the lease still this holder's? Asked first in each commit, behind BEGIN IMMEDIATE. */
export function isHeld(statements: Statements, lease: Lease): boolean {
  const sql = 'SELECT 1 FROM mirror_leases WHERE name = ? AND holder = ? AND fence = ?';
  return statements.prepareRaw(sql).get(...bound(keyOf(lease))) !== undefined;
}

function keyOf(lease: Lease): readonly [string, string, number] {
  return [lease.name, lease.holder, lease.fence];
}
