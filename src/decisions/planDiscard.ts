/**
 * What a commit writes when a person gives local edits up: the source's values come back, and the journal keeps what
 * was given up. Pure. The client is read again by the next cycle, for what stood here as the source's value may be
 * old by now, and what was sent of the edit without an answer may have arrived.
 */
import { FIELDS } from '../clients/fields.ts';
import type { Instant } from '../clients/instant.ts';
import { present, type Values } from '../clients/merge.ts';
import { type ClientRecord, canonicalJson, type FieldValue } from '../clients/record.ts';
import { SyncError } from '../errors.ts';
import type { EditedRow } from '../ledger/editedRows.ts';
import { addEntry, type DeletedRow, toValues } from '../ledger/journal.ts';
import { listRefetch } from '../ledger/refetch.ts';
import type { RecordWrite } from '../push/plan.ts';
import { ownDelete } from '../warehouse/dialect.ts';
import { type Statement, statement, type Write } from '../warehouse/warehouse.ts';
import { type HandPlan, intentWithout, refuseInFlight } from './hand.ts';
import type { OpenClient } from './openClients.ts';

const REASON = 'discarded';

/** Row and records of a row that gives these fields up; the others keep their edits. */
function discardFields(
  client: OpenClient & { readonly row: EditedRow },
  fields: readonly string[],
  /** The conflict that the caller closes itself. */
  conflictId: number | null = null,
): { readonly values: Values; readonly base: Values; readonly records: readonly RecordWrite[] } {
  const { state } = client.row;
  const values: Record<string, FieldValue> = {};
  const base: Record<string, FieldValue> = { ...state.base };
  const records: RecordWrite[] = [];
  for (const field of fields) {
    const before = state.base[field];
    if (before === undefined) continue;
    delete base[field];
    values[field] = before;
    const edit = { kind: 'edit', field, base: before, value: state.values[field] ?? null } as const;
    records.push({ ...edit, outcome: 'discarded', message: null });
  }
  const isClean = Object.keys(base).length === 0;
  for (const open of client.conflicts) {
    const ends = open.field === null ? isClean : fields.includes(open.field);
    if (ends && open.id !== conflictId) {
      records.push({ kind: 'closeConflict', field: open.field, resolution: 'remote' });
    }
  }
  return { values, base, records };
}

/** Gives up the edits of these fields. @throws SyncError WAREHOUSE_BUSY */
export function planDiscardFields(
  client: OpenClient & { readonly row: EditedRow },
  fields: readonly string[],
  about: { readonly at: Instant; readonly conflictId?: number },
): HandPlan {
  refuseInFlight(client);
  const { row, id } = client;
  const { values, base, records } = discardFields(client, fields, about.conflictId);
  const isParked = row.state.isParked && Object.keys(base).length > 0;
  const { extra, isDeleted } = row.state;
  const next = { values, extra, base, isParked, isDeleted };
  return {
    write: { read: row, row: next, intent: intentWithout(client, fields), records },
    further: isDeleted ? [] : [listRefetch(id, REASON, about.at)],
  };
}

/**
 * An insert that is not at the source simply goes. One that is there, but whose row could not take its id, goes too:
 * the client comes with the next cycle. @throws SyncError WAREHOUSE_BUSY when nobody knows yet whether it is there.
 */
export function planDiscardCreate(client: OpenClient & { readonly row: EditedRow }, at: Instant): HandPlan {
  refuseInFlight(client);
  const { row, push, id } = client;
  const known = knownId(client);
  if (push !== null && push.sent !== null && known === null) {
    throw new SyncError('WAREHOUSE_BUSY', `client ${id} may be at the source already`, {
      hint: '`clients-mirror push` finds out; then it can be discarded, or deleted there.',
    });
  }
  const value = canonicalJson(present(row.state.values));
  const record: RecordWrite = {
    kind: 'edit',
    field: null,
    base: null,
    value,
    outcome: 'discarded',
    message: null,
  };
  return {
    write: { read: row, row: null, intent: null, records: [record] },
    further: [
      ...ownDelete('id = ? AND _create IS NOT NULL', [id]).map((one) => ({ ...one, expect: 1 })),
      ...(known === null ? [] : [listRefetch(known, REASON, at)]),
    ],
  };
}

/** The id that the source gave a row inserted here, where it is known. */
export function knownId({ row, push }: OpenClient): string | null {
  const id = push?.before?.id ?? row?.create?.id;
  return typeof id === 'string' ? id : null;
}

interface DiscardDelete {
  readonly at: Instant;
  readonly claim: readonly [Statement, Statement];
  /** The source refused the delete, and the row is back, with edits of its own. */
  readonly isBack: boolean;
}

/** A row deleted here comes back as the source had it, without the edits that it had when it was deleted. */
export function planDiscardDelete(
  deleted: DeletedRow,
  { at, claim, isBack }: DiscardDelete,
): readonly Write[] {
  const { _base: base, _extra: extra, ...document } = deleted.document;
  const now = toValues(document);
  const entry = { outcome: 'discarded', message: null } as const;
  const gone = addEntry(
    deleted.id,
    { ...entry, field: null, base: canonicalJson(present(now)), value: null },
    at,
  );
  const forget = statement('DELETE FROM mirror_deletes WHERE id = ? AND at = ?', [deleted.id, deleted.at], 1);
  if (isBack) return [claim[0], forget, gone, claim[1]];
  const edited = toValues((base ?? {}) as Readonly<Record<string, unknown>>);
  const row = recordOf({ ...now, ...edited }, extra);
  return [
    claim[0],
    forget,
    { kind: 'rows', rows: [row], noted: Number.MAX_SAFE_INTEGER, at, trust: 'list' },
    ...Object.entries(edited).map(([field, before]) =>
      addEntry(deleted.id, { ...entry, field, base: before, value: now[field] ?? null }, at),
    ),
    gone,
    listRefetch(deleted.id, REASON, at),
    claim[1],
  ];
}

function recordOf(values: Values, extra: unknown): ClientRecord {
  return {
    id: String(values.id),
    createdOn: (values.createdOn ?? null) as Instant | null,
    updatedOn: (values.updatedOn ?? null) as Instant | null,
    values: FIELDS.map((field) => values[field.name] ?? null),
    extra: extra === null || extra === undefined ? null : canonicalJson(extra),
  };
}
