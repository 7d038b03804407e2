/**
 * Merges one client that was changed on both sides, field by field, against the state both last agreed on.
 *
 * The ladder, first rung that fits: remote = local → done; remote ≈ the local value as it was sent → done, the
 * source wrote it its own way; local = base → the source's value is taken; remote = base → the local one is sent;
 * remote ≈ something else that was sent → ours: send over it; else a conflict. An edit taken back after it was
 * sent is no "local = base", and no "remote = local" either where that is the base: the answer may be older than what
 * was sent. The source may have seen it, and must hear that it is gone. Pure: see mergedRow.
 */
import { FIELDS, type Field, fieldByName } from './fields.ts';
import { type ClientRecord, canonicalJson, type FieldValue } from './record.ts';

/** Canonical values by API name of the field. */
export type Values = Readonly<Record<string, FieldValue>>;

/** Who wins a field that was changed on both sides; `manual`: nobody, until a person says so. */
export type ConflictPolicy = 'remote' | 'local' | 'manual';

export interface MergeInput {
  /** The row's `_base`: only the locally changed fields, each with its value before the change. */
  readonly base: Values;
  /** The row's values now. */
  readonly local: Values;
  /** The source's values now. A field that it lacks (an excluded one) is left alone. */
  readonly remote: Values;
  /**
   * By field: the values that were sent, or were about to be, since the field was last clean. The newest
   * are in the intent of a push that never settled, older ones in the journal of edits.
   */
  readonly sent: Readonly<Record<string, readonly FieldValue[]>>;
  readonly policy: ConflictPolicy;
}

/** A field with three values, none of which may get lost. */
export interface ThreeValues {
  readonly field: string;
  readonly base: FieldValue;
  readonly local: FieldValue;
  readonly remote: FieldValue;
}

export interface FieldConflict extends ThreeValues {
  readonly winner: ConflictPolicy;
}

export interface Merge {
  /** Local values for the source; these fields stay dirty until a read-back shows them there. */
  readonly send: Values;
  /** The source's values for the row; these fields are clean afterwards. */
  readonly take: Values;
  /** Locally changed fields on which both sides agree; clean afterwards. May be in `take` for the spelling. */
  readonly done: readonly string[];
  /** New merge bases of fields that stay dirty. */
  readonly rebase: Values;
  readonly conflicts: readonly FieldConflict[];
  /** Done, but the source wrote the value its own way: `local` is what was sent, `remote` what became of it. */
  readonly rewrites: readonly ThreeValues[];
  /** The source has a value that was sent (`local`) and left since by the user, whose newest one is in `send`. */
  readonly arrived: readonly ThreeValues[];
}

/** A row's values and merge base; `base` is empty when the row is clean. */
export interface MergedRow {
  readonly values: Values;
  readonly base: Values;
}

/** Merges a row with the source's answer. What the row becomes is mergedRow's to say. */
export function mergeClient(input: MergeInput): Merge {
  const merge = { send: {}, take: {}, done: [], rebase: {}, conflicts: [], rewrites: [], arrived: [] };
  for (const field of FIELDS) {
    const remote = input.remote[field.name];
    if (remote === undefined) continue;
    const local = input.local[field.name] ?? null;
    const base = input.base[field.name];
    if (base !== undefined) mergeDirty(field, { field: field.name, base, local, remote }, input, merge);
    else if (local !== remote) put(merge.take, field.name, remote);
  }
  return merge;
}

/** The row as a merge leaves it. */
export function mergedRow(row: MergedRow, merge: Merge): MergedRow {
  const base: Record<string, FieldValue> = { ...row.base, ...merge.rebase };
  for (const field of [...merge.done, ...Object.keys(merge.take)]) delete base[field];
  return { values: { ...row.values, ...merge.take }, base };
}

interface Draft {
  readonly send: Record<string, FieldValue>;
  readonly take: Record<string, FieldValue>;
  readonly done: string[];
  readonly rebase: Record<string, FieldValue>;
  readonly conflicts: FieldConflict[];
  readonly rewrites: ThreeValues[];
  readonly arrived: ThreeValues[];
}

