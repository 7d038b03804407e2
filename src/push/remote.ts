/**
 * What the source holds of some clients now: many ids a request, and one by one those that the lists leave out, for
 * only a read by id proves that a client is gone. Where the source sends ETags, which lists do not carry, each
 * client that may be written is read by id. A 404 that proves nothing yet (rows/gone.ts) is no answer.
 */
import type { Instant } from '../clients/instant.ts';
import { valuesOf } from '../clients/merge.ts';
import { isRejected, type ReadRow } from '../clients/record.ts';
import { isSyncError } from '../errors.ts';
import { noteMissed } from '../ledger/refetch.ts';
import { findDoubtful, type Proof } from '../rows/gone.ts';
import { inLanes } from '../rows/lanes.ts';
import type { Pass } from './engine.ts';
import type { RemoteAnswer } from './plan.ts';

export interface Remote {
  /** null: it cannot be read as a client; see `row`. */
  readonly answer: RemoteAnswer | null;
  readonly row: ReadRow | null;
  readonly etag: string | null;
  /** false: it belongs to an owner who is not mirrored. */
  readonly inScope: boolean;
  /** Our clock when the answer had come. */
  readonly at: Instant;
}

/**
 * Reads clients before they are merged (`forWrite`, with their ETags) or after. One that may not be read is left out.
 * @throws SyncError for what stops the whole pass: no answer, no right to read at all.
 */
export async function readRemotes(
  pass: Pass,
  ids: readonly string[],
  forWrite: boolean,
): Promise<ReadonlyMap<string, Remote>> {
  const found = new Map<string, Remote>();
  const missed: Proof[] = [];
  const left = () => ids.filter((id) => !found.has(id));
  const readEach = (some: readonly string[], isLastTry: boolean) =>
    inLanes(some, pass.engine.options.concurrency, (id) => readOne(pass, id, { found, missed, isLastTry }));
  if (forWrite && pass.sends) {
    if (pass.sendsEtags === null) await readEach(ids.slice(0, 1), false);
    if (pass.sendsEtags === true) await readEach(left(), false);
  }
  await readMany(pass, left(), found);
  await readEach(left(), true);
  for (const id of await noteDoubtful(pass, missed)) found.delete(id);
  return found;
}

/** Those whose 404 may be that of an instance that lags: asked for again in a lookback. */
async function noteDoubtful(pass: Pass, missed: readonly Proof[]): Promise<ReadonlySet<string>> {
  const { engine } = pass;
  const doubtful = await findDoubtful(engine, missed);
  const notes = missed.flatMap(({ id, read }) =>
    doubtful.has(id) ? [noteMissed(id, read.at, engine.options.lookbackSeconds)] : [],
  );
  if (notes.length > 0) await engine.warehouse.commit(notes);
  return doubtful;
}

interface Reading {
  readonly found: Map<string, Remote>;
  /** What was answered 404. */
  readonly missed: Proof[];
  readonly isLastTry: boolean;
}

async function readMany(pass: Pass, ids: readonly string[], found: Map<string, Remote>): Promise<void> {
  if (ids.length === 0) return;
  const { rows, at } = await pass.engine.source.byIds(ids, pass.engine.signal);
  for (const row of rows) {
    if (row.id !== null) found.set(row.id, toRemote(pass, row, { etag: null, inScope: true, at }));
  }
}

async function readOne(pass: Pass, id: string, { found, missed, isLastTry }: Reading): Promise<void> {
  try {
    const client = await pass.engine.source.byId(id, pass.engine.signal);
    const { at } = client;
    if (client.found) {
      pass.sendsEtags ??= client.etag !== null;
      found.set(id, toRemote(pass, client.row, { etag: client.etag, inScope: client.inScope, at }));
    } else {
      missed.push({ id, read: client });
      found.set(id, { answer: { found: false }, row: null, etag: null, inScope: true, at });
    }
  } catch (error) {
    // One client that may not be read stops no other; a list may show it all the same.
    if (!isSyncError(error, 'DENIED') && !isSyncError(error, 'UNLISTED')) throw error;
    if (isLastTry) pass.failures.note(error);
  }
}

function toRemote(pass: Pass, row: ReadRow, more: Pick<Remote, 'etag' | 'inScope' | 'at'>): Remote {
  if (isRejected(row)) return { answer: null, row, ...more };
  const answer = { found: true, values: valuesOf(row, pass.excluded), extra: row.extra } as const;
  return { answer, row, ...more };
}
