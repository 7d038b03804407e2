/** `mirror_ids`: the id under which a client was inserted here, and the one that the source gave it. */
import { NEXT_REVISION } from '../warehouse/dialect.ts';
import { type Statement, statement } from '../warehouse/warehouse.ts';

/** Gives a row the id of the source: it is no create any more. Journal and conflicts follow it. */
export function giveId(localId: string, id: string): readonly Statement[] {
  const move = `UPDATE clients SET id = ?, _create = NULL, _revision = ${NEXT_REVISION},
    _edited_at = CASE WHEN _base IS NULL THEN NULL ELSE _edited_at END WHERE id = ? AND _create IS NOT NULL`;
  return [
    statement(move, [id, localId], 1),
    statement(
      'INSERT INTO mirror_ids (local_id, id) VALUES (?, ?) ON CONFLICT (local_id) DO UPDATE SET id = excluded.id',
      [localId, id],
    ),
    statement('UPDATE mirror_edits SET client_id = ? WHERE client_id = ?', [id, localId]),
    statement('UPDATE mirror_conflicts SET client_id = ? WHERE client_id = ?', [id, localId]),
  ];
}
