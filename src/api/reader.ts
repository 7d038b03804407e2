/**
 * What the use cases read clients with: pages for the pager, single ids in batches, one client by id.
 *
 * It adds what every read needs and no caller should think of: the owner, `$select` without the excluded
 * fields, and the parser that drops those fields and sets unfit rows aside.
 */

import { NEVER_EXCLUDED } from '../clients/fields.ts';
import type { Instant } from '../clients/instant.ts';
import { parseRow, type ReadRow } from '../clients/record.ts';
import { SyncError } from '../errors.ts';
import type { Emit } from '../events.ts';
import type { ClientsApi, ListAnswer, ListQuery } from './endpoints.ts';
import { anyExternalId, anyId } from './odata.ts';
import type { PageAnswer, PageRequest } from './readInOrder.ts';
import { readShared } from './readShared.ts';
import { createSelection, isBadRequest, type Selection } from './selection.ts';
import { parseStamps, typesOf } from './stamps.ts';

export interface ReadAnswer extends PageAnswer {
  /** The server's time, to the second; of several answers the earliest. null: it sends none. */
  readonly date: Instant | null;
}

export type ClientRead =
  | {
      readonly found: true;
      readonly row: ReadRow;
      readonly date: Instant | null;
      /** For `If-Match`; null where the source sends none. */
      readonly etag: string | null;
    }
  | { readonly found: false; readonly date: Instant | null };

export interface ClientReader {
  /** Names of the fields of one client, read by id; empty when the source is. From then on they are asked for. */
  discover(signal?: AbortSignal): Promise<readonly string[]>;
  page(request: PageRequest, signal?: AbortSignal): Promise<ReadAnswer>;
  /** As page, but only ids and stamps travel: `values` of these rows is empty. For comparing, never for storing. */
  stamps(request: PageRequest, signal?: AbortSignal): Promise<ReadAnswer>;
  /** Clients by id, many a request. One that the answer lacks may exist all the same: only `byId` proves. */
  byIds(ids: readonly string[], signal?: AbortSignal): Promise<ReadAnswer>;
  /** Whoever owns it: a client that left the mirrored owner is found, and shows its owner (unless excluded). */
  byId(id: string, signal?: AbortSignal): Promise<ClientRead>;
  /** The fields of one client as the source names them, each with its JSON type; null: there is no such client. */
  inspect(id: string, signal?: AbortSignal): Promise<ReadonlyMap<string, string> | null>;
  /** Clients with one of these externalIds, whoever owns them; several may have the same. */
  byExternalIds(keys: readonly string[], signal?: AbortSignal): Promise<ReadAnswer>;
  /** The fields that lists are asked for now; null: the server refuses `$select`. */
  selected(): readonly string[] | null;
  /** What the server was found to refuse, for `refused` of a later reader. */
  refused(): readonly string[];
}

export interface ReaderOptions {
  /** Mirror this owner's clients only; null: all. */
  readonly ownerId: string | null;
  readonly excluded: ReadonlySet<string>;
  /** What an earlier `discover` answered; empty: nothing is known beyond the field table. */
  readonly found: readonly string[];
  /** What an earlier reader was refused; left out: nothing. */
  readonly refused?: readonly string[];
  /** Can the warehouse hold U+0000? */
  readonly acceptsNul: boolean;
  readonly emit: Emit;
}

/** ASP.NET's default bound of 100 filter nodes refuses about 17 clauses. */
const IDS_MAX = 15;
/** Strangers may share an externalId: this many rows of one request are looked at. */
const SHARED_MAX = 1000;
/** Batches of ids under way at once; the transport's slots bound it further. */
const LANES = 8;
/** A client may be deleted between being listed and being read: another is taken. */
const DISCOVER_TRIES = 3;
/** Rows to look at when the first has no readable id. */
const DISCOVER_TOP = 50;
/** A name that can stand in `$select`. */
const SELECTABLE = /^[A-Za-z_]\w*$/;

