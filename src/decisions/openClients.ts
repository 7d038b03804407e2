/**
 * How the open edits of a client stand, for a person who asks: waiting, on their way, in conflict, refused. Read
 * anew from the row, its claim, its conflicts and its journal; nothing of it is kept.
 *
 * The row is read first: whatever the engine writes about a row raises its `_revision`, so a commit that asks for
 * the one read here also holds for what was read after it.
 */
import type { Instant } from '../clients/instant.ts';
import { isSameValue, type Values } from '../clients/merge.ts';
import type { FieldValue } from '../clients/record.ts';
import { type OpenConflict, readOpenConflicts } from '../ledger/conflicts.ts';
import { type EditedRow, readRows } from '../ledger/editedRows.ts';
import {
  type DeletedRow,
  type JournalEntry,
  readDeletedRows,
  readLastEntries,
  readTimes,
  readWaiting,
  readWaitingOf,
  toValues,
} from '../ledger/journal.ts';
import { type PushEntry, readPushes, sqlClock } from '../ledger/pushes.ts';
import type { Warehouse } from '../warehouse/warehouse.ts';

type EditState = 'pending' | 'in flight' | 'conflict' | 'refused';

/** `field`: an update of that field; else the whole row, inserted or deleted here. */
type EditKind = 'field' | 'create' | 'delete';

export interface OpenEdit {
  /** `<client id>:<field>`, `<client id>:create` or `<client id>:delete`. */
  readonly id: string;
  readonly clientId: string;
  readonly kind: EditKind;
  /** API name; null for a whole row. */
  readonly field: string | null;
  /** What it was made on: a field's merge base, or the values of the row that was deleted. */
  readonly base: FieldValue | Values;
  /** What was made of it: a field's value, or the values of the row that was inserted. */
  readonly value: FieldValue | Values;
  readonly state: EditState;
  /** When it came into this state; an edit that waits: when the row's first open edit was made. */
  readonly since: Instant | null;
  /** When the row was deleted, or its first open edit made. */
  readonly madeAt: Instant | null;
  /** The server's words on a refusal, or what a person should know. */
  readonly message: string | null;
  /** The field is excluded by now: base and value are null here. */
  readonly isHidden: boolean;
}

/** What is open of one client. */
export interface OpenClient {
  readonly id: string;
  /** The row, also one without edits. */
  readonly row: EditedRow | null;
  readonly editedAt: Instant | null;
  /** When the source was seen without it. */
  readonly deletedAt: Instant | null;
  readonly deleted: DeletedRow | null;
  readonly push: PushEntry | null;
  readonly conflicts: readonly OpenConflict[];
  /** By field, '' for the whole row: the last entry of the journal. */
  readonly last: ReadonlyMap<string, JournalEntry>;
}

export interface Look {
  /** Our clock. */
  readonly nowMs: number;
  /** API names of the fields whose values are not shown. */
  readonly excluded: ReadonlySet<string>;
}

/** Clients looked at together; their ids are parameters of each query. */
const BATCH = 200;

/** Every open edit, oldest first; with `ids` those of these clients. */
export async function readOpenEdits(
  warehouse: Warehouse,
  look: Look,
  ids?: readonly string[],
): Promise<readonly OpenEdit[]> {
  const edits: OpenEdit[] = [];
  for await (const clients of openClients(warehouse, look.nowMs, ids)) {
    edits.push(...clients.flatMap((client) => editsOf(client, look.excluded)));
  }
  return edits;
}

/** The clients with open edits, some at a time: rows that wait first, oldest edit first, then the deleted ones. */
export async function* openClients(
  warehouse: Warehouse,
  nowMs: number,
  ids?: readonly string[],
): AsyncGenerator<readonly OpenClient[]> {
  const waiting = await (ids === undefined ? readWaiting(warehouse) : readWaitingOf(warehouse, ids));
  const deleted = await readDeletedRows(warehouse, ids);
  const all = [...new Set([...waiting, ...deleted].map(({ id }) => id))];
  for (let start = 0; start < all.length; start += BATCH) {
    yield await readOpenClients(warehouse, nowMs, all.slice(start, start + BATCH));
  }
}

/** What is open of these clients, in their order; also those of which nothing is open. */
export async function readOpenClients(
  warehouse: Warehouse,
  nowMs: number,
  ids: readonly string[],
): Promise<readonly OpenClient[]> {
  const rows = await readRows(warehouse, ids);
  const times = new Map((await readTimes(warehouse, ids)).map((row) => [row.id, row]));
  const deleted = new Map((await readDeletedRows(warehouse, ids)).map((row) => [row.id, row]));
  const pushes = await readPushes(warehouse, ids, sqlClock(warehouse.kind, nowMs));
  const conflicts = await readOpenConflicts(warehouse, ids);
  const last = await readLastEntries(warehouse, ids);
  return ids.map((id) => ({
    id,
    row: rows.get(id) ?? null,
    editedAt: times.get(id)?.editedAt ?? null,
    deletedAt: times.get(id)?.deletedAt ?? null,
    deleted: deleted.get(id) ?? null,
    push: pushes.get(id) ?? null,
    conflicts: conflicts.get(id) ?? [],
    last: new Map(last.filter((entry) => entry.clientId === id).map((entry) => [entry.field ?? '', entry])),
  }));
}

