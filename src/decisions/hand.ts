/**
 * Commits what a person decided about local edits: retry, discard, resolve. The same fences as the engine's own: each
 * row is claimed under a token of its own, and must be as it was read; all of a decision stands or nothing does.
 *
 * A user's edit that comes between read and commit makes the commit fail; then the row is read and the decision
 * planned anew, so that what it meets is what the person would see now.
 */
import { randomUUID } from 'node:crypto';
import { type Instant, instantFromMs } from '../clients/instant.ts';
import type { Values } from '../clients/merge.ts';
import type { Clock } from '../clock.ts';
import { isSyncError, SyncError } from '../errors.ts';
import { type EditedWrite, planEdited } from '../ledger/editedWrites.ts';
import { sqlClock } from '../ledger/pushes.ts';
import { newHolder } from '../warehouse/holder.ts';
import { type Statement, statement, type Warehouse, type Write } from '../warehouse/warehouse.ts';
import { type OpenClient, readOpenClients } from './openClients.ts';

/** Who decides, and on what. */
export interface Hand {
  readonly warehouse: Warehouse;
  readonly clock: Clock;
  /** API names of the fields whose values are not shown. */
  readonly excluded: ReadonlySet<string>;
  /** false: the mirror is read-only, and takes no new edit. */
  readonly sends: boolean;
}

/** What is fixed for one try: plans are made of it alone. */
export interface HandTry {
  readonly at: Instant;
  /** For a client that needs an externalId. */
  readonly newId: string;
}

export interface HandPlan {
  /** About the row in `clients`; null: there is none. */
  readonly write: EditedWrite | null;
  /** The rest of the commit. */
  readonly further: readonly Write[];
}

/** null: nothing to write. */
type Plan = (client: OpenClient, now: HandTry) => HandPlan | null | Promise<HandPlan | null>;

/** Edits that come without pause are met between two of them, or the person is told. */
const TRIES_MAX = 6;
const WAIT_MS = 25;

/**
 * Plans and commits a decision about these clients in one transaction; where they get in each other's way, each in one
 * of its own. `plan` is called anew with what stands then, and may throw.
 * @throws SyncError WAREHOUSE_BUSY when a row is on its way to the source, or is edited without pause.
 */
export async function decide(hand: Hand, clients: readonly OpenClient[], plan: Plan): Promise<void> {
  let left = clients;
  for (let tries = 1; ; tries += 1) {
    if (await tryOnce(hand, left, plan)) return;
    if (left.length > 1) {
      for (const client of left) await decide(hand, [client], plan);
      return;
    }
    if (tries >= TRIES_MAX) throw busy(`client ${left[0]?.id} is held by another connection`);
    await hand.clock.sleep(tries * WAIT_MS);
    left = await readOpenClients(
      hand.warehouse,
      hand.clock.now(),
      left.map(({ id }) => id),
    );
  }
}

/** @returns false when a row has moved since it was read, or is claimed. */
async function tryOnce(hand: Hand, clients: readonly OpenClient[], plan: Plan): Promise<boolean> {
  const { warehouse, clock } = hand;
  const now = { at: instantFromMs(clock.now()), newId: randomUUID() };
  const plans: HandPlan[] = [];
  for (const client of clients) {
    const made = await plan(client, now);
    if (made !== null) plans.push(made);
  }
  if (plans.length === 0) return true;
  const writes = plans.flatMap(({ write }) => (write === null ? [] : [write]));
  const options = {
    token: `${newHolder()} 1`,
    held: null,
    // What was sent before stays noted, as ended.
    claimMs: 0,
    clock: sqlClock(warehouse.kind, clock.now()),
    at: now.at,
  };
  const [claim, ...rest] = planEdited(warehouse.kind, writes, options);
  const claims: Statement[] = claim === undefined ? [] : [{ ...claim, expect: writes.length }];
  try {
    await warehouse.commit([...claims, ...rest, ...plans.flatMap(({ further }) => further)]);
    return true;
  } catch (error) {
    if (isSyncError(error, 'EXPECTATION')) return false;
    throw error;
  }
}

/** What is decided about a client must wait while its edits are on their way. @throws SyncError WAREHOUSE_BUSY */
export function refuseInFlight(client: OpenClient): void {
  if (client.push?.isLive === true)
    throw busy(`client ${client.id} is on its way to the source just now: try again in a moment`);
}

function busy(message: string): SyncError {
  return new SyncError('WAREHOUSE_BUSY', message, { hint: 'Nothing is lost: try again in a moment.' });
}

/** The entry of a push that never settled, without these fields; null: nothing is left of it. */
export function intentWithout(
  client: OpenClient,
  fields: readonly string[],
): { readonly sent: Values; readonly before: Readonly<Record<string, unknown>> } | null {
  const { push } = client;
  if (push === null || push.sent === null) return null;
  const kept = Object.entries(push.sent).filter(([field]) => !fields.includes(field));
  const before = Object.entries(push.before ?? {}).filter(([field]) => !fields.includes(field));
  return kept.length === 0 ? null : { sent: Object.fromEntries(kept), before: Object.fromEntries(before) };
}

/**
 * Claims a client that has no row here, inside a commit, and gives the claim up at its end: between these two no
 * push can take it.
 */
export function claimDeleted(
  hand: Pick<Hand, 'warehouse'>,
  id: string,
  nowMs: number,
): readonly [Statement, Statement] {
  const { sql: now, params } = sqlClock(hand.warehouse.kind, nowMs);
  const token = `${newHolder()} 1`;
  const claim = `INSERT INTO mirror_pushes AS p (id, holder, claimed_ms) VALUES (?, ?, ${now})
    ON CONFLICT (id) DO UPDATE SET holder = excluded.holder WHERE p.claimed_ms <= ${now}`;
  return [
    statement(claim, [id, token, ...params, ...params], 1),
    statement('DELETE FROM mirror_pushes WHERE id = ? AND holder = ?', [id, token], 1),
  ];
}
