/**
 * Leases in Postgres: rows by name, timed by the database's clock, which all machines share. The fence rises with
 * each holder and outlives release. Taking one over waits for the commits of its last holder that are under way.
 */
import { SyncError } from '../../errors.ts';
import { isGone } from '../holder.ts';
import type { Lease } from '../warehouse.ts';
import type { Send } from './connection.ts';

/** The database's clock, as a function so that a test can set it. */
const NOW_MS = 'mirror_now_ms()';

const ACQUIRE = `INSERT INTO mirror_leases AS l (name, holder, fence, expires_ms)
  VALUES ($1, $2, 1, ${NOW_MS} + $3::bigint)
  ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, fence = l.fence + 1, expires_ms = ${NOW_MS} + $3::bigint
  WHERE l.holder IS NULL OR l.expires_ms <= ${NOW_MS} OR (l.holder = $4 AND l.fence = $5)
  RETURNING fence`;

interface LeaseRequest {
  readonly name: string;
  readonly holder: string;
  readonly ttlMs: number;
}

/** The lease, or null when another living holder has it. */
export async function acquireLease(send: Send, request: LeaseRequest): Promise<Lease | null> {
  const free = await acquire(send, request, [null, null]);
  if (free !== null) return free;
  const held = (await send('SELECT holder, fence FROM mirror_leases WHERE name = $1', [request.name]))
    .rows[0];
  if (typeof held?.holder !== 'string' || !isGone(held.holder)) return null;
  // By holder and fence, so that of two that see the same dead holder one only takes over.
  return acquire(send, request, [held.holder, Number(held.fence)]);
}

async function acquire(
  send: Send,
  { name, holder, ttlMs }: LeaseRequest,
  dead: readonly [holder: string | null, fence: number | null],
): Promise<Lease | null> {
  const taken = (await send(ACQUIRE, [name, holder, ttlMs, ...dead])).rows[0];
  return taken === undefined ? null : { name, holder, fence: Number(taken.fence) };
}

/** Prolongs it, also when it has expired and nobody took it; false when it was lost. */
export async function renewLease(send: Send, lease: Lease, ttlMs: number): Promise<boolean> {
  const sql = `UPDATE mirror_leases SET expires_ms = ${NOW_MS} + $4::bigint WHERE ${OURS}`;
  return (await send(sql, [...keyOf(lease), ttlMs])).count === 1;
}

export async function releaseLease(send: Send, lease: Lease): Promise<void> {
  await send(`UPDATE mirror_leases SET holder = NULL, expires_ms = 0 WHERE ${OURS}`, keyOf(lease));
}

/** FOR SHARE: many commits of the holder side by side, but no successor before the last of them. */
export async function sendFence(send: Send, lease: Lease): Promise<void> {
  const answer = await send(`SELECT 1 AS held FROM mirror_leases WHERE ${OURS} FOR SHARE`, keyOf(lease));
  if (answer.count === 1) return;
  throw new SyncError('LEASE_LOST', `the lease ${lease.name} is no longer held by this run`);
}

const OURS = 'name = $1 AND holder = $2 AND fence = $3';

function keyOf(lease: Lease): readonly unknown[] {
  return [lease.name, lease.holder, lease.fence];
}
