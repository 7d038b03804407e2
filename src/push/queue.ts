/** The rows a pass works on, as batches of ids: those that wait for a push, and those that the source changed too. */
import { QUEUE_START, type QueueSpan, readQueue, readQueueEnd } from '../ledger/editedRows.ts';
import { type RefetchPlace, readDueEdited } from '../ledger/refetch.ts';
import type { Pass } from './engine.ts';

/** Rows of a batch: twenty requests at fifteen ids each. */
export const BATCH = 300;

/**
 * The rows that wait for a push now. What is edited from here on is the next pass's. The first batch is half as long
 * as the others, so that of two side by side one settles while the other is in the midst of its requests.
 */
export async function* queuedBatches(pass: Pass, only: QueueSpan['only']): AsyncGenerator<readonly string[]> {
  const { warehouse } = pass.engine;
  const until = await readQueueEnd(warehouse);
  if (until === null) return;
  for (let after = QUEUE_START, size = BATCH / 2; ; size = BATCH) {
    const page = await readQueue(warehouse, { after, until, only }, size);
    if (page.length > 0) yield page.map(({ id }) => id);
    const last = page.at(-1);
    if (last === undefined || page.length < size) return;
    after = last;
  }
}

/** The edited rows that the source has changed too, parked ones as well. */
export async function* listedBatches(pass: Pass): AsyncGenerator<readonly string[]> {
  const now = pass.now();
  for (let after: RefetchPlace | null = null; ; ) {
    const page: Awaited<ReturnType<typeof readDueEdited>> = await readDueEdited(
      pass.engine.warehouse,
      now,
      after,
      BATCH,
    );
    if (page.length > 0) yield page.map(({ id }) => id);
    const last = page.at(-1);
    if (last === undefined || page.length < BATCH) return;
    after = last;
  }
}
