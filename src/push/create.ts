/**
 * Carries rows that were inserted here to the source, each once. Before a POST its intent is written; a POST whose
 * answer was lost is looked up by externalId, at once and in later passes, and made again only when the lookback has
 * passed since it may last have been under way. Who had that externalId before is a stranger and never ours.
 */
import type { Body } from '../api/api.ts';
import { FIELDS } from '../clients/fields.ts';
import { present, type Values } from '../clients/merge.ts';
import { canonicalJson } from '../clients/record.ts';
import { parseUuid } from '../clients/uuid.ts';
import { isSyncError, type SyncError } from '../errors.ts';
import { readRows } from '../ledger/editedRows.ts';
import { commitEdited, type EditedWrite } from '../ledger/editedWrites.ts';
import { dropPush, endClaim } from '../ledger/pushes.ts';
import { inLanes } from '../rows/lanes.ts';
import { type Created, remember, settleCreate } from './createSettle.ts';
import type { Dirty } from './dirty.ts';
import { CLAIM_MS, type Pass } from './engine.ts';
import { keyOf, lookUp } from './lookup.ts';
import { pushBody } from './planPush.ts';
import { wordsOf } from './send.ts';
import { tellRecords } from './tell.ts';

/** A create whose intent is written, and whose POST is to be made. */
interface Posting {
  readonly id: string;
  readonly edits: number;
  readonly sent: Values;
  readonly strangers: readonly string[];
  readonly token: string;
  readonly deadlineMs: number;
  /** It was made before: what that one did is known by its externalId alone. */
  readonly isAgain: boolean;
}

/** Works on the rows of a batch that are not at the source yet. */
export async function createBatch(pass: Pass, dirty: readonly Dirty[]): Promise<void> {
  const creates = dirty.filter(({ row }) => row.create !== null);
  if (creates.length === 0) return;
  const keys = creates.filter(isLookedUp).map(externalIdOf);
  const found = await lookUp(pass, keys);
  const posts: Plan[] = [];
  for (const one of creates) {
    const known =
      knownId(one) ?? found.get(keyOf(externalIdOf(one)))?.find((id) => !strangersOf(one).includes(id));
    const wasSent = one.entry?.sent != null;
    if (wasSent && known !== undefined) {
      const isDone = await settleCreate(pass, createdOf(one, known), one.entry?.before?.gone === true);
      if (!isDone) posts.push({ one, strangers: [...strangersOf(one), known] });
    } else if (!wasSent) posts.push({ one, strangers: found.get(keyOf(externalIdOf(one))) ?? [] });
    else if (isDue(pass, one)) posts.push({ one, strangers: strangersOf(one) });
  }
  const posting = await claimAll(pass, posts);
  await inLanes(posting, pass.engine.options.concurrency, (one) => postOne(pass, one));
}

/** A uuid of our own making is nobody else's: it is looked up only where it may have been sent. */
function isLookedUp({ row, entry }: Dirty): boolean {
  return entry?.sent == null ? row.create?.external === 'given' : knownIdIn(entry.before) === undefined;
}

function externalIdOf({ row, entry }: Dirty): string {
  return String((entry?.sent ?? row.state.values).externalId ?? '');
}

function strangersOf({ entry }: Dirty): readonly string[] {
  return (entry?.before?.strangers ?? []) as readonly string[];
}

function knownId({ row, entry }: Dirty): string | undefined {
  return row.create?.id ?? knownIdIn(entry?.before ?? null);
}

/** One that an older version has noted may be none. */
function knownIdIn(before: Readonly<Record<string, unknown>> | null): string | undefined {
  return parseUuid(before?.id) ?? undefined;
}

/** May it be sent, as far as we know here? One whose answer was lost waits for the lookback. */
export function isDue(pass: Pass, { entry }: Dirty): boolean {
  return entry?.sent == null || entry.endedMs >= pass.engine.options.lookbackSeconds * 1000;
}

function createdOf({ row, entry }: Dirty, id: string): Created {
  const [sent, strangers] = [entry?.sent ?? {}, (entry?.before?.strangers ?? []) as readonly string[]];
  return { localId: row.id, id, sent, strangers, held: null, endedMs: entry?.endedMs ?? 0 };
}

interface Plan {
  readonly one: Dirty;
  readonly strangers: readonly string[];
}

