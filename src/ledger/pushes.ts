/**
 * `mirror_pushes`: the claims of rows with local edits, and what is on its way to the source. A claim is held until
 * `claimed_ms`; the entry outlives it, so that a later pass knows what may have been sent, and until when.
 *
 * Time is the database's own where several machines share it, and our clock's in a file of one machine.
 */
import type { Values } from '../clients/merge.ts';
import { type SqlValue, type Statement, statement, type Warehouse } from '../warehouse/warehouse.ts';

/** A push under way, kept from the claim to the settle. */
export interface Intent {
  /** The local values on their way. */
  readonly sent: Values;
  /** The same fields as the source held them when they were sent. */
  readonly before: Values;
}

export interface PushEntry {
  readonly id: string;
  /** Who holds the claim, or held it last: a holder's name and the number of its commit. */
  readonly holder: string;
  /** Held by somebody who has not given it up. */
  readonly isLive: boolean;
  /** Milliseconds since the last moment at which its request may have been under way; negative while it is live. */
  readonly endedMs: number;
  readonly sent: Values | null;
  /** JSON as its writer left it: an Intent's `before`, or what a create has found out. */
  readonly before: Readonly<Record<string, unknown>> | null;
}

/** SQL for "now" in milliseconds, and its parameters. */
export interface SqlClock {
  readonly sql: string;
  readonly params: readonly SqlValue[];
}

export function sqlClock(kind: Warehouse['kind'], nowMs: number): SqlClock {
  return kind === 'postgres'
    ? { sql: 'floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint', params: [] }
    : { sql: 'CAST(? AS INTEGER)', params: [nowMs] };
}

/** The entries of these clients. */
export async function readPushes(
  warehouse: Warehouse,
  ids: readonly string[],
  clock: SqlClock,
): Promise<ReadonlyMap<string, PushEntry>> {
  if (ids.length === 0) return new Map();
  const sql = `SELECT id, holder, sent, before, ${clock.sql} - claimed_ms AS ended_ms FROM mirror_pushes
    WHERE id IN (${ids.map(() => '?').join(', ')})`;
  const rows = await warehouse.read({ sql, params: [...clock.params, ...ids] });
  return new Map(rows.map((row) => [String(row.id), toEntry(row)]));
}

/** Names of those whose claims are live. */
export async function readClaimants(warehouse: Warehouse, clock: SqlClock): Promise<readonly string[]> {
  const sql = `SELECT DISTINCT holder FROM mirror_pushes WHERE claimed_ms > ${clock.sql}`;
  return (await warehouse.read({ sql, params: clock.params })).map((row) => String(row.holder));
}

/** Ends the live claims of a holder, all its commits; what was sent stays noted. */
export function endClaims(holder: string, clock: SqlClock): Statement {
  const sql = `UPDATE mirror_pushes SET claimed_ms = ${clock.sql}
    WHERE (holder = ? OR substr(holder, 1, ?) = ?) AND claimed_ms > ${clock.sql}`;
  const prefix = `${holder} `;
  return statement(sql, [...clock.params, holder, prefix.length, prefix, ...clock.params]);
}

/** Ends one client's claim under this token. */
export function endClaim(id: string, token: string, clock: SqlClock): Statement {
  const sql = `UPDATE mirror_pushes SET claimed_ms = ${clock.sql} WHERE id = ? AND holder = ?`;
  return statement(sql, [...clock.params, id, token]);
}

/** Removes one client's entry under this token. */
export function dropPush(id: string, token: string): Statement {
  return statement('DELETE FROM mirror_pushes WHERE id = ? AND holder = ?', [id, token]);
}

/** Ended claims on rows that are there no more: their client was deleted here meanwhile. */
export function dropOrphans(kind: Warehouse['kind'], clock: SqlClock): Statement {
  const id = kind === 'postgres' ? 'CAST(mirror_pushes.id AS uuid)' : 'mirror_pushes.id';
  const sql = `DELETE FROM mirror_pushes WHERE claimed_ms <= ${clock.sql}
    AND NOT EXISTS (SELECT 1 FROM clients WHERE clients.id = ${id})`;
  return statement(sql, clock.params);
}

function toEntry(row: Readonly<Record<string, SqlValue>>): PushEntry {
  const endedMs = Number(row.ended_ms);
  return {
    id: String(row.id),
    holder: String(row.holder),
    isLive: endedMs < 0,
    endedMs,
    sent: row.sent === null ? null : (JSON.parse(String(row.sent)) as Values),
    before: row.before === null ? null : (JSON.parse(String(row.before)) as Record<string, unknown>),
  };
}
