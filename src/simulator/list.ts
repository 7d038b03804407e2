/**
 * Runs a list query. Where the order is an index's and the filter bounds its key, the page is found by position;
 * all else walks or scans. Which way was taken never shows in the answer: both give the filter's rows in the
 * asked order, and rows that tie are in order of id.
 */
import type { Node } from './filter/ast.ts';
import { compileFilter } from './filter/evaluate.ts';
import { conjuncts, type StampRange, takeIds, takeRange } from './filter/range.ts';
import { sortKeyOf } from './ids.ts';
import { compareText, type KeyIndex } from './keyIndex.ts';
import type { Slice } from './leaves.ts';
import type { ListQuery, OrderKey } from './query.ts';
import { fieldOf, type StampKey } from './row.ts';
import type { Handle } from './rows.ts';
import type { Store } from './store.ts';

/** The rows of a page: as parts of an index, which can be served from its cache, or one by one. */
export type Found =
  | { readonly slices: readonly Slice[]; readonly more: boolean }
  | { readonly handles: readonly Handle[]; readonly more: boolean };

type Test = (handle: Handle) => boolean;

const STAMPS: readonly StampKey[] = ['createdOn', 'updatedOn'];

/** @param top rows at the most */
export function runList(store: Store, query: ListQuery, top: number): Found {
  const page = { skip: query.skip, top };
  const order = indexOrder(query.orderby);
  const parts = conjuncts(query.filter);
  const extra = parameterTests(store, query);
  const named = takeIds(parts);
  if (named !== null) {
    const handles = named.ids.map((id) => store.find(id)).filter((handle) => handle !== undefined);
    return sortPage(store, handles.filter(testOf(store, named.rest, extra) ?? anything), query.orderby, page);
  }
  if (order !== null && order.key !== 'id') {
    const { range, rest } = takeRange(parts, order.key);
    const index = store.index(order.key);
    const walk = { index, ...positionsOf(index, range), descending: order.descending };
    return walkPage(walk, testOf(store, rest, extra), page);
  }
  const test = testOf(store, parts, extra);
  if (order !== null && test === null) {
    const index = store.index('id');
    return walkPage({ index, from: 0, to: index.size, descending: order.descending }, null, page);
  }
  return sortPage(store, candidates(store, parts).filter(test ?? anything), query.orderby, page);
}

const anything: Test = () => true;

/** The index that has this order, ties by id included; null when none has. */
function indexOrder(keys: readonly OrderKey[]): { key: StampKey | 'id'; descending: boolean } | null {
  const [first, second] = keys;
  if (first === undefined) return { key: 'id', descending: false };
  if (first.name === 'id') return { key: 'id', descending: first.descending };
  const key = STAMPS.find((stamp) => stamp === first.name);
  const fits = second === undefined || (second.name === 'id' && second.descending === first.descending);
  return key !== undefined && fits ? { key, descending: first.descending } : null;
}

function parameterTests(store: Store, query: ListQuery): Test[] {
  const tests: Test[] = [];
  const { ownerId, searchText } = query;
  if (ownerId !== null) tests.push((handle) => store.row(handle).ownerId === ownerId);
  if (searchText !== null && searchText.trim() !== '') {
    const words = searchText.toLowerCase().trim().split(/\s+/);
    tests.push((handle) => {
      const { firstName, lastName, email, homePhone, workPhone, mobilePhone } = store.row(handle);
      const text = [firstName, lastName, email, homePhone, workPhone, mobilePhone].join('\n').toLowerCase();
      return words.every((word) => text.includes(word));
    });
  }
  return tests;
}

/** null: nothing left to test. */
function testOf(store: Store, parts: readonly Node[], extra: readonly Test[]): Test | null {
  const fields = {
    uuidKey: (id: string) => sortKeyOf(id, store.idOrder),
    read: (name: string, sub: string | null) => {
      if (name === 'createdOn' || name === 'updatedOn') return (handle: Handle) => store.stamp(handle, name);
      if (name === 'id') return (handle: Handle) => store.id(handle);
      if (sub === null) return (handle: Handle) => fieldOf(store.row(handle), name);
      return (handle: Handle) =>
        (store.row(handle).contactAddress as Readonly<Record<string, unknown>> | null)?.[sub] ?? null;
    },
  };
  const tests = [...parts.map((part) => compileFilter(part, fields)), ...extra];
  if (tests.length <= 1) return tests[0] ?? null;
  return (handle) => tests.every((test) => test(handle));
}

