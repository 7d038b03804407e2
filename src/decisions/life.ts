/**
 * One client's life as far as the warehouse remembers it, in order of time: what the source did, what was edited here,
 * what was merged, pushed and refused. Pulls keep no journal: of them it is only known up to when they are complete.
 */
import type { Instant } from '../clients/instant.ts';
import type { Values } from '../clients/merge.ts';
import type { FieldValue } from '../clients/record.ts';
import { SyncError } from '../errors.ts';
import type { EditOutcome } from '../ledger/edits.ts';
import {
  type ConflictEntry,
  type JournalEntry,
  parseRowValues,
  readConflictsOf,
  readJournal,
  readOtherIds,
  readPulledUntil,
  readTodo,
} from '../ledger/journal.ts';
import type { Resolution } from '../push/plan.ts';
import { showConflict, withoutHidden } from './conflictList.ts';
import { parseClientId } from './editId.ts';
import type { Hand } from './hand.ts';
import { editsOf, type OpenClient, type OpenEdit, readOpenClients } from './openClients.ts';

type Value = FieldValue | Values;

export interface LifeEvent {
  /** null: not known. */
  readonly at: Instant | null;
  /** In words: `created at the source`, `pulled`, `edited`, `merged`, `pushed`, `refused` … */
  readonly event: string;
  /** API name; null: the whole client. */
  readonly field: string | null;
  readonly base: Value;
  /** The local value. */
  readonly value: Value;
  /** The source's value, where it met the local one. */
  readonly remote: Value;
  readonly message: string | null;
  /** The field is excluded by now: its values are null here. */
  readonly isHidden: boolean;
}

export interface Life {
  readonly id: string;
  /** The other id of a client that was inserted here: the local one, or the one that the source gave. */
  readonly otherIds: readonly string[];
  readonly state: 'live' | 'deleted at the source' | 'new' | 'deleted here' | 'not in the mirror';
  readonly events: readonly LifeEvent[];
  readonly open: readonly OpenEdit[];
}

/** @throws SyncError NOT_FOUND for an id of which nothing is known. */
export async function readLife(hand: Hand, text: string): Promise<Life> {
  const { warehouse, clock, excluded } = hand;
  const given = parseClientId(text);
  if (given === null) throw unknown(text);
  const others = await readOtherIds(warehouse, given);
  const ids = [given, ...others];
  const clients = await readOpenClients(warehouse, clock.now(), ids);
  const client = clients.find(({ row, deleted }) => row !== null || deleted !== null) ?? clients[0];
  const journal = await readJournal(warehouse, ids);
  const conflicts = await readConflictsOf(warehouse, ids);
  const todo = await readTodo(warehouse, ids);
  if (client === undefined) throw unknown(text);
  const open = editsOf(client, excluded);
  const events = [
    ...sourceEvents(client, await readPulledUntil(warehouse)),
    ...open.map(editEvent),
    ...conflicts.flatMap((conflict) => conflictEvents(conflict, excluded)),
    ...journal.flatMap((entry) => journalEvents(entry, excluded)),
    ...todo.map(({ at, event, message }) => plain(at, event, message)),
  ];
  if (events.length === 0 && client.row === null && client.deleted === null) throw unknown(text);
  const otherIds = ids.filter((id) => id !== client.id);
  return { id: client.id, otherIds, state: stateOf(client), events: inOrder(events), open };
}

function unknown(id: string): SyncError {
  return new SyncError('NOT_FOUND', `nothing is known of a client ${id}`, { hint: '' });
}

function stateOf({ row, deleted }: OpenClient): Life['state'] {
  if (row === null) return deleted === null ? 'not in the mirror' : 'deleted here';
  if (row.create !== null) return 'new';
  return row.state.isDeleted ? 'deleted at the source' : 'live';
}

/** Events of one time stay in the order in which they were told. */
function inOrder(events: readonly LifeEvent[]): readonly LifeEvent[] {
  return [...events].sort((a, b) => {
    const [left, right] = [a.at ?? '', b.at ?? ''];
    return left === right ? 0 : left < right ? -1 : 1;
  });
}

