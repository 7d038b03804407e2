/**
 * The triggers that capture a user's edits in Postgres: BEFORE the row is written they put the merge base into that
 * very row version, so that row and bookkeeping can never disagree.
 *
 * A write is the mirror's own only if `_revision` rises in one of its own transactions (`mirror.own`, set there with
 * SET LOCAL). The WHEN clauses ask for that, so that a page of the source costs no call of a function. The names
 * begin with zzz to come after the user's own triggers; ENABLE ALWAYS holds under session_replication_role too;
 * SECURITY DEFINER lets a user who may only write `clients` make an edit, and the settings of the functions
 * shut out what a session may have changed: its search_path, and its digits of a float.
 */
import { EMAIL_PATTERN, FIELDS, type Field } from '../../clients/fields.ts';
import { DELETE_MARK } from '../dialect.ts';
import { MESSAGES } from '../messages.ts';
import { quoteName, quoteText } from './values.ts';

const BOOKKEEPING = [
  '_revision',
  '_edits',
  '_edited_at',
  '_base',
  '_parked',
  '_create',
  '_deleted_at',
  '_extra',
  '_created_on',
  '_updated_on',
] as const;

const WRITABLE = FIELDS.filter((field) => field.writable);
const READ_ONLY = FIELDS.filter((field) => !field.writable);
/** Writable fields that a trigger compares in one go. */
const GROUP_SIZE = 6;
const GROUPS = Array.from({ length: Math.ceil(WRITABLE.length / GROUP_SIZE) }, (_, index) =>
  WRITABLE.slice(index * GROUP_SIZE, (index + 1) * GROUP_SIZE),
);
const OWN = "current_setting('mirror.own', true) = 'on'";
const NOW = `to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') || '0Z'`;
/** NOTIFY takes names of at most 63 bytes. */
const CHANNEL_BYTES_MAX = 63;

/** Where a user's edit is told with NOTIFY, so that a worker need not wait for its next look. */
export function editsChannel(schema: string): string {
  const name = `${schema}.mirror_edits`;
  return Buffer.byteLength(name) <= CHANNEL_BYTES_MAX ? name : 'mirror_edits';
}

/** Statements that bring functions and triggers to this program's version; run with the schema in the path. */
export function postgresTriggers(schema: string): readonly string[] {
  return [
    `CREATE OR REPLACE FUNCTION mirror_now_ms() RETURNS bigint LANGUAGE sql VOLATILE
AS 'SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint'`,
    ...trigger(schema, {
      name: 'update',
      when: `BEFORE UPDATE ON clients FOR EACH ROW WHEN ((NEW._revision > OLD._revision AND ${OWN}) IS NOT TRUE)`,
      declare: updateVariables(),
      body: updateBody(schema),
    }),
    ...trigger(schema, {
      name: 'insert',
      when: `BEFORE INSERT ON clients FOR EACH ROW WHEN ((NEW._revision > 0 AND ${OWN}) IS NOT TRUE)`,
      declare: '',
      body: insertBody(schema),
    }),
    ...trigger(schema, {
      name: 'inserted',
      when: 'AFTER INSERT ON clients FOR EACH ROW WHEN (NEW._revision < 1 AND NEW._create IS NULL)',
      declare: '',
      // The row was there when the BEFORE trigger looked, and is gone since: what it skipped must be done anew.
      body: "RAISE EXCEPTION USING ERRCODE = 'serialization_failure', MESSAGE = 'the row was deleted meanwhile: insert it again';",
    }),
    ...trigger(schema, {
      name: 'delete',
      when: `BEFORE DELETE ON clients FOR EACH ROW WHEN (OLD._revision <> ${DELETE_MARK})`,
      declare: '',
      body: deleteBody(schema),
    }),
    ...trigger(schema, {
      name: 'deleted',
      when: `AFTER DELETE ON clients FOR EACH ROW WHEN (OLD._revision <> ${DELETE_MARK} AND OLD._create IS NULL)`,
      declare: '',
      body: `INSERT INTO mirror_deletes (id, values_json, at) VALUES (OLD.id::text, ${deletedJson()}, ${NOW})
    ON CONFLICT (id) DO UPDATE SET values_json = excluded.values_json, at = excluded.at, parked = 0;
  RETURN NULL;`,
    }),
    ...trigger(schema, {
      name: 'truncate',
      when: 'BEFORE TRUNCATE ON clients FOR EACH STATEMENT',
      declare: '',
      body: raise(MESSAGES.truncate),
    }),
  ];
}

