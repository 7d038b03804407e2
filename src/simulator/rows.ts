/**
 * The rows themselves: the generated population, overlaid with whatever changed. A row is known by its handle,
 * the population's number or one counted on from there, and an id keeps its handle for good.
 */
import type { Population } from './generate.ts';
import { type IdOrder, sortKeyOf } from './ids.ts';
import type { ClientRow, StampKey } from './row.ts';

export type Handle = number;

export interface Rows {
  readonly size: number;
  readonly idOrder: IdOrder;
  /** Every live handle. */
  handles(): Iterable<Handle>;
  /** The live row's handle. */
  find(id: string): Handle | undefined;
  /** The id's handle, live or not. */
  handleOf(id: string): Handle;
  /** null: there is no such row now. */
  peek(handle: Handle): ClientRow | null;
  /** The row of a live handle. */
  row(handle: Handle): ClientRow;
  id(handle: Handle): string;
  stamp(handle: Handle, key: StampKey): string | null;
  /** Sorts as this server sorts ids. */
  idKey(handle: Handle): string;
  /** null removes. */
  set(handle: Handle, row: ClientRow | null): void;
}

export function createRows(population: Population, idOrder: IdOrder): Rows {
  /** null: removed. */
  const overlay = new Map<Handle, ClientRow | null>();
  const ids = new Map<string, Handle>();
  let size = population.size;
  let next = population.size;

  const isLive = (handle: Handle): boolean => {
    const row = overlay.get(handle);
    return row === undefined ? handle < population.size : row !== null;
  };
  const row = (handle: Handle): ClientRow => overlay.get(handle) ?? population.row(handle);
  const id = (handle: Handle): string => overlay.get(handle)?.id ?? population.id(handle);
  return {
    get size() {
      return size;
    },
    idOrder,
    *handles() {
      for (let handle = 0; handle < next; handle += 1) if (isLive(handle)) yield handle;
    },
    find(wanted) {
      const handle = population.find(wanted) ?? ids.get(wanted);
      return handle !== undefined && isLive(handle) ? handle : undefined;
    },
    handleOf(wanted) {
      const known = population.find(wanted) ?? ids.get(wanted);
      if (known !== undefined) return known;
      ids.set(wanted, next);
      next += 1;
      return next - 1;
    },
    peek: (handle) => (isLive(handle) ? row(handle) : null),
    row,
    id,
    stamp(handle, key) {
      const changed = overlay.get(handle);
      return changed ? changed[key] : population[key](handle);
    },
    idKey: (handle) => sortKeyOf(id(handle), idOrder),
    set(handle, after) {
      size += (after === null ? 0 : 1) - (isLive(handle) ? 1 : 0);
      overlay.set(handle, after);
    },
  };
}