/** What the functions below share. */
interface Reading {
  readonly api: ClientsApi;
  readonly scope: Pick<ListQuery, 'ownerId'>;
  /** Made anew when `discover` has found out more. */
  selection: Selection;
  readonly parse: (raw: unknown) => ReadRow;
  /** Ids a request, halved when the server finds them too many. */
  idsMax: number;
}

/** How clients are asked for by a key of theirs, several at once. */
interface ByKey {
  /** Only among the mirrored owner's clients? */
  readonly isScoped: boolean;
  filter(keys: readonly string[]): string;
  top(count: number): number;
  /** A key may have many rows, and the server may cap a page below what was asked for: it is read to its end. */
  readonly isShared: boolean;
}

const BY_ID: ByKey = { isScoped: true, filter: anyId, top: (count) => count, isShared: false };
const BY_EXTERNAL_ID: ByKey = {
  isScoped: false,
  filter: anyExternalId,
  top: () => SHARED_MAX,
  isShared: true,
};

export function createReader(api: ClientsApi, options: ReaderOptions): ClientReader {
  const { ownerId, excluded, acceptsNul } = options;
  const reading: Reading = {
    api,
    scope: ownerId === null ? {} : { ownerId },
    selection: createSelection(options),
    parse: (raw) => parseRow(raw, { excluded, acceptsNul }),
    idsMax: IDS_MAX,
  };
  return {
    async discover(signal) {
      const found = await discover(reading, signal);
      if (found.length > 0) reading.selection = createSelection({ ...options, found, refused: [] });
      return found;
    },
    async page({ filter, orderby, skip, top }, signal) {
      const query = { ...(filter === null ? {} : { filter }), orderby, skip, top };
      return parseAll(reading, await list(reading, query, signal));
    },
    stamps: (request, signal) => readStamps(reading, request, signal),
    byIds: (ids, signal) => readByKeys(reading, BY_ID, ids, signal),
    byExternalIds: (keys, signal) => readByKeys(reading, BY_EXTERNAL_ID, keys, signal),
    byId: (id, signal) => readById(reading, id, signal),
    async inspect(id, signal) {
      const answer = await api.get(id, { signal });
      return answer.found ? typesOf(answer.row) : null;
    },
    selected: () => reading.selection.current(),
    refused: () => reading.selection.refused(),
  };
}

function list(reading: Reading, query: ListQuery, signal: AbortSignal | undefined): Promise<ListAnswer> {
  return reading.selection.ask((select) =>
    reading.api.list({ ...reading.scope, ...query, ...(select === null ? {} : { select }) }, { signal }),
  );
}

async function readStamps(
  reading: Reading,
  { filter, orderby, skip, top }: PageRequest,
  signal: AbortSignal | undefined,
): Promise<ReadAnswer> {
  const query = { ...reading.scope, ...(filter === null ? {} : { filter }), orderby, skip, top };
  const { rows, date } = await askForStamps(reading, query, signal);
  return { rows: rows.map(parseStamps), date };
}

/** A server that refuses `$select` answers whole rows, of which the stamps are read. */
async function askForStamps(
  reading: Reading,
  query: ListQuery,
  signal: AbortSignal | undefined,
): Promise<ListAnswer> {
  if (reading.selection.current() !== null) {
    try {
      return await reading.api.list({ ...query, select: NEVER_EXCLUDED }, { signal });
    } catch (error) {
      if (!isBadRequest(error)) throw error;
    }
  }
  return list(reading, query, signal);
}

function parseAll(reading: Reading, { rows, date }: ListAnswer): ReadAnswer {
  return { rows: rows.map(reading.parse), date };
}

async function readById(reading: Reading, id: string, signal: AbortSignal | undefined): Promise<ClientRead> {
  const answer = await reading.api.get(id, { signal });
  if (!answer.found) return answer;
  const row = reading.parse(answer.row);
  if (row.id !== null && row.id !== id.toLowerCase()) {
    throw new SyncError('UNLISTED', `GET /clients/${id} answered another client, ${row.id}`);
  }
  return { found: true, row, date: answer.date, etag: answer.etag };
}

