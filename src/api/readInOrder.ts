/**
 * The pager. (Written in full by its owner; the types below are its contract.)
 */
import type { Instant } from '../clients/instant.ts';
import type { ReadRow } from '../clients/record.ts';

export type Key = 'createdOn' | 'updatedOn';

/** What is read, in (key, id) order. */
export interface Range {
  readonly key: Key;
  /** `values`: key between from and to. `nulls`: the lane `key eq null`, one group without bounds. */
  readonly lane: 'values' | 'nulls';
  /** Inclusive; null: from the beginning. */
  readonly from: Instant | null;
  /** Exclusive; null: to the end. */
  readonly to: Instant | null;
  /** A further condition, e.g. `updatedOn eq null`; null: none. */
  readonly also: string | null;
}

/** Where a read stands. `seen` rows were read at exactly `key`; `seam` is the last of them. */
export interface Place {
  readonly key: Instant | null;
  readonly seen: number;
  readonly seam: { readonly id: string; readonly key: Instant | null } | null;
}

/** One request of the pager, ready to be sent: the list function adds owner and `$select`. */
export interface PageRequest {
  readonly filter: string | null;
  readonly orderby: string;
  readonly skip: number;
  readonly top: number;
}

/** What a list function answers. It may add what the caller wants to know of the request (see Page.answer). */
export interface PageAnswer {
  readonly rows: readonly ReadRow[];
}

export interface Page<A extends PageAnswer> {
  /** The rows behind the seam, at least one, rejected ones included. */
  readonly rows: readonly ReadRow[];
  /** Where the read stands once these rows are stored. */
  readonly place: Place;
  readonly answer: A;
}
