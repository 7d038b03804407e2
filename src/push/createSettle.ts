/**
 * A create that is at the source: its client is read, and one transaction gives the row its id, takes in the row that
 * a pull may have brought meanwhile, and settles every field. Where the database does not let the id change (a foreign
 * key of the user's), the row waits as a dead letter that knows its id.
 */
import { present, type Values, valuesOf } from '../clients/merge.ts';
import { canonicalJson, isRejected } from '../clients/record.ts';
import { isSyncError } from '../errors.ts';
import { type EditedRow, readRows } from '../ledger/editedRows.ts';
import { commitEdited, type EditedWrite, planEdited } from '../ledger/editedWrites.ts';
import { giveId } from '../ledger/ids.ts';
import { endClaim } from '../ledger/pushes.ts';
import { type Refetch, readListings, settleRefetch } from '../ledger/refetch.ts';
import { ownDelete } from '../warehouse/dialect.ts';
import type { Statement } from '../warehouse/warehouse.ts';
import { CLAIM_MS, type Pass } from './engine.ts';
import type { RemoteAnswer } from './plan.ts';
import { planCreated } from './planCreated.ts';
import { tellRecords } from './tell.ts';

export interface Created {
  readonly localId: string;
  /** What the source calls it. */
  readonly id: string;
  readonly sent: Values;
  readonly strangers: readonly string[];
  /** The token under which this pass has claimed it; null: it has not. */
  readonly held: string | null;
  /** Since when its POST is over, in milliseconds. */
  readonly endedMs: number;
}

const TRIES_MAX = 5;

/**
 * @param wasGone it was a dead letter because the source had removed its client, and was set free since
 * @returns false when it is still gone, and is to be created anew
 */
export async function settleCreate(pass: Pass, created: Created, wasGone = false): Promise<boolean> {
  const { warehouse, source, signal, options } = pass.engine;
  const listing = (await readListings(warehouse, [created.id])).get(created.id);
  const client = await source.byId(created.id, signal);
  if (!client.found) {
    if (wasGone) return false;
    // An instance that lags; or it was deleted there since.
    const isGone = created.endedMs >= options.lookbackSeconds * 1000;
    const words = `the source created it as ${created.id} and does not have it any more`;
    await (isGone ? wait(pass, created, words, true) : remember(pass, created));
  } else if (isRejected(client.row)) {
    await warehouse.commit([{ kind: 'quarantine', rows: [client.row], at: client.at }]);
    await remember(pass, created);
  } else {
    const readBack = {
      found: true,
      values: valuesOf(client.row, pass.excluded),
      extra: client.row.extra,
    } as const;
    await giveItsId(pass, created, { readBack, listing });
  }
  return true;
}

interface Answer {
  readonly readBack: Extract<RemoteAnswer, { found: true }>;
  readonly listing: Refetch | undefined;
}

async function giveItsId(pass: Pass, created: Created, answer: Answer): Promise<void> {
  try {
    for (let tries = 0; tries < TRIES_MAX; tries += 1) if (await trySettle(pass, created, answer)) return;
    await remember(pass, created);
  } catch (error) {
    if (isSyncError(error, 'WAREHOUSE_BUSY')) await remember(pass, created);
    else if (isForeignKey(error)) {
      const words = `it is at the source as ${created.id}, but a foreign key keeps its row from taking that id: give the key ON UPDATE CASCADE, then retry`;
      await wait(pass, created, words, false);
    } else throw error;
  }
}

/** @returns false when a row moved between read and commit. */
async function trySettle(pass: Pass, created: Created, { readBack, listing }: Answer): Promise<boolean> {
  const { warehouse } = pass.engine;
  const { localId, id, sent } = created;
  const rows = await readRows(warehouse, [localId, id]);
  const row = rows.get(localId);
  const twin = localId === id ? undefined : rows.get(id);
  if (row === undefined || row.create === null) return true;
  const plan = planCreated({ row: row.state, sent, readBack, twin: twin?.state ?? null });
  const write: EditedWrite = { read: row, row: plan.row, intent: null, records: plan.records };
  const [claim, ...rest] = planEdited(warehouse.kind, [write], optionsOf(pass, created.held));
  if (claim === undefined) return true;
  try {
    await warehouse.commit([
      { ...claim, expect: 1 },
      ...(twin === undefined ? [] : takeIn(twin)),
      ...rest,
      ...giveId(localId, id),
      ...(listing === undefined ? [] : [settleRefetch(listing)]),
    ]);
  } catch (error) {
    if (isSyncError(error, 'EXPECTATION')) return false;
    throw error;
  }
  tellRecords(pass, [write]);
  return true;
}

/** The row that a pull has brought goes, as it was read. */
function takeIn({ id, edits, revision }: EditedRow): readonly Statement[] {
  const [mark, remove] = ownDelete('id = ? AND _edits = ?', [id, edits]) as readonly [Statement, Statement];
  const isAsRead = { sql: `${mark.sql} AND _revision = ?`, params: [...mark.params, revision] };
  return [
    { ...mark, ...isAsRead, expect: 1 },
    { ...remove, expect: 1 },
  ];
}

function optionsOf(pass: Pass, held: string | null, claimMs = CLAIM_MS) {
  return { token: pass.token(), held, claimMs, clock: pass.sqlClock(), at: pass.now() };
}

/** Notes the id for a later pass, and gives the claim up. */
export async function remember(pass: Pass, created: Created): Promise<void> {
  const { warehouse } = pass.engine;
  const row = (await readRows(warehouse, [created.localId])).get(created.localId);
  if (row === undefined) return;
  const write: EditedWrite = { read: row, row: null, intent: intentOf(created), records: [] };
  const taken = await commitEdited(warehouse, [write], optionsOf(pass, created.held, 0));
  if (taken.size === 0 && created.held !== null) {
    await warehouse.commit([endClaim(created.localId, created.held, pass.sqlClock())]);
  }
}

/** Parks the row as a dead letter. @param isGone a retry is to create it anew, unless the client is back by then. */
async function wait(pass: Pass, created: Created, words: string, isGone: boolean): Promise<void> {
  const { warehouse } = pass.engine;
  const row = (await readRows(warehouse, [created.localId])).get(created.localId);
  if (row === undefined) return;
  const value = canonicalJson(present(created.sent));
  const write: EditedWrite = {
    read: row,
    row: { values: {}, extra: row.state.extra, base: {}, isParked: true, isDeleted: false },
    intent: intentOf(created, isGone),
    records: [{ kind: 'edit', field: null, base: null, value, outcome: 'refused', message: words }],
  };
  const taken = await commitEdited(warehouse, [write], optionsOf(pass, created.held, 0));
  if (taken.size > 0) tellRecords(pass, [write]);
}

function intentOf({ sent, strangers, id }: Created, isGone = false): EditedWrite['intent'] {
  return { sent, before: isGone ? { strangers, id, gone: true } : { strangers, id } };
}

function isForeignKey(error: unknown): boolean {
  const cause = isSyncError(error, 'WAREHOUSE_FAILED') ? error.cause : null;
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : null;
  return code === '23503' || code === 'SQLITE_CONSTRAINT_FOREIGNKEY';
}