/** Writes the intents. What this commit could not take is the next pass's. */
async function claimAll(pass: Pass, plans: readonly Plan[]): Promise<readonly Posting[]> {
  if (plans.length === 0) return [];
  const token = pass.token();
  const deadlineMs = pass.deadlineMs();
  const posting: Posting[] = [];
  const writes = plans.map(({ one: { row, entry }, strangers }): EditedWrite => {
    const { ownerId, ...values } = row.state.values;
    const owner = ownerId ?? pass.engine.options.shape.owner;
    const sent = sendable({ ...values, ownerId: owner }, pass.excluded);
    const isAgain = entry?.sent != null;
    posting.push({ id: row.id, edits: row.edits, sent, strangers, token, deadlineMs, isAgain });
    const value = canonicalJson(present(sent));
    return {
      read: row,
      row: {
        values: { ownerId: owner },
        extra: row.state.extra,
        base: {},
        isParked: false,
        isDeleted: false,
      },
      intent: { sent, before: { strangers } },
      records: [{ kind: 'edit', field: null, base: null, value, outcome: 'sent', message: null }],
    };
  });
  const options = { token, held: null, claimMs: CLAIM_MS, clock: pass.sqlClock(), at: pass.now() };
  const taken = await commitEdited(pass.engine.warehouse, writes, options);
  tellRecords(
    pass,
    writes.filter(({ read }) => taken.has(read.id)),
  );
  return posting.filter(({ id }) => taken.has(id));
}

/** Every field that can be sent, null where there is nothing: what is set while the POST is away must show. */
export function sendable(values: Values, excluded: ReadonlySet<string>): Values {
  const names = FIELDS.filter(({ name, writable }) => writable && !excluded.has(name)).map(
    ({ name }) => name,
  );
  return Object.fromEntries(names.map((name) => [name, values[name] ?? null]));
}

/** Body of a POST: what is there. */
export function createBody(sent: Values): Body {
  return pushBody(present(sent), sent);
}

async function postOne(pass: Pass, posting: Posting): Promise<void> {
  const { api, signal } = pass.engine;
  let told: string | null;
  try {
    const { id } = await api.create(createBody(posting.sent), { signal, deadlineMs: posting.deadlineMs });
    told = parseUuid(id);
  } catch (error) {
    if (!isSyncError(error)) throw error;
    return postFailed(pass, posting, error);
  }
  pass.failures.passed();
  await followTaken(pass, posting, told);
}

async function postFailed(pass: Pass, posting: Posting, error: SyncError): Promise<void> {
  const { warehouse } = pass.engine;
  if (error.details.mayHaveTakenEffect) {
    if (!(await followTaken(pass, posting, null))) noteFailure(pass, error);
  } else if (error.code === 'REFUSED' || error.code === 'DENIED') {
    pass.failures.passed();
    await refuse(pass, posting, wordsOf(error));
  } else {
    // Nothing came of it; of one before it something may have.
    const { id, token, isAgain } = posting;
    await warehouse.commit([isAgain ? endClaim(id, token, pass.sqlClock()) : dropPush(id, token)]);
    noteFailure(pass, error);
  }
}

/** @throws what stops the whole pass. */
function noteFailure(pass: Pass, error: SyncError): void {
  if (['AUTH', 'THROTTLED', 'FOREIGN_ORIGIN', 'STOPPED'].includes(error.code)) throw error;
  pass.failures.note(error);
}

/**
 * The source took it, under this id or under one that it does not tell, or garbles; or it may have taken it. What fails from here
 * on is no failure of the POST: its intent stays, else a later pass would make the client once more.
 * @returns false when nothing was found of it.
 */
async function followTaken(pass: Pass, posting: Posting, told: string | null): Promise<boolean> {
  const { id: localId, sent, strangers, token } = posting;
  const created = (id: string) => ({ localId, id, sent, strangers, held: token, endedMs: 0 });
  try {
    const id = told ?? (await findOwn(pass, posting));
    if (id === null) await pass.engine.warehouse.commit([endClaim(localId, token, pass.sqlClock())]);
    else await settleCreate(pass, created(id));
    return id !== null;
  } catch (error) {
    if (!isSyncError(error)) throw error;
    if (told !== null) await remember(pass, created(told));
    noteFailure(pass, error);
    return true;
  }
}

async function findOwn(pass: Pass, { sent, strangers }: Posting): Promise<string | null> {
  const externalId = String(sent.externalId ?? '');
  const found = await lookUp(pass, [externalId]);
  return found.get(keyOf(externalId))?.find((id) => !strangers.includes(id)) ?? null;
}

/** A dead letter, until the row is edited again. */
async function refuse(pass: Pass, posting: Posting, words: string): Promise<void> {
  const { warehouse } = pass.engine;
  const row = (await readRows(warehouse, [posting.id])).get(posting.id);
  if (row === undefined) return;
  const isAsSent = row.edits === posting.edits;
  const write: EditedWrite = {
    read: row,
    row: { values: {}, extra: row.state.extra, base: {}, isParked: isAsSent, isDeleted: false },
    intent: null,
    records: [
      {
        kind: 'edit',
        field: null,
        base: null,
        value: canonicalJson(present(posting.sent)),
        outcome: isAsSent ? 'refused' : 'superseded',
        message: words,
      },
    ],
  };
  const options = {
    token: pass.token(),
    held: posting.token,
    claimMs: CLAIM_MS,
    clock: pass.sqlClock(),
    at: pass.now(),
  };
  // Edited between the read and the commit: what is refused now will be sent as it is then.
  const taken = await commitEdited(warehouse, [write], options);
  if (taken.size === 0) await warehouse.commit([dropPush(posting.id, posting.token)]);
  else tellRecords(pass, [write]);
}