async function readByKeys(
  reading: Reading,
  by: ByKey,
  keys: readonly string[],
  signal: AbortSignal | undefined,
): Promise<ReadAnswer> {
  const wanted = [...new Set(keys)];
  const answers: ReadAnswer[] = [];
  let next = 0;
  let failed = false;
  const lane = async () => {
    while (next < wanted.length && !failed) {
      const batch = wanted.slice(next, next + reading.idsMax);
      next += batch.length;
      try {
        answers.push(...(await readBatch(reading, by, batch, signal)));
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  // The first failure ends it, but what is under way is waited for: who called ends the connections next.
  const ended = await Promise.allSettled(Array.from({ length: LANES }, lane));
  for (const one of ended) if (one.status === 'rejected') throw one.reason;
  return { rows: answers.flatMap((answer) => answer.rows), date: earliest(answers) };
}

/** Halves the batch on a 400. The first id alone that still meets one shows that its size was not the cause. */
async function readBatch(
  reading: Reading,
  by: ByKey,
  keys: readonly string[],
  signal: AbortSignal | undefined,
): Promise<readonly ReadAnswer[]> {
  const { selection } = reading;
  const scope = by.isScoped ? reading.scope : {};
  const query = { ...scope, filter: by.filter(keys), top: by.top(keys.length) };
  const isOne = keys.length === 1;
  const select = selection.current();
  const ask = (more: ListQuery) =>
    isOne
      ? list(reading, { ...query, ...more }, signal)
      : reading.api.list({ ...query, ...more, ...(select === null ? {} : { select }) }, { signal });
  const read = async (): Promise<readonly ReadAnswer[]> =>
    by.isShared
      ? readShared(async (skip) => parseAll(reading, await ask({ orderby: 'id', skip })), SHARED_MAX)
      : [parseAll(reading, await ask({}))];
  if (isOne) return read();
  try {
    return await read();
  } catch (error) {
    if (!isBadRequest(error)) throw error;
  }
  const middle = Math.ceil(keys.length / 2);
  const head = await readBatch(reading, by, keys.slice(0, middle), signal);
  // With the fields it refused gone the server may take the whole batch; the rest is tried at its size.
  if (selection.current() === select) reading.idsMax = Math.min(reading.idsMax, middle);
  return [...head, ...(await readBatch(reading, by, keys.slice(middle), signal))];
}

function earliest(answers: readonly ReadAnswer[]): Instant | null {
  const dates = answers.flatMap(({ date }) => (date === null ? [] : [date]));
  return dates.reduce<Instant | null>((least, date) => (least === null || date < least ? date : least), null);
}

async function discover(reading: Reading, signal: AbortSignal | undefined): Promise<readonly string[]> {
  for (let tries = 0; tries < DISCOVER_TRIES; tries += 1) {
    const rows = await listIds(reading, tries === 0 ? 1 : DISCOVER_TOP, signal);
    if (rows.length === 0) return [];
    const id = rows.map((raw) => reading.parse(raw).id).find((one) => one !== null) ?? null;
    const client = id === null ? null : await reading.api.get(id, { signal });
    if (client?.found) return namesOf(client.row);
  }
  return [];
}

async function listIds(
  reading: Reading,
  top: number,
  signal: AbortSignal | undefined,
): Promise<readonly unknown[]> {
  const query = { ...reading.scope, top };
  try {
    return (await reading.api.list({ ...query, select: ['id'] }, { signal })).rows;
  } catch (error) {
    if (!isBadRequest(error)) throw error;
    return (await reading.api.list(query, { signal })).rows;
  }
}

/** OData annotations, and names that no `$select` could spell, are left out. */
function namesOf(row: unknown): readonly string[] {
  return Object.keys(row as Readonly<Record<string, unknown>>).filter((name) => SELECTABLE.test(name));
}
