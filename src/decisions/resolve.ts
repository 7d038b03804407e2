/**
 * Resolves conflicts by hand: `local` sends the local value, `remote` lets the source's stand; of a conflict that was
 * resolved the other way the losing value comes back as a new edit. Each conflict is a commit of its own.
 */
import { SyncError } from '../errors.ts';
import { type ConflictEntry, readConflict, readConflictsOf } from '../ledger/journal.ts';
import { parseClientId } from './editId.ts';
import { decide, type Hand } from './hand.ts';
import { type OpenClient, readOpenClients } from './openClients.ts';
import { planResolve, type ResolveInput, type ResolvePlan, type Side } from './planResolve.ts';

export interface Resolved {
  readonly conflict: ConflictEntry;
  readonly take: Side;
  /** `stands`: nothing was to be done. `cannot`: nothing was done. */
  readonly outcome: 'resolved' | 'stands' | 'cannot';
  /** What became of it, in words for the person. */
  readonly says: string;
}

/**
 * @param id of a conflict, or of a client: its open conflicts; where it has none, of each field the newest.
 * @throws SyncError NOT_FOUND, WAREHOUSE_BUSY
 */
export async function resolveConflicts(hand: Hand, id: string, take: Side): Promise<readonly Resolved[]> {
  const resolved: Resolved[] = [];
  for (const conflict of await findConflicts(hand, id)) {
    resolved.push({ conflict, take, ...(await resolveOne(hand, conflict, take)) });
  }
  return resolved;
}

async function findConflicts(hand: Hand, id: string): Promise<readonly ConflictEntry[]> {
  const { warehouse } = hand;
  const text = id.trim();
  const number = /^\d{1,15}$/.test(text) ? Number(text) : null;
  if (number !== null) {
    const conflict = await readConflict(warehouse, number);
    if (conflict !== null) return [conflict];
  }
  const clientId = parseClientId(text);
  const all = clientId === null ? [] : await readConflictsOf(warehouse, [clientId]);
  const open = all.filter(({ resolvedAt }) => resolvedAt === null);
  // What is decided of the whole client ends the conflicts of its fields.
  const whole = open.find(({ field }) => field === null);
  if (whole !== undefined) return [whole];
  // Later ones replace earlier ones of the same field.
  const found = open.length > 0 ? open : [...new Map(all.map((one) => [one.field, one])).values()];
  if (found.length === 0) throw unknownConflict(id);
  return found;
}

function unknownConflict(id: string): SyncError {
  const message = `no conflict has the id ${id}: see \`clients-mirror conflicts list\``;
  return new SyncError('NOT_FOUND', message, { hint: '' });
}

async function resolveOne(
  hand: Hand,
  { id, clientId }: ConflictEntry,
  take: Side,
): Promise<Pick<Resolved, 'outcome' | 'says'>> {
  const clients = await readOpenClients(hand.warehouse, hand.clock.now(), [clientId]);
  let result: Pick<Resolved, 'outcome' | 'says'> = { outcome: 'cannot', says: '' };
  await decide(hand, clients, async (client, now) => {
    // Behind the row, and anew with each try: an engine may have closed it meanwhile.
    const conflict = await readConflict(hand.warehouse, id);
    if (conflict === null) throw unknownConflict(String(id));
    const plan = planFor(hand, { client, conflict, take, now });
    result = { outcome: plan.kind === 'write' ? 'resolved' : plan.kind, says: plan.says };
    return plan.kind === 'write' ? plan.plan : null;
  });
  return result;
}

function planFor(
  hand: Hand,
  input: Omit<ResolveInput, 'client'> & { readonly client: OpenClient },
): ResolvePlan {
  const { client, conflict, take } = input;
  const { row, deleted, id } = client;
  if (row === null) {
    const back = `the client was deleted here: \`edits discard ${id}:delete\` brings it back`;
    return {
      kind: 'cannot',
      says: deleted === null ? 'the client is no longer in the mirror under this id' : back,
    };
  }
  if (take === 'local' && conflict.field !== null && hand.excluded.has(conflict.field)) {
    return { kind: 'cannot', says: `${conflict.field} is left out of this mirror (MIRROR_EXCLUDE_FIELDS)` };
  }
  const plan = planResolve({ ...input, client: { ...client, row } });
  if (plan.kind !== 'write' || !plan.isNewEdit || hand.sends) return plan;
  return {
    kind: 'cannot',
    says: 'this mirror is read-only (MIRROR_PUSH=false): change the client at the source',
  };
}
