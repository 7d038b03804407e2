/**
 * What to do with one dirty row, now that the source has said what it holds: pure, the claim's transaction as data.
 *
 * The row is read first, the source asked after that, and the plan is committed only if `_edits` and `_revision`
 * have not moved since and nobody else holds the row's claim. The intent (what is sent, and what the source held
 * before) is part of that commit, so that a later pass can tell our own value at the source from a stranger's.
 * A field that waits for a person (refused, or in open conflict) is held back until it is edited again.
 */
import type { Body } from '../api/api.ts';
import { FIELDS } from '../clients/fields.ts';
import {
  type ConflictPolicy,
  isSameValue,
  type Merge,
  type MergeInput,
  mergeClient,
  mergedRow,
  type ThreeValues,
  type Values,
} from '../clients/merge.ts';
import { canonicalJson, type FieldValue } from '../clients/record.ts';
import type { EditOutcome, Intent, RecordWrite, RemoteAnswer, RowState, RowWrite } from './plan.ts';

/** Fields that wait for a person, by the local value that waits. Another local value sets the field free. */
export interface Held {
  /** The field's last entry in `mirror_edits` is a refusal of this value. */
  readonly refused: Values;
  /** The field's open row in `mirror_conflicts` has this local value. */
  readonly disputed: Values;
}

export interface PushInput {
  readonly row: RowState;
  readonly remote: RemoteAnswer;
  /** As in mergeClient: by field, what was sent since the field was last clean. */
  readonly sent: MergeInput['sent'];
  readonly held: Held;
  readonly policy: ConflictPolicy;
  /** false: merge only; what would be sent stays dirty and is neither sent nor parked. */
  readonly sends: boolean;
  /** The same older stamp was read at least a lookback ago: the source is believed. */
  readonly believed: boolean;
}

export type PushPlan =
  /** The answer is older than the row: nothing may be concluded from it. */
  | { readonly kind: 'older' }
  | {
      readonly kind: 'merge';
      /** null: the row stays as it is. */
      readonly row: RowWrite | null;
      /** Replaces what is in `mirror_pushes` for the row; null: removes it. */
      readonly intent: Intent | null;
      /** The PATCH to make once the commit stands; null: none. */
      readonly body: Body | null;
      readonly records: readonly RecordWrite[];
    };

/** Plans the claim of one dirty row. */
export function planPush(input: PushInput): PushPlan {
  const { row, remote } = input;
  if (!remote.found) return { kind: 'merge', intent: null, body: null, ...planGone(row) };
  if (!input.believed && isOlder(remote.values, row.values)) return { kind: 'older' };
  const merge = mergeClient({ ...row, local: row.values, remote: remote.values, ...settings(input) });
  const held = Object.keys(merge.send).filter(
    // A local value that has just won a conflict is free: the source has changed, it may take the value now.
    (field) => !(field in merge.rebase) && isHeld(row.values[field] ?? null, field, input.held),
  );
  const sent = input.sends ? without(merge.send, held) : {};
  const next = mergedRow(row, merge);
  const isParked = isAllHeld(next.base, new Set([...held, ...disputed(merge)]));
  const write = { values: merge.take, extra: remote.extra, base: next.base, isParked, isDeleted: false };
  const { intent, body } = request(sent, remote.values);
  return {
    kind: 'merge',
    // With an intent the row is written in any case: `_revision` must rise, so that no older plan is committed.
    row: intent === null ? rowWrite(row, write) : write,
    intent,
    body,
    records: mergeRecords(input, merge, sent),
  };
}

function settings(input: PushInput): Pick<MergeInput, 'sent' | 'policy'> {
  return { sent: input.sent, policy: input.policy };
}

function request(
  sent: Values,
  remote: Values,
): { readonly intent: Intent | null; readonly body: Body | null } {
  const fields = Object.keys(sent);
  if (fields.length === 0) return { intent: null, body: null };
  const before = Object.fromEntries(fields.map((field) => [field, remote[field] ?? null]));
  return { intent: { sent, before }, body: pushBody(sent, remote) };
}

/**
 * Body of a PATCH: the fields to send, and the required ones as the source has them now. Where fields are sent
 * one by one, `source` must hold those that it has accepted meanwhile, else the next body would undo them.
 */
export function pushBody(sent: Values, source: Values): Body {
  const body: Record<string, unknown> = {};
  for (const { name, type, required } of FIELDS) {
    if (!(name in sent || required)) continue;
    const value = (name in sent ? sent : source)[name] ?? null;
    body[name] = type === 'json' ? parseJson(value) : value;
  }
  return body;
}

/** JSON text of the warehouse as the value that travels. The warehouse's own check keeps it valid. */
function parseJson(value: FieldValue): unknown {
  return typeof value === 'string' ? (JSON.parse(value) as unknown) : value;
}

/** One intent a field, in the field table's order: for a PATCH of several fields that was refused. */
export function splitIntent(intent: Intent): readonly Intent[] {
  return Object.keys(intent.sent).map((field) => ({
    sent: { [field]: intent.sent[field] ?? null },
    before: { [field]: intent.before[field] ?? null },
  }));
}

