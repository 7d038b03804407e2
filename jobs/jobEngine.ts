/**
 * The engine as one job sees it. Jobs of one process share warehouse, transport and emitter; each is to count only
 * its own events, and to stop when it loses its lock. Which job an event belongs to is told by the asynchronous
 * context in which it was emitted.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import { setMaxListeners } from 'node:events';
import { createLinkedAbort } from '../src/abort.ts';
import { readSettings } from '../src/ledger/settings.ts';
import type { PushEngine } from '../src/push/engine.ts';

const scope = new AsyncLocalStorage<symbol>();

/** Runs `work` with an engine of its own. */
export function withJobEngine<T>(
  engine: PushEngine,
  signal: AbortSignal,
  work: (engine: PushEngine) => Promise<T>,
): Promise<T> {
  const own = Symbol('job');
  const both = createLinkedAbort(engine.signal, signal);
  setMaxListeners(0, both.signal);
  const done = scope.run(own, () =>
    work({
      ...engine,
      signal: both.signal,
      subscribe: (listener) =>
        engine.subscribe((event) => {
          if (scope.getStore() === own) listener(event);
        }),
    }),
  );
  return done.finally(both.close);
}

/**
 * Keeps an engine that lives for months up to what other processes found out: the fields that the source has. A
 * window read without a new field would be a window with a hole.
 */
export async function createFieldWatch(engine: PushEngine): Promise<(signal: AbortSignal) => Promise<void>> {
  const readFields = async (): Promise<string | undefined> =>
    (await readSettings(engine.warehouse)).get('fields');
  let known = await readFields();
  return async (signal) => {
    if ((await readFields()) === known) return;
    await engine.source.discover(signal);
    known = await readFields();
  };
}
