/**
 * The triggers that capture a user's edits in SQLite. They run in the user's SQLite, which may be as old as 3.38:
 * literal RAISE texts, no `jsonb_*`, no `json_patch` (it drops nulls), reals written with `%!.20g`.
 *
 * One idea carries them: a write is the mirror's own only if `_revision` rises above the stored counter while `own` is
 * set. The driver sets it and stores the counter within its commit, a trigger around its bookkeeping; so no statement
 * of a user can look like ours, whatever it copies. SQLite does not run a trigger inside itself: what another trigger
 * writes to `clients` during our bookkeeping would go unseen, hence `capturing` and the refusal that names it.
 */
import { DELETE_MARK, SQLITE_NEW_UUID } from '../dialect.ts';
import { MESSAGES } from '../messages.ts';
import {
  ANY_CHANGED,
  BOOKKEEPING,
  deletedJson,
  insertRefusals,
  newBasePieces,
  refusal,
  refuse,
  updateRefusals,
} from './rules.ts';

// NULL, above which nothing is, while nobody of ours writes.
const COUNTER = '(SELECT CASE WHEN own > 0 THEN value END FROM mirror_revision)';
const OWN_INSERT = `coalesce(NEW._revision > ${COUNTER}, 0)`;
// The cheap comparison first. An unchanged _revision is never ours, even while it is above the counter.
const OWN_UPDATE = `coalesce(NEW._revision > OLD._revision AND NEW._revision > ${COUNTER}, 0)`;
const NOW = "strftime('%Y-%m-%dT%H:%M:%f0000Z', 'now')";
const NEXT = '(SELECT value + 1 FROM mirror_revision)';

const NESTED =
  'a trigger writes clients while an edit is being captured: give that trigger WHEN NEW._revision = OLD._revision';

/** Is a setting, in mirror_settings, set to this text? */
function setting(name: string, value: string): string {
  return `EXISTS (SELECT 1 FROM mirror_settings WHERE name = '${name}' AND value = '${value}')`;
}

const CHANGED_BOOKKEEPING = BOOKKEEPING.map((column) => `NEW.${column} IS NOT OLD.${column}`).join(' OR ');
const GIVEN_BOOKKEEPING = BOOKKEEPING.map((column) =>
  column === '_revision' || column === '_edits' ? `NEW.${column} IS NOT 0` : `NEW.${column} IS NOT NULL`,
).join(' OR ');

const GUARD_UPDATE = `CREATE TRIGGER clients_guard_update BEFORE UPDATE ON clients
WHEN NOT ${OWN_UPDATE}
BEGIN
  ${refuse([
    refusal(MESSAGES.stale, CHANGED_BOOKKEEPING),
    refusal(
      'the rowid of a client belongs to the mirror: id is its key',
      'NEW.rowid IS NOT OLD.rowid AND NEW.id IS OLD.id',
    ),
    refusal(MESSAGES.readOnlyMirror, `${setting('push', 'false')} AND (${ANY_CHANGED})`),
    refusal(MESSAGES.tombstoned, `OLD._deleted_at IS NOT NULL AND (${ANY_CHANGED})`),
    refusal(NESTED, `(SELECT capturing FROM mirror_revision) IS NOT NULL AND (${ANY_CHANGED})`),
    ...updateRefusals(),
  ])}
END`;

// The row's own _base and _edits, not OLD's: a BEFORE trigger of the user may have written this row meanwhile.
const CAPTURE_UPDATE = `CREATE TRIGGER clients_capture_update AFTER UPDATE ON clients
WHEN NOT ${OWN_UPDATE} AND (${ANY_CHANGED})
BEGIN
  UPDATE mirror_revision SET capturing = NEW.id, own = own + 1;
  UPDATE clients SET
    _base = CASE WHEN _create IS NOT NULL THEN _base ELSE '{' || ltrim(
      substr(coalesce(_base, '{}'), 2, length(coalesce(_base, '{}')) - 2)
      ${newBasePieces()}, ',') || '}' END,
    _edits = _edits + 1,
    _edited_at = coalesce(_edited_at, ${NOW}),
    _revision = ${NEXT}
  WHERE rowid = NEW.rowid;
  UPDATE mirror_revision SET value = value + 1, capturing = NULL, own = own - 1;
END`;

