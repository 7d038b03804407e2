/**
 * What the journal of edits still owes us: by field, the values on their way to the source since the field last had
 * a merge base that the source confirmed, and the refusal that waits for a person. Derived from the entries of
 * `mirror_edits` in their order; nothing else has to be kept, and nothing closed.
 */
import type { FieldValue } from '../clients/record.ts';
import type { EditOutcome } from './plan.ts';

export interface EditEntry {
  /** null: an entry about the whole row; it says nothing here. */
  readonly field: string | null;
  readonly value: FieldValue;
  readonly outcome: EditOutcome;
}

export interface OpenEdits {
  /** For mergeClient and planPush. */
  readonly sent: Readonly<Record<string, readonly FieldValue[]>>;
  /** For planPush and planSettle: dead letters, by field. */
  readonly refused: Readonly<Record<string, FieldValue>>;
}

/**
 * After one of these the field's merge base, if it still has one, is what the source held: older sends are history.
 * Not so `ignored`: what a lagging instance showed may be from before the source took the value.
 */
const SETTLING: ReadonlySet<EditOutcome> = new Set([
  'arrived',
  'undone',
  'conflict',
  'overwritten',
  'superseded',
  'refused',
]);

/** `entries`: one client's, oldest first. */
export function openEdits(entries: readonly EditEntry[]): OpenEdits {
  const sent: Record<string, FieldValue[]> = {};
  const refused: Record<string, FieldValue> = {};
  for (const { field, value, outcome } of entries) {
    if (field === null) continue;
    delete refused[field];
    if (outcome === 'refused' || outcome === 'ignored') refused[field] = value;
    if (outcome === 'sent') sent[field] = [...(sent[field] ?? []), value];
    if (SETTLING.has(outcome)) delete sent[field];
  }
  return { sent, refused };
}
