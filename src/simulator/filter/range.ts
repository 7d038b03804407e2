/**
 * What of a filter an index can answer: bounds on a stamp, and a list of ids. The rest stays a filter.
 * A range of the index holds every row that the taken part admits, so rest and range together equal the filter.
 */
import type { StampKey } from '../row.ts';
import type { CompareOp, Literal, Node } from './ast.ts';

interface Bound {
  readonly key: string;
  readonly exclusive: boolean;
}

/** Bounds on one stamp. `lane`: any row, those without the stamp, those with it, or none at all. */
export interface StampRange {
  readonly lane: 'all' | 'nulls' | 'values' | 'nothing';
  readonly lower: Bound | null;
  /** The first key beyond the range is at (`exclusive` false) or after it. */
  readonly upper: Bound | null;
}

/** The parts that must all hold. */
export function conjuncts(node: Node | null): Node[] {
  if (node === null) return [];
  return node.kind === 'and' ? [...conjuncts(node.left), ...conjuncts(node.right)] : [node];
}

/** Takes from `parts` what bounds the stamp; returns the range and the parts left over. */
export function takeRange(parts: readonly Node[], key: StampKey): { range: StampRange; rest: Node[] } {
  let range: StampRange = { lane: 'all', lower: null, upper: null };
  const rest: Node[] = [];
  for (const part of parts) {
    const found = stampComparison(part, key);
    if (found === null) rest.push(part);
    else range = narrow(range, found.op, found.value);
  }
  return { range, rest };
}

/** Takes from `parts` the first that names the wanted ids; null when none does. */
export function takeIds(parts: readonly Node[]): { ids: string[]; rest: Node[] } | null {
  for (const [n, part] of parts.entries()) {
    const ids = idsOf(part);
    if (ids !== null) return { ids: [...new Set(ids)], rest: parts.filter((_, other) => other !== n) };
  }
  return null;
}

function idsOf(node: Node): string[] | null {
  if (node.kind === 'or') {
    const [left, right] = [idsOf(node.left), idsOf(node.right)];
    return left !== null && right !== null ? [...left, ...right] : null;
  }
  if (node.kind === 'in') {
    const isId = node.value.kind === 'field' && node.value.name === 'id';
    return isId ? node.list.map((literal) => String(literal.value)) : null;
  }
  const found = comparison(node, 'id');
  return found?.op === 'eq' && typeof found.value === 'string' ? [found.value] : null;
}

function stampComparison(node: Node, key: StampKey): { op: CompareOp; value: string | null } | null {
  const found = comparison(node, key);
  if (found === null || (found.op === 'ne' && found.value !== null)) return null;
  return { op: found.op, value: found.value as string | null };
}

const FLIPPED: Readonly<Record<CompareOp, CompareOp>> = {
  eq: 'eq',
  ne: 'ne',
  gt: 'lt',
  ge: 'le',
  lt: 'gt',
  le: 'ge',
};

/** `name op literal`, either way round. */
function comparison(node: Node, name: string): { op: CompareOp; value: Literal['value'] } | null {
  if (node.kind !== 'compare') return null;
  const { left, right, op } = node;
  if (left.kind === 'field' && left.name === name && right.kind === 'literal')
    return { op, value: right.value };
  if (right.kind === 'field' && right.name === name && left.kind === 'literal') {
    return { op: FLIPPED[op], value: left.value };
  }
  return null;
}

function narrow(range: StampRange, op: CompareOp, key: string | null): StampRange {
  if (key === null) {
    const lane = op === 'eq' ? 'nulls' : op === 'ne' ? 'values' : 'nothing';
    return { ...range, lane: meet(range.lane, lane) };
  }
  const valued = { ...range, lane: meet(range.lane, 'values') };
  const lower = op === 'gt' || op === 'ge' || op === 'eq' ? { key, exclusive: op === 'gt' } : null;
  const upper = op === 'lt' || op === 'le' || op === 'eq' ? { key, exclusive: op !== 'lt' } : null;
  return {
    ...valued,
    lower: lower !== null && isTighter(lower, range.lower) ? lower : range.lower,
    upper: upper !== null && isTighter(range.upper, upper, true) ? upper : range.upper,
  };
}

function meet(a: StampRange['lane'], b: StampRange['lane']): StampRange['lane'] {
  if (a === 'all' || a === b) return b;
  return b === 'all' ? a : 'nothing';
}

/** Does `one` begin after `other`? `missing`: what holds when one of them is not there. */
function isTighter(one: Bound | null, other: Bound | null, missing = true): boolean {
  if (one === null || other === null) return missing;
  return one.key > other.key || (one.key === other.key && one.exclusive && !other.exclusive);
}
