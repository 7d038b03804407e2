/**
 * What a commit writes when a person says which side of a conflict stands. Pure. An open conflict still has its local
 * value in the row; of a resolved one the losing value comes back as a new edit on top of what the row holds now.
 *
 * A value that the conflict does not show, because the field was edited again since, is nobody's to drop: then nothing
 * is written, and the person is told where that edit waits.
 */
import { isSameValue, present, type Values } from '../clients/merge.ts';
import { canonicalJson, type FieldValue } from '../clients/record.ts';
import type { EditedRow } from '../ledger/editedRows.ts';
import { type ConflictEntry, parseRowValues } from '../ledger/journal.ts';
import type { RecordWrite } from '../push/plan.ts';
import { NEXT_REVISION } from '../warehouse/dialect.ts';
import { type Statement, statement } from '../warehouse/warehouse.ts';
import { type HandPlan, type HandTry, intentWithout, refuseInFlight } from './hand.ts';
import type { OpenClient } from './openClients.ts';
import { planDiscardFields } from './planDiscard.ts';

export type Side = 'local' | 'remote';

export interface ResolveInput {
  readonly client: OpenClient & { readonly row: EditedRow };
  readonly conflict: ConflictEntry;
  readonly take: Side;
  readonly now: HandTry;
}

export type ResolvePlan =
  | { readonly kind: 'write'; readonly plan: HandPlan; readonly isNewEdit: boolean; readonly says: string }
  /** The side that is to stand stands already. */
  | { readonly kind: 'stands'; readonly says: string }
  /** It cannot be done; why, in words for the person. */
  | { readonly kind: 'cannot'; readonly says: string };

/** Plans the resolution of one conflict. @throws SyncError WAREHOUSE_BUSY */
export function planResolve(input: ResolveInput): ResolvePlan {
  return input.conflict.field === null ? planRow(input) : planField(input, input.conflict.field);
}

const cannot = (says: string): ResolvePlan => ({ kind: 'cannot', says });
const stands = (says: string): ResolvePlan => ({ kind: 'stands', says });

function planField(input: ResolveInput, field: string): ResolvePlan {
  const { client, conflict, take } = input;
  const { state, create } = client.row;
  if (state.isDeleted || create !== null) {
    return cannot('the client was deleted at the source since: resolve the conflict of the whole client');
  }
  const local = state.values[field] ?? null;
  const base = state.base[field];
  const isDirty = base !== undefined && !isSameValue(field, base, local);
  if (conflict.resolvedAt === null && base !== undefined) {
    if (!isSameValue(field, local, conflict.local)) return editedAgain(client, field);
    return take === 'remote' ? dropEdit(input, [field]) : setFree(input);
  }
  const wanted = take === 'local' ? conflict.local : conflict.remote;
  if (isSameValue(field, wanted, local)) return settled(input, `the ${take} value stands already`);
  if (!isDirty) return bringBack(input, { [field]: wanted });
  const isOfThis = [conflict.local, conflict.remote].some((value) => isSameValue(field, value, local));
  if (!isOfThis) return editedAgain(client, field);
  // The losing value waits as an edit of its own: without it the source's value is back.
  if (take === 'remote' || isSameValue(field, wanted, base)) return dropEdit(input, [field]);
  return bringBack(input, { [field]: wanted });
}

/** Nothing is to be done in the row; a conflict that is still open ends all the same. */
function settled(input: ResolveInput, says: string): ResolvePlan {
  if (input.conflict.resolvedAt !== null) return stands(says);
  return { kind: 'write', plan: { write: null, further: [close(input)] }, isNewEdit: false, says };
}

function editedAgain(client: OpenClient, field: string): ResolvePlan {
  return cannot(
    `${field} was edited again since: that edit waits as ${client.id}:${field}; discard it first, or leave it`,
  );
}

/** The open local value goes on its way: nothing holds it back once the conflict is closed. */
function setFree(input: ResolveInput): ResolvePlan {
  const { extra, base } = input.client.row.state;
  const next = { values: {}, extra, base, isParked: false, isDeleted: false };
  return written(input, next, { records: [], says: 'the local value is sent with the next push' });
}

function dropEdit(input: ResolveInput, fields: readonly string[]): ResolvePlan {
  const { client, conflict, now } = input;
  const { write, further } = planDiscardFields(client, fields, { at: now.at, conflictId: conflict.id });
  const says = client.row.state.isDeleted
    ? 'the edit is dropped, the client stays deleted'
    : "the source's value stands";
  return {
    kind: 'write',
    plan: { write, further: [...further, close(input)] },
    isNewEdit: false,
    says,
  };
}

/** Values become edits, on top of what each field holds now where it is not edited already. */
function bringBack(input: ResolveInput, values: Values): ResolvePlan {
  const { client, conflict } = input;
  const { state } = client.row;
  const base: Record<string, FieldValue> = { ...state.base };
  const records: RecordWrite[] = [];
  for (const [field, value] of Object.entries(values)) {
    base[field] ??= state.values[field] ?? null;
    records.push(...closeOthers(client, conflict, 'edited again', field));
    const edit = { kind: 'edit', field, base: base[field], value } as const;
    records.push({ ...edit, outcome: 'retried', message: `conflict ${conflict.id}` });
  }
  const next = { values, extra: state.extra, base, isParked: false, isDeleted: false };
  const says = `the ${input.take} value is an edit now; the next push sends it`;
  return { ...written(input, next, { records, says }), isNewEdit: true };
}

