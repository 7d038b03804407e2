/** What stories about processes that run on their own have in common: waiting for what must come. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Mirror } from './mirror.ts';

/** Waits until it holds. @throws with what `hold` said last when it never does. */
export async function eventually(hold: () => Promise<unknown>, withinMs = 45_000): Promise<void> {
  const until = Date.now() + withinMs;
  for (;;) {
    const said = await hold().catch((error: unknown) => String(error));
    if (said === true) return;
    if (Date.now() > until) throw new Error(`it never came; at last: ${JSON.stringify(said)}`);
    await delay(100);
  }
}

/** true when the mirror is equal to its source, else the first differences. */
export async function equality(mirror: Mirror): Promise<true | string[]> {
  const found = await mirror.differences();
  return found.length === 0 ? true : found.slice(0, 3);
}

/** true when so many backfills are finished, and none is open. */
export async function backfillsDone(mirror: Mirror, count: number): Promise<boolean> {
  const rows = await mirror.read('SELECT state FROM mirror_backfills');
  return rows.length === count && rows.every(({ state }) => state === 'done');
}
