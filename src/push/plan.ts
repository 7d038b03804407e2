/**
 * The words in which a push is planned: what is known of a row and of the source, and what a commit writes about
 * them. Data only; the ledger reads and writes them.
 */
import type { Values } from '../clients/merge.ts';

export type { Resolution } from '../ledger/conflicts.ts';
export type { RecordWrite } from '../ledger/editedRecords.ts';
export type { RowState } from '../ledger/editedRows.ts';
export type { RowWrite } from '../ledger/editedWrites.ts';
export type { EditOutcome } from '../ledger/edits.ts';
export type { Intent } from '../ledger/pushes.ts';

/** What `GET /clients/{id}`, or a list of ids, said of the client. Only a read by id proves that it is not there. */
export type RemoteAnswer =
  | { readonly found: true; readonly values: Values; readonly extra: string | null }
  | { readonly found: false };