/** The client was deleted at the source while it was edited here. */
function planRow(input: ResolveInput): ResolvePlan {
  const { client, conflict, take } = input;
  const { state, create } = client.row;
  const isOpen = conflict.resolvedAt === null;
  if (create !== null) {
    return take === 'local' ? stands('the client is to be created anew already') : giveUpCreate(input);
  }
  const edited = parseRowValues(conflict.local);
  if (state.isDeleted) {
    if (take === 'local') return createAnew(input, isOpen ? {} : edited);
    const dirty = Object.keys(state.base);
    return dirty.length > 0 || isOpen ? dropEdit(input, dirty) : stands('the client stays deleted already');
  }
  if (isOpen) return cannot('the client is at the source again: the next push merges its edits');
  if (take === 'remote')
    return cannot('the client is at the source: its deletion there does not stand any more');
  return bringBackRow(input, edited);
}

function bringBackRow(input: ResolveInput, edited: Values): ResolvePlan {
  const { state } = input.client.row;
  const missing = Object.entries(edited).filter(
    ([field, value]) => !isSameValue(field, value, state.values[field] ?? null),
  );
  if (missing.length === 0) return stands('the local values stand already');
  const busy = missing.find(([field]) => state.base[field] !== undefined);
  return busy === undefined
    ? bringBack(input, Object.fromEntries(missing))
    : editedAgain(input.client, busy[0]);
}

/** The row becomes an insert: the next push makes a new client of it, whose id the row takes then. */
function createAnew(input: ResolveInput, edited: Values): ResolvePlan {
  const { client, conflict, now } = input;
  const values = { ...client.row.state.values, ...edited };
  const given = String(values.externalId ?? '').trim();
  const external = given === '' ? 'made' : 'given';
  const next = {
    values: { ...edited, externalId: given === '' ? now.newId : (values.externalId ?? null), ...UNSTAMPED },
    extra: null,
    base: {},
    isParked: false,
    isDeleted: false,
  };
  const records: RecordWrite[] = [
    ...closeOthers(client, conflict, 'local'),
    {
      kind: 'edit',
      field: null,
      base: null,
      value: canonicalJson(present({ ...values, ...UNSTAMPED })),
      outcome: 'retried',
      message: `conflict ${conflict.id}`,
    },
  ];
  const says = 'the next push creates the client anew';
  const plan = written(input, next, { records, says });
  const sql = `UPDATE clients SET _create = ?, _edited_at = ?, _edits = _edits + 1, _revision = ${NEXT_REVISION}
    WHERE id = ?`;
  const note = statement(sql, [JSON.stringify({ external }), now.at, client.id], 1);
  return {
    ...plan,
    isNewEdit: true,
    plan: { write: plan.plan.write, further: [note, ...plan.plan.further] },
  };
}

/** A new client has no stamps; the source gives it its own. */
const UNSTAMPED = { createdOn: null, updatedOn: null } as const;

/** The client that was to be created anew is a tombstone again, with the values that the source had. */
function giveUpCreate(input: ResolveInput): ResolvePlan {
  const { client, conflict, now } = input;
  if (client.push?.sent != null) return cannot('the client is being created at the source already');
  const { row } = client;
  const value = canonicalJson(present(row.state.values));
  const records: RecordWrite[] = [
    {
      kind: 'edit',
      field: null,
      base: null,
      value,
      outcome: 'discarded',
      message: `conflict ${conflict.id}`,
    },
  ];
  const next = {
    values: parseRowValues(conflict.base),
    extra: row.state.extra,
    base: {},
    isParked: false,
    isDeleted: true,
  };
  const plan = written(input, next, { records, says: 'the edit is dropped, the client stays deleted' });
  const sql = `UPDATE clients SET _create = NULL, _edited_at = NULL, _deleted_at = ?, _revision = ${NEXT_REVISION}
    WHERE id = ?`;
  const note = statement(sql, [now.at, client.id], 1);
  return { ...plan, plan: { write: plan.plan.write, further: [note, ...plan.plan.further] } };
}

type Written = Extract<ResolvePlan, { readonly kind: 'write' }>;

function written(
  input: ResolveInput,
  next: NonNullable<NonNullable<HandPlan['write']>['row']>,
  what: { readonly records: readonly RecordWrite[]; readonly says: string },
): Written {
  refuseInFlight(input.client);
  const { row } = input.client;
  const write = { read: row, row: next, intent: intentWithout(input.client, []), records: what.records };
  return { kind: 'write', plan: { write, further: [close(input)] }, isNewEdit: false, says: what.says };
}

/** Closes the conflict itself, and only as it was read: of two people who decide at once one is told. */
function close({ conflict, take, now }: ResolveInput): Statement {
  const was = conflict.resolvedAt === null ? 'resolved_at IS NULL' : 'resolved_at = ?';
  const params = conflict.resolvedAt === null ? [] : [conflict.resolvedAt];
  const sql = `UPDATE mirror_conflicts SET resolved_at = ?, resolution = ? WHERE id = ? AND ${was}`;
  return statement(sql, [now.at, take, conflict.id, ...params], 1);
}

/** Other open conflicts of the client, or of one field, which the decision ends as well. */
function closeOthers(
  client: OpenClient,
  conflict: ConflictEntry,
  resolution: 'local' | 'edited again',
  only?: string,
): readonly RecordWrite[] {
  return client.conflicts
    .filter(({ id, field }) => id !== conflict.id && (only === undefined || field === only))
    .map(({ field }) => ({ kind: 'closeConflict', field, resolution }) as const);
}
