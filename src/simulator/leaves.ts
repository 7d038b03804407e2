/**
 * A sorted list of row handles that stays quick at a million rows while rows come and go.
 *
 * It is cut into leaves of at most some hundred handles: an insert moves one leaf, a position is found through
 * the leaves' running counts, and whatever is computed from a leaf (its serialised rows) stays right until the
 * leaf itself changes, which its version tells.
 */

interface Leaf {
  /** Names this leaf for good, so that a cache can be keyed by it. */
  readonly serial: number;
  version: number;
  readonly handles: number[];
}

/** Part of a leaf: the handles from `from` up to, not including, `to`. */
export interface Slice {
  readonly leaf: Leaf;
  readonly from: number;
  readonly to: number;
}

export interface Leaves {
  readonly size: number;
  insert(handle: number): void;
  /** The handle must still compare as it did when it was inserted. */
  remove(handle: number): void;
  /** Says that a row changed without moving. */
  touch(handle: number): void;
  at(position: number): number;
  /** The first position at which `isBefore` is false; it must be true up to some point and false from there. */
  lowerBound(isBefore: (handle: number) => boolean): number;
  slices(from: number, to: number): Slice[];
}

const LEAF_MAX = 1024;
const LEAF_FIRST = 512;
let serials = 0;

function createLeaf(handles: number[]): Leaf {
  serials += 1;
  return { serial: serials, version: 0, handles };
}

/** @param sorted handles in the order of `compare` */
export function createLeaves(sorted: ArrayLike<number>, compare: (a: number, b: number) => number): Leaves {
  const leaves: Leaf[] = [];
  for (let from = 0; from < sorted.length; from += LEAF_FIRST) {
    leaves.push(createLeaf(Array.prototype.slice.call(sorted, from, from + LEAF_FIRST) as number[]));
  }
  let size = sorted.length;
  let starts: number[] | null = null;

  /** Position of each leaf's first handle. */
  const startsOf = (): number[] => {
    if (starts !== null) return starts;
    let position = 0;
    starts = leaves.map((leaf) => {
      const start = position;
      position += leaf.handles.length;
      return start;
    });
    return starts;
  };
  const leafAt = (position: number): number =>
    firstWhere(leaves.length, (n) => (startsOf()[n] ?? 0) > position) - 1;
  const find = (isBefore: (handle: number) => boolean): { n: number; offset: number } => {
    const n = Math.max(0, firstWhere(leaves.length, (at) => !isBefore(leaves[at]?.handles[0] ?? 0)) - 1);
    const handles = leaves[n]?.handles ?? [];
    return { n, offset: firstWhere(handles.length, (at) => !isBefore(handles[at] ?? 0)) };
  };
  const locate = (handle: number): { leaf: Leaf; n: number; offset: number } => {
    let { n, offset } = find((other) => compare(other, handle) < 0);
    // Not before the first handle of the next leaf means: it is that one.
    if (offset === leaves[n]?.handles.length) [n, offset] = [n + 1, 0];
    const leaf = leaves[n];
    if (leaf?.handles[offset] !== handle) throw new Error(`handle ${handle} is not in the index`);
    return { leaf, n, offset };
  };

  return {
    get size() {
      return size;
    },
    insert(handle) {
      if (leaves.length === 0) leaves.push(createLeaf([]));
      const { n, offset } = find((other) => compare(other, handle) < 0);
      const leaf = leaves[n] as Leaf;
      leaf.handles.splice(offset, 0, handle);
      leaf.version += 1;
      if (leaf.handles.length > LEAF_MAX)
        leaves.splice(n + 1, 0, createLeaf(leaf.handles.splice(LEAF_FIRST)));
      size += 1;
      starts = null;
    },
    remove(handle) {
      const { leaf, n, offset } = locate(handle);
      leaf.handles.splice(offset, 1);
      leaf.version += 1;
      if (leaf.handles.length === 0) leaves.splice(n, 1);
      size -= 1;
      starts = null;
    },
    touch(handle) {
      locate(handle).leaf.version += 1;
    },
    at(position) {
      const n = leafAt(position);
      return leaves[n]?.handles[position - (startsOf()[n] ?? 0)] ?? -1;
    },
    lowerBound(isBefore) {
      const { n, offset } = find(isBefore);
      return (startsOf()[n] ?? 0) + offset;
    },
    slices(from, to) {
      const found: Slice[] = [];
      for (let n = leafAt(from), at = from; at < to && n < leaves.length; n += 1) {
        const leaf = leaves[n] as Leaf;
        const start = startsOf()[n] ?? 0;
        const end = Math.min(leaf.handles.length, to - start);
        found.push({ leaf, from: at - start, to: end });
        at = start + end;
      }
      return found;
    },
  };
}

/** The first n from 0 at which `is` holds, or `length`; it must hold from there on. */
function firstWhere(length: number, is: (n: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (is(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
