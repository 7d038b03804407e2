/**
 * Merges a batch of edited rows with what the source holds: rows are read, then the source, then one commit writes
 * what each row becomes, what is on its way and what became of its edits. What the commit could not take (edited
 * meanwhile, locked by a user, claimed by another) is left for the next pass, alone.
 */

import type { Body } from '../api/api.ts';
import { addSeconds, secondsBetween } from '../clients/instant.ts';
import type { Values } from '../clients/merge.ts';
import { isRejected } from '../clients/record.ts';
import { commitEdited, type EditedWrite } from '../ledger/editedWrites.ts';
import { listRefetch, noteSeen } from '../ledger/refetch.ts';
import type { Write } from '../warehouse/warehouse.ts';
import type { Dirty } from './dirty.ts';
import { CLAIM_MS, type Pass } from './engine.ts';
import type { Intent } from './plan.ts';
import { type PushPlan, planPush } from './planPush.ts';
import { type Remote, readRemotes } from './remote.ts';
import { tellRecords } from './tell.ts';

/** A row whose claim stands, and what is to be sent. */
export interface Claimed {
  readonly id: string;
  readonly intent: Intent;
  readonly body: Body;
  /** The source as the merge saw it. */
  readonly source: Values;
  readonly etag: string | null;
  readonly held: Dirty['held'];
  readonly token: string;
  readonly deadlineMs: number;
}

/**
 * Merges rows that are at the source.
 * @param held the token under which this pass has claimed them already; null: it has not.
 */
export async function mergeBatch(
  pass: Pass,
  rows: readonly Dirty[],
  held: string | null = null,
): Promise<readonly Claimed[]> {
  const dirty = rows.filter((one) => one.row.create === null && !isWaiting(pass, one));
  if (dirty.length === 0) return [];
  const remotes = await readRemotes(
    pass,
    dirty.map(({ row }) => row.id),
    true,
  );
  const token = pass.token();
  const deadlineMs = pass.deadlineMs();
  const writes: EditedWrite[] = [];
  const further: Write[] = [];
  const claimed: Claimed[] = [];
  for (const one of dirty) {
    const remote = remotes.get(one.row.id);
    if (remote === undefined) continue;
    const plan = planOne(pass, one, remote);
    further.push(...plan.further);
    if (plan.write === null) continue;
    writes.push(plan.write);
    if (plan.request !== null)
      claimed.push({ ...plan.request, id: one.row.id, held: heldAfter(one, plan.write), token, deadlineMs });
  }
  if (writes.length + further.length === 0) return [];
  const options = { token, held, claimMs: CLAIM_MS, clock: pass.sqlClock(), at: pass.now() };
  const taken = await commitEdited(pass.engine.warehouse, writes, options, further);
  tellRecords(
    pass,
    writes.filter(({ read }) => taken.has(read.id)),
  );
  return claimed.filter(({ id }) => taken.has(id));
}

/** What waits for a person once this is written: the settle must not take it for pending. */
function heldAfter({ held }: Dirty, { records }: EditedWrite): Dirty['held'] {
  const disputed = { ...held.disputed };
  for (const record of records) {
    const isOpen = record.kind === 'conflict' && record.resolution === null;
    if (isOpen && record.field !== null) disputed[record.field] = record.local;
  }
  return { ...held, disputed };
}

interface OnePlan {
  readonly write: EditedWrite | null;
  readonly request: Pick<Claimed, 'intent' | 'body' | 'source' | 'etag'> | null;
  readonly further: readonly Write[];
}

const NOTHING: OnePlan = { write: null, request: null, further: [] };

function planOne(pass: Pass, one: Dirty, remote: Remote): OnePlan {
  const { row, listing } = one;
  if (remote.row !== null && isRejected(remote.row)) {
    return { ...NOTHING, further: [{ kind: 'quarantine', rows: [remote.row], at: remote.at }] };
  }
  if (remote.answer === null) return NOTHING;
  const plan = planWith(pass, one, remote);
  if (plan.kind === 'older') return { ...NOTHING, further: noteOlder(pass, one, remote) };
  const { records, intent, body } = plan;
  const isIdle = plan.row === null && records.length === 0 && intent === null;
  if (isIdle && one.entry === undefined && listing === undefined) return NOTHING;
  const write = { read: row, row: plan.row, intent, records, listing };
  const isSending = intent !== null && body !== null && remote.answer.found;
  const request = isSending ? { intent, body, source: remote.answer.values, etag: remote.etag } : null;
  // A client of somebody else stays until its edits are through; then the to-do list takes it out.
  const leaves = remote.inScope ? [] : [listRefetch(row.id, 'left the owner', pass.now())];
  return { write, request, further: leaves };
}

/** What planPush makes of the row; also what a push that would only be shown is planned with. */
export function planWith(pass: Pass, one: Dirty, remote: Remote): PushPlan {
  const { row, held, listing } = one;
  if (remote.answer === null) return { kind: 'older' };
  const says = stampOf(remote);
  const isBelieved =
    listing?.seen === says &&
    listing.seenAt !== null &&
    secondsBetween(listing.seenAt, remote.at) >= pass.engine.options.lookbackSeconds;
  return planPush({
    row: row.state,
    remote: remote.answer,
    sent: withEntry(one),
    held,
    policy: pass.engine.push.policy,
    sends: pass.sends,
    believed: isBelieved,
  });
}

/** The journal knows what was sent; the entry of a push that never settled says it once more. */
function withEntry({ sent, entry }: Dirty): Dirty['sent'] {
  const all: Record<string, Values[string][]> = {};
  for (const [field, values] of Object.entries(sent)) all[field] = [...values];
  for (const [field, value] of Object.entries(entry?.sent ?? {})) {
    if (!all[field]?.includes(value)) all[field] = [...(all[field] ?? []), value];
  }
  return all;
}

/** An answer older than the row is believed when it says the same a lookback later: until then nothing is asked. */
export function isWaiting(pass: Pass, { listing }: Dirty): boolean {
  return listing !== undefined && listing.seen !== null && listing.dueAt > pass.now();
}

function noteOlder(pass: Pass, { row, listing }: Dirty, remote: Remote): readonly Write[] {
  const says = stampOf(remote);
  const { lookbackSeconds } = pass.engine.options;
  if (listing?.seen === says && listing.seenAt !== null) return [];
  const dueAt = addSeconds(remote.at, lookbackSeconds);
  const listed = listing === undefined ? [listRefetch(row.id, 'older', remote.at, dueAt)] : [];
  return [...listed, noteSeen({ id: row.id }, says, remote.at, lookbackSeconds)];
}

function stampOf({ answer }: Remote): string {
  return answer?.found ? String(answer.values.updatedOn ?? '') : '';
}