interface Trigger {
  readonly name: string;
  readonly when: string;
  readonly declare: string;
  readonly body: string;
}

function trigger(schema: string, { name, when, declare, body }: Trigger): string[] {
  return [
    `CREATE OR REPLACE FUNCTION mirror_on_${name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, ${quoteName(schema)}, pg_temp SET extra_float_digits = 1 AS $mirror$
DECLARE
  settings text; ${declare}
BEGIN
  ${body}
END $mirror$`,
    `DROP TRIGGER IF EXISTS zzz_mirror_${name} ON clients`,
    `CREATE TRIGGER zzz_mirror_${name} ${when} EXECUTE FUNCTION mirror_on_${name}()`,
    `ALTER TABLE clients ENABLE ALWAYS TRIGGER zzz_mirror_${name}`,
  ];
}

function raise(message: string): string {
  return `RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = ${quoteText(message)};`;
}

function refuse(message: string, condition: string): string {
  return `IF ${condition} THEN ${raise(message)} END IF;`;
}

/**
 * The settings as one text, read once a command of the user's and kept for its other rows in a setting of the
 * transaction: a look at the table for each row cost more than all the rest. The workers are told then, too.
 */
function settings(schema: string): string {
  // Of this table: one command may edit two mirrors.
  const command = "statement_timestamp()::text || ' ' || TG_RELID || ' '";
  return `settings := current_setting('mirror.settings', true);
  IF starts_with(settings, ${command}) IS NOT TRUE THEN
    SELECT set_config('mirror.settings', ${command} || coalesce(string_agg(name || '=' || value, ' '), ''), true)
      INTO settings FROM mirror_settings WHERE name IN ('push', 'push_deletes', 'excluded');
    PERFORM pg_notify(${quoteText(editsChannel(schema))}, '');
  END IF;`;
}

/** SQL: do the settings say this? Neither flag's text can stand in the list of excluded fields. */
function isSet(text: string): string {
  return `coalesce(position(${quoteText(text)} IN settings), 0) > 0`;
}

function updateBody(schema: string): string {
  const rows = (row: string) => `ROW(${BOOKKEEPING.map((column) => `${row}.${column}`).join(', ')})`;
  return [
    refuse(MESSAGES.stale, `${rows('NEW')} IS DISTINCT FROM ${rows('OLD')}`),
    `IF ${anyChanged(READ_ONLY)} THEN
    ${READ_ONLY.map((field) => refuse(MESSAGES.readOnlyColumn(field.column), changed(field))).join('\n    ')}
  END IF;`,
    `IF NOT (${GROUPS.map((_, index) => `touched${index}`).join(' OR ')}) THEN RETURN NEW; END IF;`,
    settings(schema),
    ...GROUPS.map(
      (group, index) => `IF touched${index} THEN
    ${group.map(captureField).join('\n    ')}
  END IF;`,
    ),
    refuse(MESSAGES.readOnlyMirror, isSet('push=false')),
    refuse(MESSAGES.tombstoned, 'OLD._deleted_at IS NOT NULL'),
    'IF OLD._create IS NULL THEN NEW._base := base; END IF;',
    'NEW._edits := OLD._edits + 1;',
    `NEW._edited_at := coalesce(OLD._edited_at, ${NOW});`,
    'RETURN NEW;',
  ].join('\n  ');
}

/** Most fields of a row have not changed: one look tells so of several. */
function updateVariables(): string {
  const touched = GROUPS.map((group, index) => `touched${index} boolean := ${anyChanged(group)};`);
  return [`base jsonb := coalesce(OLD._base, '{}');`, ...touched].join(' ');
}

function anyChanged(fields: readonly Field[]): string {
  return fields.map(changed).join(' OR ');
}

function changed(field: Field): string {
  return `NEW.${field.column} IS DISTINCT FROM OLD.${field.column}`;
}

/** The first change of a field keeps its old value: later ones must not replace the merge base. */
function captureField(field: Field): string {
  const name = quoteText(field.name);
  return `IF ${changed(field)} THEN
    ${[refuse(MESSAGES.excluded(field.column), isExcluded(field)), ...misfits(field)].join('\n    ')}
    IF NOT jsonb_exists(base, ${name}) THEN base := base || jsonb_build_object(${name}, OLD.${field.column}); END IF;
  END IF;`;
}

