/**
 * What became of a push, read from the source itself: pure, the settle's transaction as data.
 *
 * The answer to a PATCH proves little (it may be lost, trimmed, ignored, overtaken), so the client is read back and
 * each field that was sent is judged by what the source holds now. The row is read anew as well: whatever the user
 * wrote meanwhile stays, with the read-back as its merge base. Fields that were not sent keep their base.
 */
import { isAlikeValue, isSameValue, type Values } from '../clients/merge.ts';
import type { FieldValue } from '../clients/record.ts';
import type { EditOutcome, Intent, RecordWrite, RemoteAnswer, RowState, RowWrite } from './plan.ts';
import { type Held, isAllHeld, isHeld, isOlder, planGone, REWRITTEN, rowWrite } from './planPush.ts';

export interface SettleInput {
  readonly intent: Intent;
  /** The row now; its `_edits` and `_revision` guard the commit, as does the claim's holder. */
  readonly row: RowState;
  readonly readBack: RemoteAnswer;
  /** Fields that the source refused, with its words. */
  readonly refused: Readonly<Record<string, string>>;
  /** As for planPush: fields that wait for a person since before this push. */
  readonly held: Held;
  /**
   * false: an unmoved stamp is not taken as proof that the source ignored what was sent (the answer may come from
   * an instance that lags behind); the caller reads once more.
   */
  readonly isLastRead: boolean;
}

export type SettlePlan =
  /** The read-back is older than the row, or may be from before the PATCH: read again, or leave it to a later pass. */
  | { readonly kind: 'unproven' }
  | { readonly kind: 'settle'; readonly row: RowWrite | null; readonly records: readonly RecordWrite[] };

/** What the user is told of a value that the source answered with success and did not take. */
export const KEPT = 'the source kept its value';

/** Plans the settle of one push. The intent leaves `mirror_pushes` in the same commit. */
export function planSettle(input: SettleInput): SettlePlan {
  const { row, readBack, intent } = input;
  if (!readBack.found) return { kind: 'settle', ...planGone(row) };
  if (isUnproven(input, readBack.values)) return { kind: 'unproven' };
  const draft: Draft = { take: {}, base: { ...row.base }, records: [], held: new Set() };
  for (const [field, remote] of Object.entries(readBack.values)) {
    const local = row.values[field] ?? null;
    if (row.base[field] === undefined) {
      if (local !== remote) draft.take[field] = remote;
    } else if (intent.sent[field] === undefined) {
      if (isHeld(local, field, input.held)) draft.held.add(field);
    } else {
      const sent = intent.sent[field];
      const before = intent.before[field] ?? null;
      settleField({ field, sent, before, local, remote, refusal: input.refused[field] }, draft);
    }
  }
  const isParked = isAllHeld(draft.base, draft.held);
  const next = { values: draft.take, extra: readBack.extra, base: draft.base, isParked, isDeleted: false };
  return { kind: 'settle', row: rowWrite(row, next), records: draft.records };
}

function isUnproven({ intent, row, refused, isLastRead }: SettleInput, readBack: Values): boolean {
  if (isOlder(readBack, row.values)) return true;
  if (isLastRead || isOlder(row.values, readBack)) return false;
  return Object.entries(intent.sent).some(
    ([field, sent]) => !(field in refused) && !isAlikeValue(field, sent, readBack[field] ?? null),
  );
}

interface Draft {
  readonly take: Record<string, FieldValue>;
  readonly base: Record<string, FieldValue>;
  readonly records: RecordWrite[];
  readonly held: Set<string>;
}

interface SentField {
  readonly field: string;
  readonly sent: FieldValue;
  readonly before: FieldValue;
  /** The row's value now. */
  readonly local: FieldValue;
  /** The source's value now. */
  readonly remote: FieldValue;
  readonly refusal: string | undefined;
}

function settleField(found: SentField, draft: Draft): void {
  const { field, sent, before, local, remote, refusal } = found;
  const arrived = isAlikeValue(field, sent, remote);
  if (arrived && !isSameValue(field, sent, remote)) {
    draft.records.push(conflictRecord(found, 'rewritten', REWRITTEN));
  }
  // Taken back while it was away, and the answer may be older than the PATCH: the entry `sent` stays open, and the
  // next pass tells the source.
  if (
    !arrived &&
    refusal === undefined &&
    [local, before].every((value) => isSameValue(field, value, remote))
  )
    return;
  if (isSameValue(field, local, remote) || (arrived && isSameValue(field, local, sent))) {
    journal(found, arrived ? 'arrived' : 'superseded', null, draft);
    clean(found, draft);
  } else if (arrived) {
    journal(found, 'arrived', null, draft);
    draft.base[field] = remote;
  } else if (refusal !== undefined || isSameValue(field, remote, before)) {
    settleRefusal(found, draft);
  } else {
    settleOvertaken(found, draft);
  }
}

function settleRefusal(found: SentField, draft: Draft): void {
  const { field, sent, local, refusal } = found;
  if (isSameValue(field, local, sent)) {
    journal(found, refusal === undefined ? 'ignored' : 'refused', refusal ?? KEPT, draft);
    draft.held.add(field);
  } else if (refusal !== undefined) {
    journal(found, 'superseded', refusal, draft);
  }
  // Kept without a word and edited again: the entry `sent` stays open, for the case that the answer is stale.
}

function settleOvertaken(found: SentField, draft: Draft): void {
  const { field, sent, local } = found;
  draft.records.push(conflictRecord(found, 'overwritten', 'another writer came after it'));
  journal(found, 'overwritten', null, draft);
  if (isSameValue(field, local, sent)) clean(found, draft);
  // Edited again, the next pass merges it: both sides held what was sent, and both have left it since.
  else draft.base[field] = sent;
}

function clean({ field, local, remote }: SentField, draft: Draft): void {
  delete draft.base[field];
  if (local !== remote) draft.take[field] = remote;
}

function conflictRecord(
  found: SentField,
  resolution: 'rewritten' | 'overwritten',
  message: string,
): RecordWrite {
  const { field, before, sent, remote } = found;
  return { kind: 'conflict', field, base: before, local: sent, remote, resolution, message };
}

function journal(found: SentField, outcome: EditOutcome, message: string | null, draft: Draft): void {
  const { field, before, sent } = found;
  draft.records.push({ kind: 'edit', field, base: before, value: sent, outcome, message });
}
