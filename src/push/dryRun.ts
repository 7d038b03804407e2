/**
 * What a push would send now, request by request, made by the very plans of a push: rows and source are read, and
 * nothing is written anywhere.
 */
import type { Body } from '../api/api.ts';
import { readDeletes } from '../ledger/deletes.ts';
import { createBody, isDue, sendable } from './create.ts';
import { type Dirty, readDirty } from './dirty.ts';
import { createPass, type Pass, type PushEngine } from './engine.ts';
import { isWaiting, planWith } from './mergePass.ts';
import { queuedBatches } from './queue.ts';
import { readRemotes } from './remote.ts';

export interface PlannedRequest {
  readonly method: 'PATCH' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body: Body | null;
}

const BATCH = 150;

/** In the order of a push: edits and inserts, then deletes. Holds one batch at a time. */
export async function* planRequests(engine: PushEngine): AsyncGenerator<PlannedRequest> {
  if (!engine.push.sends) return;
  const pass = createPass(engine, true);
  for await (const ids of queuedBatches(pass, 'all')) {
    const dirty = await readDirty(pass, ids, null);
    yield* updatesOf(pass, dirty);
    for (const one of dirty) {
      if (one.row.create === null || !isDue(pass, one)) continue;
      const { ownerId, ...values } = one.row.state.values;
      const sent = sendable({ ...values, ownerId: ownerId ?? engine.options.shape.owner }, pass.excluded);
      yield { method: 'POST', path: '/clients', body: createBody(sent) };
    }
  }
  if (!engine.push.deletes) return;
  for (let after = ''; ; ) {
    const deletes = await readDeletes(engine.warehouse, after, BATCH);
    for (const { id } of deletes) yield { method: 'DELETE', path: `/clients/${id}`, body: null };
    const last = deletes.at(-1);
    if (last === undefined) return;
    after = last.id;
  }
}

async function* updatesOf(pass: Pass, dirty: readonly Dirty[]): AsyncGenerator<PlannedRequest> {
  const updates = dirty.filter((one) => one.row.create === null && !isWaiting(pass, one));
  const ids = updates.map(({ row }) => row.id);
  const remotes = await readRemotes(pass, ids, true);
  for (const one of updates) {
    const remote = remotes.get(one.row.id);
    const plan = remote === undefined ? null : planWith(pass, one, remote);
    if (plan?.kind !== 'merge' || plan.body === null) continue;
    yield { method: 'PATCH', path: `/clients/${one.row.id}`, body: plan.body };
  }
}