/** The open edits of one client. A delete that the source refused has given the row back, with its edits. */
export function editsOf(client: OpenClient, excluded: ReadonlySet<string>): readonly OpenEdit[] {
  const { row, deleted } = client;
  const edits: OpenEdit[] = [];
  if (deleted !== null) edits.push(wholeRow(client, 'delete', shown(toValues(deleted.document), excluded)));
  if (row === null) return edits;
  if (row.create !== null) edits.push(wholeRow(client, 'create', shown(row.state.values, excluded)));
  else edits.push(...fieldsOf(client, row, excluded));
  return edits;
}

function fieldsOf(client: OpenClient, row: EditedRow, excluded: ReadonlySet<string>): readonly OpenEdit[] {
  const { id } = client;
  return Object.entries(row.state.base).map(([field, base]) => {
    const isHidden = excluded.has(field);
    const value = isHidden ? null : (row.state.values[field] ?? null);
    const madeAt = client.editedAt;
    const about = { id: `${id}:${field}`, clientId: id, kind: 'field', field, madeAt } as const;
    const standing = standingOf(client, field);
    // The server's words may quote the value.
    const message = isHidden ? null : standing.message;
    return { ...about, base: isHidden ? null : base, value, isHidden, ...standing, message };
  });
}

function wholeRow(client: OpenClient, kind: 'create' | 'delete', values: Values): OpenEdit {
  const [base, value] = kind === 'create' ? [null, values] : [values, null];
  const madeAt = kind === 'delete' ? (client.deleted?.at ?? null) : client.editedAt;
  const about = { id: `${client.id}:${kind}`, clientId: client.id, kind, field: null, madeAt };
  return { ...about, base, value, isHidden: false, ...wholeStanding(client, kind) };
}

/** What a person needs to see of a whole row: no bookkeeping, nothing that is not there. */
function shown(values: Values, excluded: ReadonlySet<string>): Values {
  return Object.fromEntries(
    Object.entries(values).filter(
      ([field, value]) => value !== null && !field.startsWith('_') && !excluded.has(field),
    ),
  );
}

type Standing = Pick<OpenEdit, 'state' | 'since' | 'message'>;

const UNSETTLED = 'sent without an answer: the next push finds out what became of it';

/** How the edit of one field stands. */
function standingOf(client: OpenClient, field: string): Standing {
  const local = client.row?.state.values[field] ?? null;
  const since = client.editedAt;
  const sent = client.push?.sent ?? {};
  if (client.push?.isLive === true && field in sent) return { state: 'in flight', since, message: null };
  // One about the whole client first: it holds every field, also one that another value has set free.
  const whole = client.conflicts.find((open) => open.field === null);
  if (whole !== undefined)
    return { state: 'conflict', since, message: `conflict ${whole.id}: deleted at the source` };
  const conflict = client.conflicts.find((open) => open.field === field);
  // Another local value than the one that waits sets the field free: the next push takes it on.
  if (conflict !== undefined && isSameValue(field, conflict.local, local)) {
    return { state: 'conflict', since, message: `conflict ${conflict.id}` };
  }
  const last = client.last.get(field);
  if (last !== undefined && isRefusal(last) && isSameValue(field, last.value, local)) {
    return { state: 'refused', since: last.at, message: last.message };
  }
  return { state: 'pending', since, message: field in sent ? UNSETTLED : null };
}

/** How the insert or delete of a whole row stands. */
function wholeStanding(client: OpenClient, kind: 'create' | 'delete'): Standing {
  const { deleted, row, push, editedAt } = client;
  const [since, isParked] =
    kind === 'delete'
      ? [deleted?.at ?? null, deleted?.isParked === true]
      : [editedAt, row?.state.isParked === true];
  // The claim of a delete says all that is sent.
  if (push?.isLive === true && (kind === 'delete' ? !isParked : push.sent !== null)) {
    return { state: 'in flight', since, message: null };
  }
  if (isParked) {
    const last = client.last.get('');
    const isTold = last !== undefined && isRefusal(last);
    return { state: 'refused', since: isTold ? last.at : since, message: isTold ? last.message : null };
  }
  const isUnsettled = push !== null && (kind === 'delete' || push.sent !== null);
  return { state: 'pending', since, message: isUnsettled ? UNSETTLED : null };
}

function isRefusal({ outcome }: JournalEntry): boolean {
  return outcome === 'refused' || outcome === 'ignored';
}