const GUARD_INSERT = `CREATE TRIGGER clients_guard_insert BEFORE INSERT ON clients
WHEN NOT ${OWN_INSERT}
BEGIN
  ${refuse([
    refusal(
      'this client is in the mirror already: use UPDATE',
      'EXISTS (SELECT 1 FROM clients WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM clients WHERE rowid = NEW.rowid)',
    ),
    refusal(MESSAGES.mine, GIVEN_BOOKKEEPING),
    refusal(MESSAGES.readOnlyMirror, setting('push', 'false')),
    refusal(
      MESSAGES.renamed,
      'EXISTS (SELECT 1 FROM mirror_ids m JOIN clients c ON c.id = m.id WHERE m.local_id = NEW.id)',
    ),
    refusal(MESSAGES.beingDeleted, 'EXISTS (SELECT 1 FROM mirror_deletes WHERE id = NEW.id)'),
    ...insertRefusals(),
  ])}
END`;

const CAPTURE_INSERT = `CREATE TRIGGER clients_capture_insert AFTER INSERT ON clients
WHEN NOT ${OWN_INSERT}
BEGIN
  UPDATE mirror_revision SET own = own + 1;
  UPDATE clients SET
    _create = CASE WHEN trim(coalesce(external_id, '')) = '' THEN '{"external":"made"}' ELSE '{"external":"given"}' END,
    external_id = CASE WHEN trim(coalesce(external_id, '')) = '' THEN ${SQLITE_NEW_UUID} ELSE external_id END,
    _edits = 1,
    _edited_at = ${NOW},
    _revision = ${NEXT}
  WHERE id = NEW.id;
  UPDATE mirror_revision SET value = value + 1, own = own - 1;
END`;

const GUARD_DELETE = `CREATE TRIGGER clients_guard_delete BEFORE DELETE ON clients
WHEN OLD._revision <> ${DELETE_MARK}
BEGIN
  ${refuse([
    refusal(MESSAGES.readOnlyMirror, setting('push', 'false')),
    refusal(
      MESSAGES.beingCreated,
      'OLD._create IS NOT NULL AND EXISTS (SELECT 1 FROM mirror_pushes WHERE id = OLD.id)',
    ),
    refusal(MESSAGES.tombstonedDelete, 'OLD._deleted_at IS NOT NULL'),
    refusal(MESSAGES.deletesOff, `OLD._create IS NULL AND NOT ${setting('push_deletes', 'true')}`),
  ])}
END`;

// AFTER, because a BEFORE trigger of the user may still keep the row; an unpushed create simply goes. An entry is
// there already where the source refused an earlier delete, and the row had come back.
const CAPTURE_DELETE = `CREATE TRIGGER clients_capture_delete AFTER DELETE ON clients
WHEN OLD._revision <> ${DELETE_MARK} AND OLD._create IS NULL
BEGIN
  INSERT INTO mirror_deletes (id, values_json, at) VALUES (OLD.id, ${deletedJson()}, ${NOW})
    ON CONFLICT (id) DO UPDATE SET values_json = excluded.values_json, at = excluded.at, parked = 0;
END`;

const ALL: Readonly<Record<string, string>> = {
  clients_guard_update: GUARD_UPDATE,
  clients_capture_update: CAPTURE_UPDATE,
  clients_guard_insert: GUARD_INSERT,
  clients_capture_insert: CAPTURE_INSERT,
  clients_guard_delete: GUARD_DELETE,
  clients_capture_delete: CAPTURE_DELETE,
};

/** Statements that bring the triggers to this program's version. */
export const SQLITE_TRIGGERS: readonly string[] = Object.entries(ALL).flatMap(([name, sql]) => [
  `DROP TRIGGER IF EXISTS ${name}`,
  sql,
]);
