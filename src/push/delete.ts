/**
 * Carries local deletes to the source. A client that is not there any more is deleted; one that the source will not
 * let go comes back as it was, and its delete waits as a dead letter.
 */
import { addSeconds } from '../clients/instant.ts';
import { canonicalJson } from '../clients/record.ts';
import { isSyncError, type SyncError } from '../errors.ts';
import { claimDelete, type Deleted, finishDelete, parkDelete, readDeletes } from '../ledger/deletes.ts';
import { addEntry } from '../ledger/journal.ts';
import { dropPush, endClaim } from '../ledger/pushes.ts';
import { listRefetch } from '../ledger/refetch.ts';
import { inLanes } from '../rows/lanes.ts';
import { DELETED } from '../rows/refetch.ts';
import type { Statement, StatementResult } from '../warehouse/warehouse.ts';
import { CLAIM_MS, type Pass } from './engine.ts';
import { wordsOf } from './send.ts';

const BATCH = 150;

/** Works through the deletes that wait. */
export async function pushDeletes(pass: Pass): Promise<void> {
  for (let after = ''; ; ) {
    const deletes = await readDeletes(pass.engine.warehouse, after, BATCH);
    const last = deletes.at(-1);
    if (last === undefined) return;
    await deleteBatch(pass, deletes);
    after = last.id;
  }
}

async function deleteBatch(pass: Pass, deletes: readonly Deleted[]): Promise<void> {
  const { engine } = pass;
  const token = pass.token();
  const deadlineMs = pass.deadlineMs();
  const clock = pass.sqlClock();
  const claims = await engine.warehouse.commit(
    deletes.map((one) => claimDelete(one, token, CLAIM_MS, clock)),
  );
  const claimed = deletes.filter((_one, index) => (claims[index] as StatementResult).rows.length === 1);
  const outcomes = await inLanes(claimed, engine.options.concurrency, (one) =>
    deleteOne(pass, one, deadlineMs),
  );
  const done = claimed.filter((_one, index) => outcomes[index] === 'done');
  if (done.length > 0) await engine.warehouse.commit(done.flatMap((one) => finish(pass, one, token)));
  for (const one of done) {
    engine.emit({ type: 'editSettled', id: one.id, field: null, outcome: 'arrived' });
  }
  for (const [index, one] of claimed.entries()) {
    const outcome = outcomes[index];
    if (outcome === 'unknown') await engine.warehouse.commit([endClaim(one.id, token, pass.sqlClock())]);
    else if (typeof outcome === 'object') await park(pass, one, token, outcome.words);
  }
  engine.emit({
    type: 'pageCommitted',
    kind: 'push',
    rows: claimed.length,
    written: claimed.length,
    key: null,
  });
}

type Outcome = 'done' | 'unknown' | { readonly words: string };

async function deleteOne(pass: Pass, { id }: Deleted, deadlineMs: number): Promise<Outcome> {
  const { api, signal, emit } = pass.engine;
  emit({ type: 'editSent', id, field: null });
  try {
    await api.delete(id, { signal, deadlineMs });
    pass.failures.passed();
    return 'done';
  } catch (error) {
    if (!isSyncError(error)) throw error;
    return judge(pass, error);
  }
}

function judge(pass: Pass, error: SyncError): Outcome {
  switch (error.code) {
    case 'GONE':
      return 'done';
    case 'REFUSED':
    case 'DENIED':
    case 'NOT_SUPPORTED':
      pass.failures.passed();
      return { words: wordsOf(error) };
    case 'AUTH':
    case 'THROTTLED':
    case 'FOREIGN_ORIGIN':
    case 'STOPPED':
      throw error;
    default:
      pass.failures.note(error);
      return 'unknown';
  }
}

function valuesOf({ document }: Deleted): string {
  const { _base, _extra, ...values } = document;
  return canonicalJson(Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null)));
}

function finish(pass: Pass, deleted: Deleted, token: string): readonly Statement[] {
  const at = pass.now();
  const entry = {
    field: null,
    base: valuesOf(deleted),
    value: null,
    outcome: 'arrived',
    message: null,
  } as const;
  const lookAgainAt = addSeconds(at, pass.engine.options.lookbackSeconds);
  return [
    ...finishDelete(deleted, token),
    addEntry(deleted.id, entry, at),
    listRefetch(deleted.id, DELETED, at, lookAgainAt),
    dropPush(deleted.id, token),
  ];
}

async function park(pass: Pass, deleted: Deleted, token: string, words: string): Promise<void> {
  const { warehouse, emit } = pass.engine;
  const at = pass.now();
  const entry = {
    field: null,
    base: valuesOf(deleted),
    value: null,
    outcome: 'refused',
    message: words,
  } as const;
  try {
    await warehouse.commit([
      ...parkDelete(warehouse.kind, deleted, at),
      addEntry(deleted.id, entry, at),
      // As it is at the source by now, and with the edits that it had.
      listRefetch(deleted.id, 'restored', at),
      dropPush(deleted.id, token),
    ]);
  } catch (error) {
    // Discarded meanwhile: then it has come back already.
    if (!isSyncError(error, 'EXPECTATION')) throw error;
    return;
  }
  emit({ type: 'editRefused', id: deleted.id, field: null });
}
