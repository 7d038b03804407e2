/**
 * One pass over the local edits. `push` carries them to the source; where nothing is sent (after a pull, or in a
 * read-only mirror) only those rows are merged that the source has changed too.
 *
 * Lanes, not a queue: rows go in batches, two batches at a time, so that the source is always busy and neither memory
 * nor a poisoned row grows with what waits. A row that fails stays as it is; the pass goes on and tells at its end.
 */

import { setMaxListeners } from 'node:events';
import { createLinkedAbort, type LinkedAbort } from '../abort.ts';
import { addSeconds } from '../clients/instant.ts';
import { pruneConflicts } from '../ledger/conflicts.ts';
import { pruneEdits } from '../ledger/edits.ts';
import { type RunSummary, recordRun } from '../rows/run.ts';
import { endDeadClaims, endOwnClaims } from './claim.ts';
import { createBatch } from './create.ts';
import { pushDeletes } from './delete.ts';
import { type Dirty, readDirty } from './dirty.ts';
import { createPass, type Pass, type PushEngine } from './engine.ts';
import { type Guarded, guardMassEdit, type MassEdit } from './guard.ts';
import { mergeBatch } from './mergePass.ts';
import { BATCH, listedBatches, queuedBatches } from './queue.ts';
import { sendAll } from './send.ts';
import { settleBatch } from './settle.ts';

const BATCHES_AT_ONCE = 2;
/** How often a client is merged again in one pass because it changed under an `If-Match`. */
const ROUNDS_MAX = 3;

export interface PushChoice {
  /** A person has said that an edit of most of the clients is meant. */
  readonly allowMassEdit: boolean;
}

/**
 * Carries the local edits to the source.
 * @throws SyncError of the first row that failed, once all others are through; or of what stopped the pass.
 */
export function push(engine: PushEngine, choice: PushChoice): Promise<RunSummary> {
  return recordRun(engine, { kind: 'push', exclusive: false }, async () => {
    engine.emit({ type: 'runStarted', kind: 'push', resumed: false });
    await runPass(engine, engine.push.sends, async (pass, stop) => {
      const guarded = await guardMassEdit(pass, choice.allowMassEdit);
      await eachBatch(pass, guardedBatches(pass, guarded), stop);
      await eachBatch({ ...pass, triesAgain: true }, unsettledBatches(pass), stop);
      const holdsDeletes = guarded.held !== null && guarded.held.deletes > 0;
      if (engine.push.deletes && !holdsDeletes) await pushDeletes(pass);
      await forget(pass);
    });
  });
}

/** What waits, without the changes that are held back, also where they come while the pass goes on. */
async function* guardedBatches(pass: Pass, first: Guarded): AsyncGenerator<readonly string[]> {
  let { held, counted: left } = first;
  if (!holdsChanges(held)) {
    for await (const ids of queuedBatches(pass, 'all')) {
      if (left < ids.length) ({ held, counted: left } = await guardMassEdit(pass, false));
      if (holdsChanges(held)) break;
      left -= ids.length;
      yield ids;
    }
  }
  pass.holdsChanges = holdsChanges(held);
  if (pass.holdsChanges) yield* queuedBatches(pass, 'creates');
}

/** What an earlier push left unsettled comes last: rows that fail each time must not keep the others from their turn. */
async function* unsettledBatches(pass: Pass): AsyncGenerator<readonly string[]> {
  while (pass.unsettled.length > 0) yield pass.unsettled.splice(0, BATCH);
}

function holdsChanges(held: MassEdit | null): boolean {
  return held !== null && held.changes > 0;
}

/** Sent edits and ended conflicts are remembered for so long. Only where something was done: rest is silent. */
async function forget(pass: Pass): Promise<void> {
  const { warehouse, options } = pass.engine;
  if (!pass.isBusy()) return;
  const before = addSeconds(pass.now(), -options.keepDays * 86_400);
  await warehouse.commit([pruneEdits(warehouse.kind, before), pruneConflicts(before)]);
}

/** Merges the edited rows that the source has changed too, and sends nothing. */
export function mergeOnly(engine: PushEngine): Promise<void> {
  return runPass(engine, false, async () => undefined);
}

type Work = (pass: Pass, stop: LinkedAbort) => Promise<void>;

async function runPass(engine: PushEngine, sends: boolean, work: Work): Promise<void> {
  const stop = createLinkedAbort(engine.signal);
  // Every request of two batches listens to it.
  setMaxListeners(0, stop.signal);
  const pass = createPass({ ...engine, signal: stop.signal }, sends);
  try {
    await workThrough(pass, sends, work, stop);
  } finally {
    stop.close();
  }
  if (pass.failures.first !== null) throw pass.failures.first;
}

async function workThrough(pass: Pass, sends: boolean, work: Work, stop: LinkedAbort): Promise<void> {
  await endDeadClaims(pass);
  try {
    if (sends) await work(pass, stop);
    // Rows that the guard holds back are merged like those of a mirror that sends nothing.
    const merging = { ...pass, triesAgain: true, sends: sends && !pass.holdsChanges };
    await eachBatch(merging, listedBatches(pass), stop);
  } finally {
    await endOwnClaims(pass);
  }
}

/** Works on batches side by side. The first that fails stops the others, and all are waited for. */
async function eachBatch(pass: Pass, batches: AsyncIterable<readonly string[]>, stop: LinkedAbort) {
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  const fail = (error: unknown) => {
    failures.push(error);
    stop.abort(error);
  };
  try {
    for await (const ids of batches) {
      const one = workOn(pass, ids)
        .catch(fail)
        .finally(() => running.delete(one));
      running.add(one);
      if (running.size >= BATCHES_AT_ONCE) await Promise.race(running);
      if (failures.length > 0) break;
    }
  } catch (error) {
    fail(error);
  }
  await Promise.all(running);
  if (failures.length > 0) throw failures[0];
}

async function workOn(pass: Pass, ids: readonly string[]): Promise<void> {
  const dirty = await readTurn(pass, ids);
  let claimed = await mergeBatch(pass, dirty);
  for (let round = 1; claimed.length > 0; round += 1) {
    const sent = await sendAll(pass, claimed);
    await settleBatch(pass, sent);
    const changed = sent.filter(({ outcome }) => outcome === 'changed').map((one) => one.claimed);
    const [first] = changed;
    if (first === undefined || round === ROUNDS_MAX) break;
    const again = changed.map(({ id }) => id);
    claimed = await mergeBatch(pass, await readDirty(pass, again, first.token), first.token);
  }
  if (pass.sends) await createBatch(pass, dirty);
}

/** The rows of these ids whose turn it is. */
async function readTurn(pass: Pass, ids: readonly string[]): Promise<readonly Dirty[]> {
  const dirty = await readDirty(pass, ids, null);
  if (pass.triesAgain) return dirty;
  const unsettled = dirty.filter(({ entry }) => entry?.sent != null);
  pass.unsettled.push(...unsettled.map(({ row }) => row.id));
  return dirty.filter((one) => !unsettled.includes(one));
}
