/**
 * One pass over the local edits. `push` carries them to the source; where nothing is sent (after a pull, or in a
 * read-only mirror) only those rows are merged that the source has changed too.
 *
 * Lanes, not a queue: rows go in batches, two batches at a time, so that the source is always busy and neither memory
 * nor a poisoned row grows with what waits. A row that fails stays as it is; the pass goes on and tells at its end.
 */
import { setMaxListeners } from 'node:events';
import { addSeconds } from '../clients/instant.ts';
import { pruneConflicts } from '../ledger/conflicts.ts';
import { pruneEdits } from '../ledger/edits.ts';
import { type RunSummary, recordRun } from '../rows/run.ts';
import { endDeadClaims, endOwnClaims } from './claim.ts';
import { createBatch } from './create.ts';
import { pushDeletes } from './delete.ts';
import { readDirty } from './dirty.ts';
import { createPass, type Pass, type PushEngine } from './engine.ts';
import { type Guarded, guardMassEdit, type MassEdit } from './guard.ts';
import { mergeBatch } from './mergePass.ts';
import { listedBatches, queuedBatches } from './queue.ts';
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
  if (holdsChanges(held)) yield* queuedBatches(pass, 'creates');
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

type Work = (pass: Pass, stop: AbortController) => Promise<void>;

async function runPass(engine: PushEngine, sends: boolean, work: Work): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([engine.signal, stop.signal]);
  // Every request of two batches listens to it.
  setMaxListeners(0, signal);
  const pass = createPass({ ...engine, signal }, sends);
  await endDeadClaims(pass);
  try {
    if (sends) await work(pass, stop);
    await eachBatch(pass, listedBatches(pass), stop);
  } finally {
    await endOwnClaims(pass);
  }
  if (pass.failures.first !== null) throw pass.failures.first;
}

/** Works on batches side by side. The first that fails stops the others. */
async function eachBatch(pass: Pass, batches: AsyncIterable<readonly string[]>, stop: AbortController) {
  const running = new Set<Promise<void>>();
  let failure: unknown = null;
  const run = async (ids: readonly string[]) => {
    try {
      await workOn(pass, ids);
    } catch (error) {
      failure ??= error;
      stop.abort(error);
    }
  };
  for await (const ids of batches) {
    const one = run(ids).finally(() => running.delete(one));
    running.add(one);
    if (running.size >= BATCHES_AT_ONCE) await Promise.race(running);
    if (failure !== null) break;
  }
  await Promise.all(running);
  if (failure !== null) throw failure;
}

async function workOn(pass: Pass, ids: readonly string[]): Promise<void> {
  const dirty = await readDirty(pass, ids, null);
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
