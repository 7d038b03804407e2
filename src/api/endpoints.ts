/**
 * The seven endpoints of the Clients API as types: what each call takes, what it answers, and which outcomes
 * are no errors.
 */
import type { Instant } from '../clients/instant.ts';

/** The documented parameters of `GET /clients`; what is left out is not sent. */
export interface ListQuery {
  readonly ownerId?: string;
  readonly searchText?: string;
  readonly filter?: string;
  readonly select?: readonly string[];
  /** Raw `$orderby`, e.g. `createdOn,id`. */
  readonly orderby?: string;
  readonly skip?: number;
  readonly top?: number;
}

export interface ListAnswer {
  readonly rows: readonly unknown[];
  /** The answer's `Date` header, to the second; null when the server sends none. */
  readonly date: Instant | null;
  /** `@odata.nextLink` of an envelope. The pager does not need it; `api list` shows it. */
  readonly nextLink: string | null;
}

/** One client by id. A 404 is an outcome, not an error: it is the only proof that a client is gone. */
export type ClientAnswer =
  | {
      readonly found: true;
      readonly row: unknown;
      readonly date: Instant | null;
      readonly etag: string | null;
    }
  | { readonly found: false; readonly date: Instant | null };

/** What a write answers: not the client, but a record of the change. All fields are nullable. */
export interface AuditRecord {
  readonly id: string | null;
  readonly type: string | null;
  readonly createdTimestamp: string | null;
  readonly updatedTimestamp: string | null;
}

export type Body = Readonly<Record<string, unknown>>;

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Sent as `If-Match` with a write. */
  readonly ifMatch?: string | undefined;
  /** Our clock's milliseconds after which the request must neither be sent nor be running. */
  readonly deadlineMs?: number | undefined;
  /** false: one attempt only. A POST is never sent twice by itself, whatever this says. */
  readonly retry?: boolean | undefined;
}

export interface ClientsApi {
  /** `GET /clients` */
  list(query: ListQuery, options?: CallOptions): Promise<ListAnswer>;
  /** `POST /clients` */
  create(body: Body, options?: CallOptions): Promise<AuditRecord>;
  /** `DELETE /clients`: the reference says 405; a SyncError NOT_SUPPORTED says so. */
  deleteAll(options?: CallOptions): Promise<void>;
  /** `GET /clients/{id}` */
  get(id: string, options?: CallOptions): Promise<ClientAnswer>;
  /** `PUT /clients/{id}` */
  replace(id: string, body: Body, options?: CallOptions): Promise<AuditRecord>;
  /** `PATCH /clients/{id}` */
  update(id: string, body: Body, options?: CallOptions): Promise<AuditRecord>;
  /** `DELETE /clients/{id}` */
  delete(id: string, options?: CallOptions): Promise<void>;
  /** Ends idle connections. */
  close(): void;
}