function insertBody(schema: string): string {
  const preset = (column: string) => (column === '_revision' || column === '_edits' ? '0' : 'NULL');
  const given = BOOKKEEPING.map((column) => `NEW.${column} IS DISTINCT FROM ${preset(column)}`).join(' OR ');
  return [
    // A known id: ON CONFLICT makes it an UPDATE, which has its own trigger, or the primary key refuses it.
    'IF EXISTS (SELECT FROM clients WHERE id = NEW.id) THEN RETURN NEW; END IF;',
    settings(schema),
    refuse(MESSAGES.mine, given),
    refuse(MESSAGES.readOnlyMirror, isSet('push=false')),
    refuse(
      MESSAGES.renamed,
      'EXISTS (SELECT FROM mirror_ids m JOIN clients c ON c.id = m.id::uuid WHERE m.local_id = NEW.id::text)',
    ),
    refuse(MESSAGES.beingDeleted, 'EXISTS (SELECT FROM mirror_deletes WHERE id = NEW.id::text)'),
    ...FIELDS.filter((field) => !field.writable && field.name !== 'id').map((field) =>
      refuse(MESSAGES.readOnlyInsert(field.column), `NEW.${field.column} IS NOT NULL`),
    ),
    ...WRITABLE.flatMap((field) => [
      refuse(MESSAGES.excluded(field.column), `${isGiven(field)} AND ${isExcluded(field)}`),
      ...misfits(field),
    ]),
    'NEW.id := coalesce(NEW.id, gen_random_uuid());',
    `IF btrim(coalesce(NEW.external_id, '')) = '' THEN
    NEW.external_id := gen_random_uuid()::text;
    NEW._create := jsonb_build_object('external', 'made');
  ELSE
    NEW._create := jsonb_build_object('external', 'given');
  END IF;`,
    'NEW._edits := 1;',
    `NEW._edited_at := ${NOW};`,
    'RETURN NEW;',
  ].join('\n  ');
}

/** A flag that is left out has its default. */
function isGiven(field: Field): string {
  const value = `NEW.${field.column}`;
  return field.type === 'boolean' && !field.nullable ? `${value} IS NOT FALSE` : `${value} IS NOT NULL`;
}

function isExcluded(field: Field): string {
  return isSet(JSON.stringify(field.name));
}

/** What NEW may not hold in a field, because the API could not take it. */
function misfits(field: Field): string[] {
  const value = `NEW.${field.column}`;
  const found: string[] = [];
  if (field.required) found.push(refuse(MESSAGES.empty(field.column), `btrim(coalesce(${value}, '')) = ''`));
  else if (!field.nullable) found.push(refuse(MESSAGES.flag(field.column), `${value} IS NULL`));
  if (field.name === 'email') found.push(refuse(MESSAGES.email, `${value} !~ ${quoteText(EMAIL_PATTERN)}`));
  if (field.type === 'json') {
    found.push(refuse(MESSAGES.object(field.column), `jsonb_typeof(${value}) <> 'object'`));
  }
  return found;
}

function deleteBody(schema: string): string {
  return [
    settings(schema),
    refuse(MESSAGES.readOnlyMirror, isSet('push=false')),
    refuse(
      MESSAGES.beingCreated,
      'OLD._create IS NOT NULL AND EXISTS (SELECT FROM mirror_pushes WHERE id = OLD.id::text)',
    ),
    refuse(MESSAGES.tombstonedDelete, 'OLD._deleted_at IS NOT NULL'),
    refuse(MESSAGES.deletesOff, `OLD._create IS NULL AND NOT ${isSet('push_deletes=true')}`),
    'RETURN OLD;',
  ].join('\n  ');
}

/** The JSON that `mirror_deletes` keeps: every field by its API name, `_base` and `_extra`. */
function deletedJson(): string {
  const stamps: Readonly<Record<string, string>> = { createdOn: '_created_on', updatedOn: '_updated_on' };
  const members = FIELDS.map(
    (field) => `${quoteText(field.name)}, OLD.${stamps[field.name] ?? field.column}`,
  );
  return `jsonb_build_object(${[...members, "'_base', OLD._base", "'_extra', OLD._extra"].join(', ')})::text`;
}
