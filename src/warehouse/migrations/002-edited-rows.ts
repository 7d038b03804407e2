/** Finds the clients with dead letters without a look at the whole journal. */
import type { Migration } from './migration.ts';

export const editedRows: Migration = {
  number: 2,
  name: 'edited rows',
  up: () => [
    "CREATE INDEX mirror_edits_refused ON mirror_edits (client_id) WHERE outcome IN ('refused', 'ignored')",
  ],
};
