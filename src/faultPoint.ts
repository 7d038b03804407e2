/**
 * Points at which a test may end the process: before and after each commit and each request, the only steps that
 * change anything. Nothing of it is there unless the command line was given a point to end at.
 */
import type { ClientsApi } from './api/api.ts';
import type { Warehouse } from './warehouse/warehouse.ts';

/** Called before and after each step; who is not to go on never comes back from it. */
export type FaultPoint = () => Promise<void>;

async function between<T>(point: FaultPoint, step: () => Promise<T>): Promise<T> {
  await point();
  const result = await step();
  await point();
  return result;
}

export function withFaultPoints(
  parts: { readonly warehouse: Warehouse; readonly api: ClientsApi },
  point: FaultPoint | undefined,
): { readonly warehouse: Warehouse; readonly api: ClientsApi } {
  if (point === undefined) return parts;
  const { warehouse, api } = parts;
  return {
    warehouse: {
      ...warehouse,
      commit: (writes, lease) => between(point, () => warehouse.commit(writes, lease)),
    },
    api: {
      ...api,
      list: (query, options) => between(point, () => api.list(query, options)),
      get: (id, options) => between(point, () => api.get(id, options)),
      create: (body, options) => between(point, () => api.create(body, options)),
      update: (id, body, options) => between(point, () => api.update(id, body, options)),
      delete: (id, options) => between(point, () => api.delete(id, options)),
    },
  };
}