function mergeDirty(field: Field, three: ThreeValues, input: MergeInput, merge: Draft): void {
  const { field: name, base, local, remote } = three;
  const agrees = isSame(field, local, remote);
  const sent = (input.sent[name] ?? []).filter((value) => !isSame(field, value, base));
  const ours = sent.filter((value) => isAlike(field, value, remote));
  const isAsSent = ours.some((value) => isSame(field, value, local)) && !isSame(field, remote, base);
  const isTakenBack = agrees && isSame(field, remote, base) && sent.length > 0;
  if (isTakenBack) {
    put(merge.send, name, local);
  } else if (agrees || isAsSent) {
    merge.done.push(name);
    // The source's spelling (a uuid's case, the order of JSON keys, a trimmed text) is the row's from now on.
    if (local !== remote) put(merge.take, name, remote);
    if (!agrees) merge.rewrites.push(three);
  } else if (isSame(field, local, base) && sent.length === 0) {
    put(merge.take, name, remote);
  } else if (isSame(field, remote, base)) {
    put(merge.send, name, local);
  } else if (ours.length > 0) {
    put(merge.rebase, name, remote);
    put(merge.send, name, local);
    merge.arrived.push({ ...three, local: ours.at(-1) ?? null });
  } else {
    settleConflict(three, input.policy, merge);
  }
}

function settleConflict(three: ThreeValues, winner: ConflictPolicy, merge: Draft): void {
  merge.conflicts.push({ ...three, winner });
  if (winner === 'remote') {
    put(merge.take, three.field, three.remote);
    return;
  }
  put(merge.rebase, three.field, three.remote);
  if (winner === 'local') put(merge.send, three.field, three.local);
}

function put(values: Record<string, FieldValue>, field: string, value: FieldValue): void {
  values[field] = value;
}

/** A record's values by name, without the excluded fields. */
export function valuesOf(record: ClientRecord, excluded: ReadonlySet<string>): Values {
  const values: Record<string, FieldValue> = {};
  FIELDS.forEach((field, index) => {
    if (!excluded.has(field.name)) values[field.name] = record.values[index] ?? null;
  });
  return values;
}

/** Do two values mean the same? Uuids compare without case, `json` as parsed JSON, the rest exactly. */
export function isSame(field: Field, a: FieldValue, b: FieldValue): boolean {
  if (a === b) return true;
  if (typeof a !== 'string' || typeof b !== 'string') return false;
  if (field.type === 'uuid') return a.toLowerCase() === b.toLowerCase();
  return field.type === 'json' && canonicalText(a) === canonicalText(b);
}

/** isSame for a field by its API name. */
export function isSameValue(name: string, a: FieldValue, b: FieldValue): boolean {
  return isSame(knownField(name), a, b);
}

/** isAlike for a field by its API name. */
export function isAlikeValue(name: string, a: FieldValue, b: FieldValue): boolean {
  return isAlike(knownField(name), a, b);
}

/**
 * ≈: may `b` be what a server makes of `a`, or the reverse? Servers trim, change case and round: case, outer
 * white space and a relative difference of 1e-14 do not count; in `json` also not a null where nothing was.
 */
export function isAlike(field: Field, a: FieldValue, b: FieldValue): boolean {
  if (isSame(field, a, b)) return true;
  if (field.type !== 'json' || typeof a !== 'string' || typeof b !== 'string') return isAlikePlain(a, b);
  const [parsedA, parsedB] = [parsed(a), parsed(b)];
  return parsedA !== undefined && parsedB !== undefined && isAlikePlain(parsedA, parsedB);
}

/** Fifteen to sixteen digits survive a double's journey through decimal text; one more may be rounded away. */
const RELATIVE_MAX = 1e-14;

function isAlikePlain(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a === 'string' && typeof b === 'string') return folded(a) === folded(b);
  if (typeof a === 'number' && typeof b === 'number') {
    return Math.abs(a - b) <= RELATIVE_MAX * Math.max(Math.abs(a), Math.abs(b));
  }
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [left, right] = [new Map(Object.entries(a)), new Map(Object.entries(b))];
  const keys = new Set([...left.keys(), ...right.keys()]);
  return [...keys].every((key) => isAlikePlain(left.get(key) ?? null, right.get(key) ?? null));
}

function folded(text: string): string {
  // Upper case first: it spells out what lower case keeps apart (ß and ss).
  return text.trim().toUpperCase().toLowerCase();
}

function canonicalText(json: string): string {
  const value = parsed(json);
  return value === undefined ? json : canonicalJson(value);
}

/** undefined: not JSON. */
function parsed(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return undefined;
  }
}

function knownField(name: string): Field {
  const field = fieldByName(name);
  if (field === undefined) throw new Error(`no field ${name}`);
  return field;
}

/** A row's values without those that are not there. */
export function present(values: Values): Values {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
}
