/** Finds the rows with local edits, parked ones too, without a look at all others: for counts and for the journal. */
import type { Migration } from './migration.ts';

export const editedRows: Migration = {
  number: 2,
  name: 'edited rows',
  up: () => [
    'CREATE INDEX clients_edited ON clients (id) WHERE _base IS NOT NULL OR _create IS NOT NULL',
    "CREATE INDEX mirror_edits_refused ON mirror_edits (client_id) WHERE outcome IN ('refused', 'ignored')",
  ],
};