const NOTHING = {
  field: null,
  base: null,
  value: null,
  remote: null,
  message: null,
  isHidden: false,
} as const;

function plain(at: Instant | null, event: string, message: string | null = null): LifeEvent {
  return { ...NOTHING, at, event, message };
}

function sourceEvents({ row, deletedAt }: OpenClient, pulledUntil: Instant | null): readonly LifeEvent[] {
  if (row === null || row.create !== null) return [];
  const { createdOn, updatedOn } = row.state.values;
  const events: LifeEvent[] = [];
  if (createdOn != null) events.push(plain(createdOn as Instant, 'created at the source'));
  if (updatedOn != null)
    events.push(plain(updatedOn as Instant, 'changed at the source', 'its newest change here'));
  if (pulledUntil !== null) {
    const says = 'the last complete pull began: what rested at the source by then is here';
    events.push(plain(pulledUntil, 'pulled', says));
  }
  if (row.state.isDeleted) events.push(plain(deletedAt, 'deleted at the source'));
  return events;
}

const MADE: Readonly<Record<OpenEdit['kind'], string>> = {
  field: 'edited',
  create: 'inserted here',
  delete: 'deleted here',
};

function editEvent(edit: OpenEdit): LifeEvent {
  const { kind, field, base, value, isHidden, madeAt, state } = edit;
  const message = `${state === 'pending' ? 'waits for the next push' : state} as ${edit.id}`;
  return { at: madeAt, event: MADE[kind], field, base, value, remote: null, message, isHidden };
}

/** What the journal tells apart from a conflict, which tells of itself. */
const EVENTS: Readonly<Record<Exclude<EditOutcome, 'conflict'>, string>> = {
  sent: 'pushed',
  arrived: 'arrived',
  undone: 'taken back',
  overwritten: 'overwritten',
  superseded: 'superseded',
  refused: 'refused',
  ignored: 'refused',
  retried: 'retried',
  discarded: 'discarded',
};

function journalEvents(entry: JournalEntry, excluded: ReadonlySet<string>): readonly LifeEvent[] {
  const { at, field, outcome, message } = entry;
  if (outcome === 'conflict') return [];
  const isHidden = field !== null && excluded.has(field);
  const show = (value: FieldValue): Value => {
    if (isHidden || value === null) return null;
    return field === null ? withoutHidden(parseRowValues(value), excluded) : value;
  };
  const [base, value] = [show(entry.base), show(entry.value)];
  // The server's words may quote the value.
  const said = isHidden ? null : message;
  return [{ at, event: EVENTS[outcome], field, base, value, remote: null, message: said, isHidden }];
}

const ENDED: Readonly<Record<Resolution, string>> = {
  remote: "the source's value stands",
  local: 'the local value stands',
  rewritten: 'the source wrote it so',
  overwritten: 'another writer came after it',
  agreed: 'both sides hold the same',
  'edited again': 'edited again since',
  'changed again': 'changed again at the source',
  restored: 'the client came back',
};

/** A conflict that ended where it was found is a merge; one that was open has two times. */
function conflictEvents(conflict: ConflictEntry, excluded: ReadonlySet<string>): readonly LifeEvent[] {
  const { at, resolvedAt, resolution, field, message } = conflict;
  const { base, local: value, remote, isHidden } = showConflict(conflict, excluded);
  const about = { field, base, value, remote, isHidden };
  const ended = resolution === null ? null : ENDED[resolution];
  if (resolvedAt === at) return [{ ...about, at, event: 'merged', message: ended }];
  const named = `conflict ${conflict.id}${message === null ? '' : `: ${message}`}`;
  const events: LifeEvent[] = [{ ...about, at, event: 'conflict', message: named }];
  if (resolvedAt !== null) {
    events.push({
      ...NOTHING,
      at: resolvedAt,
      event: 'resolved',
      field,
      message: `${named}: ${ended}`,
      isHidden,
    });
  }
  return events;
}
