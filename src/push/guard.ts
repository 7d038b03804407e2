/**
 * The guard against the missing WHERE: a push that would delete more than a tenth of the clients, or change more than
 * half of them, sends none of these until a person says that it is meant. What it holds back stands in
 * `mirror_settings`, for `status`.
 *
 * Everything is counted up to a bound only, so that a mirror of millions is not counted for the sake of ten edits.
 */
import { QUEUE_START, queueOf } from '../ledger/editedRows.ts';
import { dropSetting, putSetting, readSettings } from '../ledger/settings.ts';
import type { SqlValue, Warehouse } from '../warehouse/warehouse.ts';
import type { Pass } from './engine.ts';

/** What is held back; null: nothing. */
export interface MassEdit {
  /** Rows changed, 0 where their number is none to worry about. */
  readonly changes: number;
  readonly deletes: number;
}

const CHANGES_MIN = 100;
const CHANGES_SHARE = 1 / 2;
const DELETES_MIN = 10;
const DELETES_SHARE = 1 / 10;

/** What the guard says of what waits now. */
export interface Guarded {
  readonly held: MassEdit | null;
  /** Rows that were counted; what comes on top of these must be counted anew. */
  readonly counted: number;
}

/** Counts what waits, and notes or clears what is held back where that has changed. */
export async function guardMassEdit(pass: Pass, isAllowed: boolean): Promise<Guarded> {
  if (isAllowed) return { held: await note(pass, null), counted: Number.POSITIVE_INFINITY };
  const { warehouse } = pass.engine;
  const counted = await count(warehouse, `clients WHERE ${queueOf(warehouse)}`, []);
  return { held: await note(pass, await findMassEdit(pass, counted)), counted };
}

async function note(pass: Pass, found: MassEdit | null): Promise<MassEdit | null> {
  const { warehouse, emit } = pass.engine;
  const stored = (await readSettings(warehouse)).get('mass_edit') ?? null;
  if (found === null) {
    if (stored !== null) await warehouse.commit([dropSetting('mass_edit')]);
    return null;
  }
  const text = JSON.stringify(found);
  if (text !== stored) await warehouse.commit([putSetting('mass_edit', text)]);
  emit({ type: 'notice', message: tellMassEdit(found) });
  return found;
}

/** What `status` and the log say of it. */
export function tellMassEdit({ changes, deletes }: MassEdit): string {
  const parts = [changes > 0 ? `${changes} changed` : '', deletes > 0 ? `${deletes} deleted` : ''];
  const what = parts.filter((part) => part !== '').join(' and ');
  return `${what} clients are held back, more than a push carries unasked: \`clients-mirror push --allow-mass-edit\` or \`edits discard --all\``;
}

/** What is held back, as `mirror_settings` has it. */
export function parseMassEdit(text: SqlValue): MassEdit | null {
  return text === null ? null : (JSON.parse(String(text)) as MassEdit);
}

/** @param waiting rows that wait, for whatever reason: of so few none need be looked at. */
async function findMassEdit(pass: Pass, waiting: number): Promise<MassEdit | null> {
  const { warehouse, push } = pass.engine;
  const edited = `clients WHERE ${queueOf(warehouse)} AND _create IS NULL AND _edited_at > ?`;
  const changes = waiting > CHANGES_MIN ? await count(warehouse, edited, [QUEUE_START.editedAt]) : 0;
  const deletes = push.deletes ? await count(warehouse, 'mirror_deletes WHERE parked = 0', []) : 0;
  const isMany = changes > CHANGES_MIN && (await hasFewer(warehouse, changes / CHANGES_SHARE));
  // The deleted rows are gone already: the share is one of what there was.
  const left = deletes / DELETES_SHARE - deletes;
  const isDeleting = deletes > DELETES_MIN && (await hasFewer(warehouse, left));
  if (!isMany && !isDeleting) return null;
  return { changes: isMany ? changes : 0, deletes: isDeleting ? deletes : 0 };
}

async function count(warehouse: Warehouse, from: string, params: readonly SqlValue[]): Promise<number> {
  const [row] = await warehouse.read({ sql: `SELECT count(*) AS count FROM ${from}`, params });
  return Number(row?.count ?? 0);
}

/** Are there fewer live clients than this? Counts no farther. */
async function hasFewer(warehouse: Warehouse, bound: number): Promise<boolean> {
  const live = '(SELECT 1 FROM clients WHERE _deleted_at IS NULL LIMIT ?) AS live';
  return (await count(warehouse, live, [Math.ceil(bound)])) < bound;
}
