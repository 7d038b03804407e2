/**
 * Gives local edits up: the source's value comes back, an insert goes, a deleted row returns. What was given up stays
 * in the journal; what is on its way to the source cannot be given up until it has settled.
 */
import { dropSetting } from '../ledger/settings.ts';
import { isMeant, parseEditId, unknownEdit } from './editId.ts';
import { claimDeleted, decide, type Hand, type HandPlan, type HandTry, refuseInFlight } from './hand.ts';
import { editsOf, type OpenClient, type OpenEdit, openClients, readOpenClients } from './openClients.ts';
import { knownId, planDiscardCreate, planDiscardDelete, planDiscardFields } from './planDiscard.ts';

/**
 * Discards one edit, or all of a client.
 * @param id see editId.ts
 * @returns what was discarded.
 * @throws SyncError NOT_FOUND, WAREHOUSE_BUSY
 */
export async function discardEdits(hand: Hand, id: string): Promise<readonly OpenEdit[]> {
  const meant = parseEditId(id);
  const clients = await readOpenClients(hand.warehouse, hand.clock.now(), [meant.clientId]);
  let discarded: readonly OpenEdit[] = [];
  await decide(hand, clients, (client, now) => {
    discarded = editsOf(client, hand.excluded).filter((edit) => isMeant(meant, edit));
    if (discarded.length === 0) throw unknownEdit(id);
    return planDiscard(hand, client, discarded, now);
  });
  return discarded;
}

export interface DiscardedAll {
  readonly discarded: number;
  /** Of how many clients. */
  readonly clients: number;
  /** Edits that were on their way to the source, or may be there: they are as they were. */
  readonly left: number;
}

/** Discards every open edit, those that wait for a person too. @throws SyncError WAREHOUSE_BUSY */
export async function discardAll(hand: Hand): Promise<DiscardedAll> {
  const { warehouse, clock, excluded } = hand;
  let [discarded, clients, left] = [0, 0, 0];
  for await (const some of openClients(warehouse, clock.now())) {
    const counts = new Map<string, number>();
    await decide(hand, some, (client, now) => {
      const edits = editsOf(client, excluded);
      counts.set(client.id, isFree(client) ? edits.length : -edits.length);
      return isFree(client) && edits.length > 0 ? planDiscard(hand, client, edits, now) : null;
    });
    for (const count of counts.values()) {
      if (count > 0) clients += 1;
      discarded += Math.max(0, count);
      left += Math.max(0, -count);
    }
  }
  // Nothing is held back any more by the guard against the missing WHERE.
  if (left === 0) await warehouse.commit([dropSetting('mass_edit')]);
  return { discarded, clients, left };
}

/** Of an insert that was sent it may be unknown whether it is there; a sent update or delete that ended is read again. */
function isFree(client: OpenClient): boolean {
  const { push, row } = client;
  if (push === null) return true;
  const isUnknown = row?.create != null && push.sent !== null && knownId(client) === null;
  return !push.isLive && !isUnknown;
}

function planDiscard(
  hand: Hand,
  client: OpenClient,
  edits: readonly OpenEdit[],
  { at }: HandTry,
): HandPlan | null {
  const { row, deleted } = client;
  const isDelete = edits.some(({ kind }) => kind === 'delete');
  const fields = edits.flatMap(({ field }) => (field === null ? [] : [field]));
  refuseInFlight(client);
  const back =
    deleted !== null && isDelete
      ? planDiscardDelete(deleted, {
          at,
          claim: claimDeleted(hand, client.id, hand.clock.now()),
          isBack: row !== null,
        })
      : [];
  if (row === null) return { write: null, further: back };
  if (row.create !== null) return planDiscardCreate({ ...client, row }, at);
  if (fields.length === 0) return { write: null, further: back };
  const plan = planDiscardFields({ ...client, row }, fields, { at });
  return { ...plan, further: [...plan.further, ...back] };
}
