/**
 * The two incremental streams as the warehouse remembers them: where each rests, and where a walk stands that is
 * under way or was killed. A place is written in the transaction of the rows that it covers, never alone before
 * them.
 */
import type { Place } from '../api/readInOrder.ts';
import type { Instant } from '../clients/instant.ts';
import type { ReadRow } from '../clients/record.ts';
import {
  type Lease,
  type SqlValue,
  type Statement,
  statement,
  type Warehouse,
  type Write,
  type WriteResult,
} from '../warehouse/warehouse.ts';

/** `updated`: by updatedOn. `created`: by createdOn, the clients that were never updated. */
export type Stream = 'updated' | 'created';
export const STREAMS: readonly Stream[] = ['updated', 'created'];

/** A place where a stream may rest. */
export interface Rest {
  /** null: nothing was ever seen in this stream. */
  readonly key: Instant | null;
  readonly seen: number;
  /** Id of the last row at `key`; null when the group is empty or was never counted. */
  readonly seam: string | null;
  /** Our clock, in milliseconds, when `key` was first seen. */
  readonly atMs: number;
}

/** The first request of a walk: what it shows is older than both. */
export interface Began {
  /** Our clock before the request. */
  readonly beganMs: number;
  /** The source's `Date`, less the time the request took; null where it sends none. */
  readonly date: Instant | null;
}

/** Rows behind the resting place that can be no place themselves: stamped too far ahead, or unreadable. */
export interface Tail {
  /** The most rows that one answer of this server held. */
  readonly widest: number;
  /** Hash of the rows' identities, in order; null: none, or too many to remember. */
  readonly digest: string | null;
}

/** A walk under way: goes on at `place`, and rests at `rest` when it ends. */
export interface Walk extends Began {
  readonly place: Place;
  readonly rest: Rest;
  /** Identities of the rows behind `rest`; null: too many to remember. */
  readonly behind: readonly string[] | null;
}

/** All that is remembered of one stream. */
export interface StreamState extends Rest {
  /** Of the last complete walk; null: none was completed since the place was taken. */
  readonly beganMs: number | null;
  /** Of the last complete walk, or of the request that took the place. */
  readonly date: Instant | null;
  readonly tail: Tail;
  readonly walk: Walk | null;
}

/** Rows of one answer, and the state of the stream once they are stored. */
export interface StreamPage<A> {
  readonly rows: readonly ReadRow[];
  readonly answer: A;
  readonly state: StreamState;
}

/** What a pull needs of the warehouse. */
export interface PlaceStore<A> {
  /** Those of both streams; none where no place was ever taken. */
  read(): Promise<ReadonlyMap<Stream, StreamState>>;
  /** Rows and state in one transaction, or neither. */
  commitPage(stream: Stream, page: StreamPage<A>): Promise<void>;
  commitState(stream: Stream, state: StreamState): Promise<void>;
}

export interface PlaceStoreOptions<A> {
  /** Fences every commit. */
  readonly lease?: Lease | undefined;
  /** The writes that store the rows of an answer. */
  readonly planRows: (rows: readonly ReadRow[], answer: A) => readonly Write[];
  /** Told of each committed page with the results of `planRows`' writes. */
  readonly onPage?: ((page: StreamPage<A>, results: readonly WriteResult[]) => void) | undefined;
}

/** The place store of a warehouse. */
export function createPlaceStore<A>(warehouse: Warehouse, options: PlaceStoreOptions<A>): PlaceStore<A> {
  return {
    read: () => readStreamStates(warehouse),
    async commitPage(stream, page) {
      const writes = [...options.planRows(page.rows, page.answer), savePlace(stream, page.state)];
      const results = await warehouse.commit(writes, options.lease);
      options.onPage?.(page, results.slice(0, -1));
    },
    async commitState(stream, state) {
      await warehouse.commit([savePlace(stream, state)], options.lease);
    },
  };
}

/** The streams that have a place. */
export async function readStreamStates(warehouse: Warehouse): Promise<ReadonlyMap<Stream, StreamState>> {
  const sql =
    'SELECT stream, key, seen, seam, at_ms, began_ms, date, walk, tail FROM mirror_places ORDER BY stream';
  const rows = await warehouse.read({ sql, params: [] });
  return new Map(rows.map((row) => [row.stream as Stream, parseState(row)]));
}

/** Writes all that is remembered of a stream. */
function savePlace(stream: Stream, state: StreamState): Statement {
  return statement(
    `INSERT INTO mirror_places (stream, key, seen, seam, at_ms, began_ms, date, walk, tail)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (stream) DO UPDATE SET key = excluded.key, seen = excluded.seen, seam = excluded.seam,
  at_ms = excluded.at_ms, began_ms = excluded.began_ms, date = excluded.date, walk = excluded.walk,
  tail = excluded.tail`,
    [
      stream,
      state.key,
      state.seen,
      state.seam,
      state.atMs,
      state.beganMs,
      state.date,
      state.walk === null ? null : JSON.stringify(state.walk),
      JSON.stringify(state.tail),
    ],
    1,
  );
}

/** The places of both streams before the first page of a backfill; they replace what stood there. */
export function initialPlaceStatements(places: ReadonlyMap<Stream, StreamState>): readonly Statement[] {
  return [...places].map(([stream, state]) => savePlace(stream, state));
}

function parseState(row: Readonly<Record<string, SqlValue>>): StreamState {
  return {
    key: row.key as Instant | null,
    seen: Number(row.seen),
    seam: row.seam as string | null,
    atMs: Number(row.at_ms),
    beganMs: row.began_ms === null ? null : Number(row.began_ms),
    date: row.date as Instant | null,
    walk: row.walk === null ? null : (JSON.parse(String(row.walk)) as Walk),
    tail: row.tail === null ? NO_TAIL : (JSON.parse(String(row.tail)) as Tail),
  };
}

export const NO_TAIL: Tail = { widest: 0, digest: null };