function positionsOf(index: KeyIndex, range: StampRange): { from: number; to: number } {
  if (range.lane === 'nothing') return { from: 0, to: 0 };
  if (range.lane === 'nulls') return { from: 0, to: index.nulls };
  const { lower, upper } = range;
  const first = range.lane === 'all' ? 0 : index.nulls;
  const from = lower === null ? first : index.positionOf(lower.key, lower.exclusive);
  return { from, to: upper === null ? index.size : index.positionOf(upper.key, upper.exclusive) };
}

/** The rows that can pass, by the narrowest stamp range there is. */
function candidates(store: Store, parts: readonly Node[]): Handle[] {
  const spans = STAMPS.map((key) => {
    const index = store.index(key);
    return { index, ...positionsOf(index, takeRange(parts, key).range) };
  }).sort((a, b) => a.to - a.from - (b.to - b.from));
  const best = spans[0];
  if (best === undefined || best.to - best.from >= store.size) return Array.from(store.handles());
  const handles: Handle[] = [];
  for (const handle of walkHandles({ ...best, descending: false })) handles.push(handle);
  return handles;
}

interface Page {
  readonly skip: number;
  readonly top: number;
}

interface Walk {
  readonly index: KeyIndex;
  readonly from: number;
  readonly to: number;
  readonly descending: boolean;
}

function walkPage(walk: Walk, test: Test | null, page: Page): Found {
  const { index, from, to, descending } = walk;
  if (test === null) {
    const first = Math.min(to, from + page.skip);
    const more = to - from > page.skip + page.top;
    if (!descending) return { slices: index.slices(first, Math.min(to, first + page.top)), more };
    const handles: Handle[] = [];
    for (let at = to - 1 - page.skip; at >= from && handles.length < page.top; at -= 1) {
      handles.push(index.at(at));
    }
    return { handles, more };
  }
  const handles: Handle[] = [];
  let passed = 0;
  for (const handle of walkHandles(walk)) {
    if (!test(handle)) continue;
    passed += 1;
    if (passed > page.skip + page.top) return { handles, more: true };
    if (passed > page.skip) handles.push(handle);
  }
  return { handles, more: false };
}

const STRIDE = 4096;

function* walkHandles({ index, from, to, descending }: Walk): Generator<Handle> {
  if (descending) {
    for (let at = to - 1; at >= from; at -= 1) yield index.at(at);
    return;
  }
  for (let at = from; at < to; at += STRIDE) {
    for (const slice of index.slices(at, Math.min(to, at + STRIDE))) {
      for (let n = slice.from; n < slice.to; n += 1) yield slice.leaf.handles[n] as Handle;
    }
  }
}

function sortPage(store: Store, handles: Handle[], keys: readonly OrderKey[], page: Page): Found {
  const sorted = handles.sort((a, b) => compareRows(store, keys, a, b));
  return {
    handles: sorted.slice(page.skip, page.skip + page.top),
    more: sorted.length > page.skip + page.top,
  };
}

function compareRows(store: Store, keys: readonly OrderKey[], a: Handle, b: Handle): number {
  for (const { name, descending } of keys) {
    const found =
      name === 'id' ? compareText(store.idKey(a), store.idKey(b)) : compareField(store, name, a, b);
    if (found !== 0) return descending ? -found : found;
  }
  // Ties go the way of the last key, as the index does.
  const found = compareText(store.idKey(a), store.idKey(b));
  return keys.at(-1)?.descending ? -found : found;
}

function compareField(store: Store, name: string, a: Handle, b: Handle): number {
  const isStamp = name === 'createdOn' || name === 'updatedOn';
  const read = (handle: Handle): unknown => {
    const value = isStamp ? store.stamp(handle, name) : fieldOf(store.row(handle), name);
    return typeof value === 'string' && (name === 'ownerId' || name === 'referredById')
      ? sortKeyOf(value, store.idOrder)
      : value;
  };
  const [left, right] = [read(a), read(b)];
  if (left === null || right === null) return Number(left !== null) - Number(right !== null);
  return (left as string) < (right as string) ? -1 : (left as string) > (right as string) ? 1 : 0;
}
