/**
 * Points at which a test may end the process: before and after each step that changes anything or asks for
 * anything — each commit, each lease, each request, each migration. A point has a name (`before commit`, `after
 * list`), so that a test can pick one. Nothing of it is there unless the command line was given a point to end at.
 */
import type { ClientsApi } from './api/api.ts';
import type { OpenOptions } from './warehouse/open.ts';
import type { Warehouse } from './warehouse/warehouse.ts';

/** Called before and after each step; who is not to go on never comes back from it, or gets an error. */
export type FaultPoint = NonNullable<OpenOptions['onStep']>;

/** Every step that has points around it, as their names have it; those of a migration are the warehouse's own. */
export const STEPS = ['commit', 'acquire', 'release', 'list', 'get', 'create', 'update', 'delete'] as const;

/**
 * Reads which point is meant: `before commit 3` is the third of that name, `12` the twelfth of all.
 * @param end called when it is reached.
 * @returns undefined when no point is meant.
 */
export function parseFaultPoint(text: string, end: () => void): FaultPoint | undefined {
  const [, wanted, count] = /^(?:(\D+) )?(\d+)$/.exec(text) ?? [];
  let left = Number(count ?? 0);
  if (left === 0) return undefined;
  return async (name) => {
    if (wanted !== undefined && wanted !== name) return;
    left -= 1;
    if (left > 0) return;
    end();
    await new Promise(() => undefined);
  };
}

export function withFaultPoints(
  parts: { readonly warehouse: Warehouse; readonly api: ClientsApi },
  point: FaultPoint | undefined,
): { readonly warehouse: Warehouse; readonly api: ClientsApi } {
  if (point === undefined) return parts;
  const { warehouse, api } = parts;
  const between = async <T>(step: (typeof STEPS)[number], work: () => Promise<T>): Promise<T> => {
    await point(`before ${step}`);
    const result = await work();
    await point(`after ${step}`);
    return result;
  };
  return {
    warehouse: {
      ...warehouse,
      commit: (writes, lease) => between('commit', () => warehouse.commit(writes, lease)),
      acquireLease: (name, ttlMs) => between('acquire', () => warehouse.acquireLease(name, ttlMs)),
      releaseLease: (lease) => between('release', () => warehouse.releaseLease(lease)),
    },
    api: {
      ...api,
      list: (query, options) => between('list', () => api.list(query, options)),
      get: (id, options) => between('get', () => api.get(id, options)),
      create: (body, options) => between('create', () => api.create(body, options)),
      update: (id, body, options) => between('update', () => api.update(id, body, options)),
      delete: (id, options) => between('delete', () => api.delete(id, options)),
    },
  };
}
