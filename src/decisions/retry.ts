/**
 * Sets refused edits free: the journal notes that a person wants the value sent again, which ends the refusal, and the
 * row goes back into the push queue. Nothing is sent here; the next push does that.
 */
import { present } from '../clients/merge.ts';
import { canonicalJson } from '../clients/record.ts';
import type { EditedRow } from '../ledger/editedRows.ts';
import { addEntry } from '../ledger/journal.ts';
import type { RecordWrite } from '../push/plan.ts';
import { statement } from '../warehouse/warehouse.ts';
import { isMeant, parseEditId, unknownEdit } from './editId.ts';
import { decide, type Hand, type HandPlan, type HandTry, intentWithout, refuseInFlight } from './hand.ts';
import { editsOf, type OpenClient, type OpenEdit, readOpenClients } from './openClients.ts';

export interface Retried {
  readonly retried: readonly OpenEdit[];
  /** Meant too, but not refused: they need no retry, or another decision. */
  readonly others: readonly OpenEdit[];
}

/**
 * Retries one refused edit, or all of a client.
 * @param id see editId.ts
 * @throws SyncError NOT_FOUND, WAREHOUSE_BUSY
 */
export async function retryEdits(hand: Hand, id: string): Promise<Retried> {
  const meant = parseEditId(id);
  const clients = await readOpenClients(hand.warehouse, hand.clock.now(), [meant.clientId]);
  let result: Retried = { retried: [], others: [] };
  await decide(hand, clients, (client, now) => {
    const edits = editsOf(client, hand.excluded).filter((edit) => isMeant(meant, edit));
    if (edits.length === 0) throw unknownEdit(id);
    const retried = edits.filter(({ state }) => state === 'refused');
    result = { retried, others: edits.filter((edit) => !retried.includes(edit)) };
    return retried.length === 0 ? null : planRetry(client, retried, now);
  });
  return result;
}

const RETRIED = { outcome: 'retried', message: null } as const;

function planRetry(client: OpenClient, edits: readonly OpenEdit[], { at }: HandTry): HandPlan {
  refuseInFlight(client);
  const { row, deleted, id } = client;
  const ofRow = edits.filter(({ kind }) => kind !== 'delete');
  const further =
    deleted !== null && ofRow.length < edits.length
      ? [
          statement('UPDATE mirror_deletes SET parked = 0 WHERE id = ? AND at = ?', [id, deleted.at], 1),
          addEntry(id, { ...RETRIED, field: null, base: null, value: null }, at),
        ]
      : [];
  if (row === null || ofRow.length === 0) return { write: null, further };
  const { extra, base, isDeleted } = row.state;
  const next = { values: {}, extra, base, isParked: false, isDeleted };
  const records = ofRow.map((edit) => retried(row, edit));
  return { write: { read: row, row: next, intent: intentWithout(client, []), records }, further };
}

function retried({ state }: EditedRow, { field }: OpenEdit): RecordWrite {
  const [base, value] =
    field === null
      ? [null, canonicalJson(present(state.values))]
      : [state.base[field] ?? null, state.values[field] ?? null];
  return { kind: 'edit', field, base, value, ...RETRIED };
}
