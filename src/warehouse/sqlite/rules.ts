/**
 * What a user's statement may not do to a field, and how a field's old value is written down: SQL expressions
 * for the triggers, generated from the field table. Pure text.
 */
import { FIELDS, type Field } from '../../clients/fields.ts';
import { MESSAGES } from '../messages.ts';

export const BOOKKEEPING: readonly string[] = [
  '_revision',
  '_edits',
  '_edited_at',
  '_base',
  '_parked',
  '_create',
  '_deleted_at',
  '_extra',
];

const WRITABLE = FIELDS.filter((field) => field.writable);
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
const HEX = '[0-9a-f]';
const UUID_GLOB = [8, 4, 4, 4, 12].map((digits) => HEX.repeat(digits)).join('-');

/** Did the statement change any field at all? An UPDATE that sets what is there is no edit. */
export const ANY_CHANGED = FIELDS.map((field) => changed(field)).join(' OR ');

function changed(field: Field): string {
  return `NEW.${field.column} IS NOT OLD.${field.column}`;
}

export interface Refusal {
  readonly message: string;
  readonly condition: string;
}

export function refusal(message: string, condition: string): Refusal {
  return { message, condition };
}

/**
 * The statement of a trigger body that ends the user's statement with the first message whose condition holds. One
 * CASE, because forty statements of their own cost a bulk UPDATE more than all the rest of the trigger.
 */
export function refuse(refusals: readonly Refusal[]): string {
  const branches = refusals.map(
    ({ message, condition }) => `WHEN ${condition} THEN RAISE(ABORT, '${message.replaceAll("'", "''")}')`,
  );
  return `SELECT CASE\n    ${branches.join('\n    ')}\n  END;`;
}

/** Refusals of an UPDATE, field by field. */
export function updateRefusals(): readonly Refusal[] {
  return [
    ...FIELDS.filter((field) => !field.writable).map((field) =>
      refusal(MESSAGES.readOnlyColumn(field.column), changed(field)),
    ),
    ...WRITABLE.flatMap((field) =>
      [excluded(field, changed(field)), ...misfits(field)].map(({ message, condition }) =>
        refusal(message, `${changed(field)} AND (${condition})`),
      ),
    ),
  ];
}

/** Refusals of an INSERT, field by field. The id may be given: it is local until the source gives its own. */
export function insertRefusals(): readonly Refusal[] {
  const id = `NEW.id IS NOT NULL AND (typeof(NEW.id) <> 'text' OR NEW.id NOT GLOB '${UUID_GLOB}')`;
  return [
    refusal('id must be a uuid in lower case: or leave it out', id),
    ...FIELDS.filter((field) => !field.writable && field.name !== 'id').map((field) =>
      refusal(MESSAGES.readOnlyInsert(field.column), given(field)),
    ),
    ...WRITABLE.flatMap((field) =>
      [excluded(field, given(field)), ...misfits(field)].map(({ message, condition }) =>
        refusal(message, condition),
      ),
    ),
  ];
}

function given(field: Field): string {
  // A flag that is left out has its default.
  const preset = field.type === 'boolean' && !field.nullable ? ` AND NEW.${field.column} IS NOT 0` : '';
  return `NEW.${field.column} IS NOT NULL${preset}`;
}

function excluded(field: Field, touched: string): Refusal {
  const listed = `EXISTS (SELECT 1 FROM mirror_settings WHERE name = 'excluded' AND instr(value, '"${field.name}"') > 0)`;
  return {
    message: MESSAGES.excluded(field.column),
    condition: `${touched} AND ${listed}`,
  };
}

/** What NEW may not hold in a field. Stored types are the table's CHECKs; these are what the API could not take. */
function misfits(field: Field): readonly Refusal[] {
  const value = `NEW.${field.column}`;
  const found: Refusal[] = [];
  if (field.required) {
    found.push({
      message: MESSAGES.empty(field.column),
      condition: `trim(coalesce(${value}, '')) = ''`,
    });
  } else if (!field.nullable) {
    found.push({ message: `${field.column} must be 0 or 1`, condition: `${value} IS NULL` });
  }
  if (field.name === 'email') {
    found.push({ message: MESSAGES.email, condition: malformedEmail(value) });
  }
  if (field.type === 'uuid') {
    found.push({
      message: `${field.column} must be a uuid in lower case or NULL`,
      condition: `${value} IS NOT NULL AND ${value} NOT GLOB '${UUID_GLOB}'`,
    });
  }
  if (field.type === 'json') {
    found.push({
      message: MESSAGES.object(field.column),
      condition: `${value} IS NOT NULL AND CASE WHEN json_valid(${value}) THEN json_type(${value}) <> 'object' ELSE 1 END`,
    });
  }
  return found;
}

/**
 * EMAIL_PATTERN without a regular expression, and exactly it: the trailing letters cut off must leave a dot with
 * something before it. GLOB stops at U+0000, so that is asked for apart.
 */
function malformedEmail(value: string): string {
  const name = `substr(${value}, 1, instr(${value}, '@') - 1)`;
  const domain = `substr(${value}, instr(${value}, '@') + 1)`;
  const stem = `rtrim(${domain}, '${LETTERS}')`;
  return [
    `instr(${value}, '@') < 2`,
    `instr(${value}, char(0)) > 0`,
    `${name} GLOB '*[^a-zA-Z0-9._%+-]*'`,
    `${domain} GLOB '*[^a-zA-Z0-9.-]*'`,
    `${stem} NOT LIKE '_%.'`,
    `length(${domain}) - length(${stem}) < 2`,
  ].join(' OR ');
}

/** SQL that writes a column of OLD as JSON text, exactly: what parses back is the canonical value. */
function oldAsJson(field: Field): string {
  const value = `OLD.${field.column}`;
  switch (field.type) {
    case 'boolean':
      return `CASE ${value} WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE 'null' END`;
    case 'double':
      // An old library writes reals with 15 digits in json_quote, and of 17 asked for the last may be wrong
      // near the ends of the range (3.40: 881 of 300,000 random doubles); of 20 none was.
      return `CASE WHEN ${value} IS NULL THEN 'null' ELSE json(printf('%!.20g', ${value})) END`;
    case 'json':
      return `coalesce(json(${value}), 'null')`;
    default:
      return `json_quote(${value})`;
  }
}

/** SQL to append to the members of `_base`: `,"field":old` for each field that this statement changes first. */
export function newBasePieces(): string {
  return WRITABLE.map(
    (field) =>
      `|| CASE WHEN ${changed(field)} AND json_type(_base, '$.${field.name}') IS NULL THEN ',"${field.name}":' || ${oldAsJson(field)} ELSE '' END`,
  ).join('\n      ');
}

/** SQL of the JSON that `mirror_deletes` keeps: every field by its API name, `_base` and `_extra`. */
export function deletedJson(): string {
  const members = FIELDS.map((field) => `'"${field.name}":' || ${oldAsJson(field)}`);
  const bookkeeping = ['_base', '_extra'].map(
    (column) => `'"${column}":' || coalesce(OLD.${column}, 'null')`,
  );
  return `'{' || ${[...members, ...bookkeeping].join(" || ',' ||\n    ")} || '}'`;
}