/** The source has no such client any more: a tombstone, and one conflict for the row if an edit is in it. */
export function planGone(row: RowState): {
  readonly row: RowWrite | null;
  readonly records: readonly RecordWrite[];
} {
  const edited = Object.keys(row.base).filter(
    (field) => !isSameValue(field, row.base[field] ?? null, row.values[field] ?? null),
  );
  const base = edited.length === 0 ? {} : row.base;
  const write = rowWrite(row, {
    values: {},
    extra: row.extra,
    base,
    isParked: edited.length > 0,
    isDeleted: true,
  });
  if (row.isDeleted && row.isParked) return { row: write, records: [] };
  if (edited.length === 0) {
    const value = (field: string) => row.values[field] ?? null;
    const undone = Object.keys(row.base).map((field) =>
      editRecord({ field, base: row.base[field] ?? null, value: value(field) }, 'undone'),
    );
    return { row: write, records: undone };
  }
  const local = Object.fromEntries(edited.map((field) => [field, row.values[field] ?? null]));
  const before = Object.fromEntries(edited.map((field) => [field, row.base[field] ?? null]));
  const records: RecordWrite[] = [
    {
      kind: 'conflict',
      field: null,
      base: canonicalJson(before),
      local: canonicalJson(local),
      remote: null,
      resolution: null,
      message: 'deleted at the source',
    },
  ];
  return { row: write, records };
}

/** null when the write would change nothing: rest is silent. */
export function rowWrite(row: RowState, next: RowWrite): RowWrite | null {
  const isIdle =
    Object.keys(next.values).length === 0 &&
    next.extra === row.extra &&
    next.isParked === row.isParked &&
    next.isDeleted === row.isDeleted &&
    Object.keys(next.base).length === Object.keys(row.base).length &&
    Object.entries(next.base).every(([field, value]) => row.base[field] === value);
  return isIdle ? null : next;
}

/** Does nothing in the row wait for us, but something for a person? */
export function isAllHeld(base: Values, held: ReadonlySet<string>): boolean {
  const dirty = Object.keys(base);
  return dirty.length > 0 && dirty.every((field) => held.has(field));
}

export function isHeld(local: FieldValue, field: string, held: Held): boolean {
  return [held.refused[field], held.disputed[field]].some(
    (value) => value !== undefined && isSameValue(field, value, local),
  );
}

/** Stamps compare as text, null as oldest. */
export function isOlder(answer: Values, than: Values): boolean {
  return String(answer.updatedOn ?? '') < String(than.updatedOn ?? '');
}

function without(values: Values, fields: readonly string[]): Values {
  return Object.fromEntries(Object.entries(values).filter(([field]) => !fields.includes(field)));
}

function disputed(merge: Merge): readonly string[] {
  return merge.conflicts.filter(({ winner }) => winner === 'manual').map(({ field }) => field);
}

function mergeRecords(input: PushInput, merge: Merge, sent: Values): readonly RecordWrite[] {
  const records: RecordWrite[] = [];
  if (input.row.isDeleted) records.push({ kind: 'closeConflict', field: null, resolution: 'restored' });
  for (const field of Object.keys(input.row.base)) {
    const [base, local] = [input.row.base[field] ?? null, input.row.values[field] ?? null];
    const outcome = outcomeOf(field, { merge, sent, isUndone: isSameValue(field, base, local) });
    if (outcome !== null && input.held.disputed[field] !== undefined) {
      records.push({ kind: 'closeConflict', field, resolution: CLOSED_BY[outcome] });
    }
    records.push(...conflictRecords(field, merge));
    for (const arrived of merge.arrived.filter((three) => three.field === field)) {
      records.push(editRecord({ field, base, value: arrived.local }, 'arrived'));
    }
    if (outcome !== null && outcome !== 'sent') {
      records.push(editRecord({ field, base, value: local }, outcome));
    }
    // A local value that wins a conflict is sent by the very commit that finds it.
    if (field in sent) {
      const rebased = field in merge.rebase ? (merge.rebase[field] ?? null) : base;
      records.push(editRecord({ field, base: rebased, value: local }, 'sent'));
    }
  }
  return records;
}

function editRecord(
  edit: { readonly field: string; readonly base: FieldValue; readonly value: FieldValue },
  outcome: EditOutcome,
): RecordWrite {
  return { kind: 'edit', ...edit, outcome, message: null };
}

function conflictRecords(field: string, merge: Merge): readonly RecordWrite[] {
  const isOfField = (three: ThreeValues) => three.field === field;
  const isRewritten = ({ local, remote }: ThreeValues) => !isSameValue(field, local, remote);
  const conflicts = merge.conflicts.filter(isOfField).map(({ winner, ...three }) => {
    const resolution = winner === 'manual' ? null : winner;
    return { kind: 'conflict', ...three, resolution, message: null } as const;
  });
  const rewrites = [...merge.rewrites, ...merge.arrived].filter(isOfField).filter(isRewritten);
  const said = { resolution: 'rewritten', message: REWRITTEN } as const;
  return [...conflicts, ...rewrites.map((three) => ({ kind: 'conflict', ...three, ...said }) as const)];
}

/** What the user is told where ≈, not equality, settled a value. */
export const REWRITTEN = 'the source wrote it so';

const CLOSED_BY = {
  conflict: 'changed again',
  arrived: 'agreed',
  undone: 'remote',
  sent: 'edited again',
} as const;

interface Found {
  readonly merge: Merge;
  readonly sent: Values;
  readonly isUndone: boolean;
}

function outcomeOf(field: string, found: Found): keyof typeof CLOSED_BY | null {
  if (found.merge.conflicts.some((conflict) => conflict.field === field)) return 'conflict';
  if (found.merge.done.includes(field)) return found.isUndone ? 'undone' : 'arrived';
  if (field in found.merge.take) return 'undone';
  return field in found.sent ? 'sent' : null;
}
