/**
 * The words in which a push is planned: what is known of a row and of the source, and what a commit writes about
 * them. Data only; they become statements elsewhere.
 */
import type { Values } from '../clients/merge.ts';
import type { FieldValue } from '../clients/record.ts';

/** A row of `clients` as one read found it. `_edits` and `_revision` of that read guard the commit. */
export interface RowState {
  readonly values: Values;
  /** `_extra` */
  readonly extra: string | null;
  /** `_base`; empty when the row is clean. */
  readonly base: Values;
  /** `_parked` equals `_edits`. */
  readonly isParked: boolean;
  /** `_deleted_at` is set. */
  readonly isDeleted: boolean;
}

/** What `GET /clients/{id}`, or a list of ids, said of the client. Only a read by id proves that it is not there. */
export type RemoteAnswer =
  | { readonly found: true; readonly values: Values; readonly extra: string | null }
  | { readonly found: false };

/** A push under way, kept in `mirror_pushes` from the claim to the settle. */
export interface Intent {
  /** The local values on their way. */
  readonly sent: Values;
  /** The same fields as the source held them when they were sent. */
  readonly before: Values;
}

/** The row after a commit. */
export interface RowWrite {
  /** The values that change; the others stay. */
  readonly values: Values;
  readonly extra: string | null;
  /** Empty: `_base` and `_edited_at` become NULL. */
  readonly base: Values;
  /** true: `_parked` becomes `_edits`; false: NULL. */
  readonly isParked: boolean;
  /** true: `_deleted_at` becomes now where it is NULL; false: NULL. */
  readonly isDeleted: boolean;
}

/**
 * What became of an edit. `sent`: on its way. `arrived`: the source has it. `undone`: the user took it back.
 * `conflict`: see `mirror_conflicts`. `overwritten`: another writer came after it. `superseded`: the source did not
 * take it, and the user has left it since. `refused` (the source said so) and `ignored` (it kept its value without
 * a word): a dead letter while it is the field's last entry.
 */
export type EditOutcome =
  | 'sent'
  | 'arrived'
  | 'undone'
  | 'conflict'
  | 'overwritten'
  | 'superseded'
  | 'refused'
  | 'ignored';

/**
 * How a conflict ended. `remote`, `local`: that side won. `rewritten`: no conflict, the source wrote the sent value
 * its own way. `overwritten`: another writer came after what we sent. `agreed`: both sides hold the same now.
 * `edited again`, `changed again`: replaced by a newer local or remote value. `restored`: the client came back.
 */
export type Resolution =
  | 'remote'
  | 'local'
  | 'rewritten'
  | 'overwritten'
  | 'agreed'
  | 'edited again'
  | 'changed again'
  | 'restored';

/** What a commit tells `mirror_edits` and `mirror_conflicts`, in order. */
export type RecordWrite =
  | {
      readonly kind: 'edit';
      readonly field: string;
      readonly base: FieldValue;
      readonly value: FieldValue;
      readonly outcome: EditOutcome;
      readonly message: string | null;
    }
  /** `field` null: the whole row, its values as JSON text. `resolution` null: open. */
  | {
      readonly kind: 'conflict';
      readonly field: string | null;
      readonly base: FieldValue;
      readonly local: FieldValue;
      readonly remote: FieldValue;
      readonly resolution: Resolution | null;
      readonly message: string | null;
    }
  /** Resolves the field's open conflict, if there is one. */
  | { readonly kind: 'closeConflict'; readonly field: string | null; readonly resolution: Resolution };
