/**
 * An exhaustive model of one field of one client: every interleaving of everybody who can touch it, tried breadth
 * first with the real planPush, planSettle, openEdits (and, through them, mergeClient).
 *
 * A state is
 * - the warehouse: the row's `local` value, `base` (null: clean), `stamp` (its updatedOn), whether it is `parked`
 *   and `listed` in mirror_refetch; the journal's open entries (`sent`, `refused`); the open conflict (`disputed`);
 * - the source: `value`, `at` (its updatedOn);
 * - one or two pushers, alike, each at one of these places, with or without the row's claim (`holds`):
 *     idle → row (the row is read) → read (the source has answered) → claimed (the claim is committed, the intent
 *     with it) → patched (the source has acted) → readBack → (the settle is committed) idle;
 * - one puller: idle → answer in hand → idle. Its answer may be as old as can be when it is committed;
 * - what is left of three budgets: `edits` of the user (B, C, or back to a), `writes` of another writer (d, or back
 *   to a), `mishaps`: a pusher dies anywhere (a lost answer is a death right after the PATCH), or its claim runs
 *   out while it sleeps, or a read comes from an instance that lags one version behind;
 * - ghosts, which only the invariants see: `want` = the user's newest acknowledged value as long as it is neither at
 *   the source nor on record (an edit taken back before the source had seen it wants nothing); `delivered` = that
 *   value once it has reached the source; `applied` = when the source took a value of this chain of edits that the
 *   mirror has not heard of, or 0; `seen` = the stamp up to which the merge base knows the source; `foreign` = the
 *   stamps of the other writer's changes.
 * A commit, a request and the source's act are one step each; between any two of them anybody may do anything.
 *
 * The source is plain; or writes all in lower case; or ignores what it is sent, stamping or not; or refuses B.
 *
 * Invariants: (lost) what the user wants is in the row with a merge base, until the source shows it or a conflict or
 * a dead letter keeps it; (replaced in silence) a value of the user's that gives way in the row is on record; (false
 * conflict) a conflict, an overtaken edit and a dead letter each need somebody who did it; (overrun) a change of the
 * other writer that a pusher has seen is overwritten only with a conflict on record; (rest) from every state, with
 * users and mishaps still, the system comes to rest by itself, and at rest the row equals the source or waits,
 * parked, for a person who can see why.
 */
import { type ConflictPolicy, isAlikeValue, type Values } from '../../src/clients/merge.ts';
import { type EditEntry, openEdits } from '../../src/push/journal.ts';
import type { Intent, RecordWrite, RemoteAnswer, RowState, RowWrite } from '../../src/push/plan.ts';
import { type PushInput, type PushPlan, planPush } from '../../src/push/planPush.ts';
import { planSettle, type SettleInput, type SettlePlan } from '../../src/push/planSettle.ts';

export const FIELD = 'source';
type Value = string;
export type Server = 'plain' | 'lowercasing' | 'ignoring' | 'ignoring and stamping' | 'refusing B';

interface Answer {
  readonly value: Value;
  readonly at: number;
}
interface Row {
  readonly local: Value;
  readonly base: Value | null;
  readonly stamp: number;
  readonly parked: boolean;
  readonly sent: readonly Value[];
  readonly refused: Value | null;
  readonly disputed: Value | null;
}
type Pusher =
  | { readonly pc: 'idle' | 'vain'; readonly holds: boolean }
  | {
      readonly pc: 'row' | 'read';
      readonly holds: boolean;
      readonly row: Row;
      readonly moved: Moved;
      readonly answer: Answer | null;
    }
  | { readonly pc: 'claimed'; readonly holds: boolean; readonly intent: Intent; readonly readAt: number }
  | Patched;
interface Patched {
  readonly pc: 'patched' | 'readBack';
  readonly holds: boolean;
  readonly intent: Intent;
  readonly readAt: number;
  readonly refused: boolean;
  readonly isLastRead: boolean;
  readonly answer: Answer | null;
}
/** What of a row that was read has moved since. */
interface Moved {
  readonly edits: boolean;
  readonly revision: boolean;
}
interface State {
  readonly row: Row;
  readonly listed: boolean;
  readonly source: Answer;
  readonly previous: Answer;
  readonly pushers: readonly Pusher[];
  readonly puller: Answer | null;
  readonly edits: number;
  readonly writes: number;
  readonly mishaps: number;
  readonly want: Value | null;
  readonly applied: number;
  readonly delivered: Value | null;
  readonly seen: number;
  readonly foreign: readonly number[];
}

/** The rules of pushing, each to be taken away. */
export interface Rules {
  readonly pullLeavesDirtyRows: boolean;
  readonly guardsEdits: boolean;
  readonly guardsRevision: boolean;
  readonly guardsClaim: boolean;
  readonly checksDeadline: boolean;
  readonly keepsIntent: boolean;
  readonly readsBack: boolean;
  readonly plan: (input: PushInput) => PushPlan;
  readonly settle: (input: SettleInput) => SettlePlan;
}
export const RULES: Rules = {
  pullLeavesDirtyRows: true,
  guardsEdits: true,
  guardsRevision: true,
  guardsClaim: true,
  checksDeadline: true,
  keepsIntent: true,
  readsBack: true,
  plan: planPush,
  settle: planSettle,
};

export interface World {
  readonly server: Server;
  readonly policy: ConflictPolicy;
  readonly budgets: { readonly edits: number; readonly writes: number; readonly mishaps: number };
  readonly pushers: 1 | 2;
  /** Do reads now and then show the version before the last? Then both values are kept, but a conflict may be false. */
  readonly lags: boolean;
}

class Violation extends Error {}
const IDLE: Pusher = { pc: 'idle', holds: false };
const VAIN: Pusher = { pc: 'vain', holds: false };

function beginning(world: World): State {
  const source = { value: 'a', at: 1 };
  return {
    row: { local: 'a', base: null, stamp: 1, parked: false, sent: [], refused: null, disputed: null },
    listed: false,
    source,
    previous: source,
    pushers: Array.from({ length: world.pushers }, () => IDLE),
    puller: null,
    ...world.budgets,
    want: null,
    delivered: null,
    applied: 0,
    seen: 1,
    foreign: [],
  };
}

// --- what the real functions are given, and what is made of their plans ---

function rowState(row: Row): RowState {
  return {
    values: { [FIELD]: row.local, updatedOn: stampText(row.stamp) },
    extra: null,
    base: (row.base === null ? {} : { [FIELD]: row.base }) as Values,
    isParked: row.parked,
    isDeleted: false,
  };
}
function remoteAnswer(answer: Answer): RemoteAnswer {
  return { found: true, values: { [FIELD]: answer.value, updatedOn: stampText(answer.at) }, extra: null };
}
function held(row: Row): PushInput['held'] {
  return {
    refused: (row.refused === null ? {} : { [FIELD]: row.refused }) as Values,
    disputed: (row.disputed === null ? {} : { [FIELD]: row.disputed }) as Values,
  };
}
const stampText = (at: number): string => String(at).padStart(3, '0');
const isAlike = (a: Value, b: Value): boolean => isAlikeValue(FIELD, a, b);

function written(row: Row, write: RowWrite | null): Row {
  if (write === null) return row;
  return {
    ...row,
    local: (write.values[FIELD] ?? row.local) as Value,
    base: (write.base[FIELD] ?? null) as Value | null,
    stamp: write.values.updatedOn === undefined ? row.stamp : Number(write.values.updatedOn),
    parked: write.isParked,
  };
}

/** The row's journal and conflicts after the records; which of the user's values they keep. */
function recorded(row: Row, records: readonly RecordWrite[], rules: Rules): Row {
  const entries: EditEntry[] = row.sent.map((value) => ({ field: FIELD, value, outcome: 'sent' }));
  if (row.refused !== null) entries.push({ field: FIELD, value: row.refused, outcome: 'refused' });
  let disputed = row.disputed;
  for (const record of records) {
    if (record.kind === 'edit') {
      if (record.outcome !== 'sent' || rules.keepsIntent) entries.push(record);
    } else if (record.kind === 'conflict') {
      if (record.resolution === null) disputed = record.local as Value;
    } else disputed = null;
  }
  const open = openEdits(entries);
  const sent = [...new Set(open.sent[FIELD] ?? [])].sort() as Value[];
  return { ...row, sent, refused: (open.refused[FIELD] ?? null) as Value | null, disputed };
}

// --- the steps ---

interface Step {
  readonly name: string;
  readonly next: State;
  /** The system's own doing: what still happens when users, writers and mishaps have ceased. */
  readonly isOwn: boolean;
}

function steps(state: State, world: World, rules: Rules): Step[] {
  const found: Step[] = [];
  const add = (name: string, next: State, isOwn: boolean) => {
    check(next);
    found.push({ name, next, isOwn });
  };
  if (state.edits > 0) {
    for (const value of ['a', 'B', 'C']) {
      if (value !== state.row.local) add(`user writes ${value}`, userWrites(state, value, rules), false);
    }
  }
  if (state.writes > 0) {
    for (const value of ['a', 'd']) {
      if (value !== state.source.value) add(`another writes ${value}`, anotherWrites(state, value), false);
    }
  }
  pullerSteps(state, world, rules, add);
  state.pushers.forEach((pusher, index) => {
    // Two idle pushers are the same: one of them may start.
    if (pusher.pc === 'idle' && index === 1 && state.pushers[0]?.pc === 'idle') return;
    pusherSteps({ state, index, world, rules, add });
    if (state.mishaps > 0 && pusher.pc !== 'idle') {
      const fewer = { ...state, mishaps: state.mishaps - 1 };
      add(`pusher ${index} dies`, place(fewer, index, IDLE), false);
      if (pusher.holds)
        add(`claim ${index} runs out`, place(fewer, index, { ...pusher, holds: false }), false);
    }
  });
  return found;
}
type Add = (name: string, next: State, isOwn: boolean) => void;

function place(state: State, index: number, pusher: Pusher): State {
  return { ...state, pushers: state.pushers.map((other, at) => (at === index ? pusher : other)) };
}

/** Tells all who have read the row that it moved. Where that is guarded, whatever they have read is in vain. */
function moved(state: State, what: keyof Moved, rules: Rules): State {
  const isGuarded = what === 'edits' ? rules.guardsEdits : rules.guardsRevision;
  const pushers = state.pushers.map((pusher): Pusher => {
    if (pusher.pc !== 'row' && pusher.pc !== 'read') return pusher;
    return isGuarded ? VAIN : { ...pusher, moved: { ...pusher.moved, [what]: true } };
  });
  return { ...state, pushers };
}

function userWrites(state: State, value: Value, rules: Rules): State {
  const applied = state.row.base === null ? 0 : state.applied;
  const row = { ...state.row, local: value, base: state.row.base ?? state.row.local, parked: false };
  const want = value === row.base && applied === 0 ? null : value;
  return moved({ ...state, row, applied, want, delivered: null, edits: state.edits - 1 }, 'edits', rules);
}

function anotherWrites(state: State, value: Value): State {
  const at = state.source.at + 1;
  const source = { value, at };
  return {
    ...state,
    source,
    previous: state.source,
    foreign: [...state.foreign, at],
    writes: state.writes - 1,
  };
}

/** The source's answers that a read may get; the second is a mishap. */
function reads(state: State, world: World): { answer: Answer; isOwn: boolean; left: number }[] {
  const now = { answer: state.source, isOwn: true, left: state.mishaps };
  if (!world.lags || state.mishaps === 0 || state.previous.at === state.source.at) return [now];
  return [now, { answer: state.previous, isOwn: false, left: state.mishaps - 1 }];
}

function pullerSteps(state: State, world: World, rules: Rules, add: Add): void {
  const { puller, row } = state;
  if (puller === null) {
    if (state.source.at > row.stamp && !state.listed)
      add('pull reads', { ...state, puller: state.source }, true);
    return;
  }
  const back = { ...state, puller: null };
  if (row.base === null) {
    if (puller.at <= row.stamp) add('pull finds nothing new', back, true);
    else {
      const next = { ...back, row: { ...row, local: puller.value, stamp: puller.at }, seen: puller.at };
      add(`pull takes ${puller.value}`, moved(next, 'revision', rules), true);
    }
  } else if (rules.pullLeavesDirtyRows) {
    add('pull lists the row', { ...back, listed: state.listed || puller.at > row.stamp }, true);
  } else {
    const plan = rules.plan(pushInput(row, puller, world));
    if (plan.kind === 'merge') add('pull merges', claim(back, { plan, answer: puller, world, rules }), true);
    else add('pull finds nothing new', back, true);
  }
}

function pushInput(row: Row, answer: Answer, world: World): PushInput {
  return {
    row: rowState(row),
    remote: remoteAnswer(answer),
    sent: { [FIELD]: row.sent },
    held: held(row),
    policy: world.policy,
    sends: true,
    believed: false,
  };
}

interface Turn {
  readonly state: State;
  readonly index: number;
  readonly world: World;
  readonly rules: Rules;
  readonly add: Add;
}

function pusherSteps({ state, index, world, rules, add }: Turn): void {
  const pusher = state.pushers[index] ?? IDLE;
  const isHeld = state.pushers.some((other) => other.holds);
  const go = (name: string, next: State, isOwn = true) => add(`pusher ${index} ${name}`, next, isOwn);
  if (pusher.pc === 'idle') {
    const isDue = state.row.base !== null && (!state.row.parked || state.listed);
    if (!isDue || (isHeld && rules.guardsClaim)) return;
    const still = { edits: false, revision: false };
    go(
      'reads the row',
      place(state, index, { pc: 'row', holds: false, row: state.row, moved: still, answer: null }),
    );
  } else if (pusher.pc === 'vain') {
    go('lets go', place(state, index, IDLE));
  } else if (pusher.pc === 'row') {
    for (const { answer, isOwn, left } of reads(state, world)) {
      go(
        `reads ${answer.value}`,
        place({ ...state, mishaps: left }, index, { ...pusher, pc: 'read', answer }),
        isOwn,
      );
    }
  } else if (pusher.pc === 'read') {
    const answer = pusher.answer ?? state.source;
    const isTaken = rules.guardsClaim && isHeld;
    const plan: PushPlan = isTaken ? { kind: 'older' } : rules.plan(pushInput(pusher.row, answer, world));
    if (plan.kind === 'older') {
      go('lets go', place(state, index, IDLE));
      return;
    }
    const next = place(claim(state, { plan, answer, world, rules }), index, IDLE);
    const { intent } = plan;
    if (intent === null) go('merges', next);
    else go('claims', place(next, index, { pc: 'claimed', holds: true, intent, readAt: answer.at }));
  } else if (pusher.pc === 'claimed') {
    const patched = { ...pusher, pc: 'patched', refused: false, isLastRead: false, answer: null } as const;
    const value = pusher.intent.sent[FIELD] as Value;
    if (rules.checksDeadline && !pusher.holds) {
      go('is too late', place(state, index, IDLE));
    } else if (world.server === 'refusing B' && value === 'B') {
      go('is refused', place(state, index, { ...patched, refused: true }));
    } else {
      go(`patches ${value}`, place(patch(state, value, world.server), index, patched));
    }
  } else if (pusher.pc === 'patched') {
    const value = pusher.intent.sent[FIELD] as Value;
    const assumed = { value, at: state.source.at };
    for (const { answer, isOwn, left } of reads(state, world)) {
      const seen = rules.readsBack ? answer : assumed;
      go(
        `reads back ${seen.value}`,
        place({ ...state, mishaps: left }, index, { ...pusher, pc: 'readBack', answer: seen }),
        isOwn,
      );
    }
  } else if (pusher.pc === 'readBack') settleStep({ state, index, world, rules, add }, pusher);
}

function patch(state: State, value: Value, server: Server): State {
  if (server === 'ignoring') return state;
  const at = state.source.at + 1;
  if (server === 'ignoring and stamping') {
    return { ...state, source: { ...state.source, at }, previous: state.source };
  }
  const stored = server === 'lowercasing' ? value.toLowerCase() : value;
  const source = { value: stored, at };
  const moves = { ...state, source, previous: state.source };
  // A late PATCH may undo what was there already.
  if (state.row.base === null) return { ...moves, want: state.delivered === value ? null : state.delivered };
  // From now on the source has seen this chain of edits; what the user has written since must follow.
  if (state.row.local !== value) return { ...moves, applied: at, want: state.row.local };
  return { ...moves, applied: at, want: null, delivered: value };
}

/** A user's value that gives way to another one is on record. */
function checkReplaced(row: Row, next: Row, records: readonly RecordWrite[]): void {
  const isReplaced = row.base !== null && row.local !== row.base && next.local !== row.local;
  if (isReplaced && keeps(row.local, records) !== null) throw new Violation('replaced in silence');
}

function keeps(want: Value | null, records: readonly RecordWrite[]): Value | null {
  const isKept = records.some(
    (record) =>
      (record.kind === 'conflict' && record.local === want) ||
      (record.kind === 'edit' && ['refused', 'ignored'].includes(record.outcome) && record.value === want),
  );
  return isKept ? null : want;
}

interface Claim {
  readonly plan: Extract<PushPlan, { kind: 'merge' }>;
  readonly answer: Answer;
  readonly world: World;
  readonly rules: Rules;
}
function claim(state: State, { plan, answer, world, rules }: Claim): State {
  const { row } = state;
  const isForeign = state.foreign.some((at) => at > state.seen && at <= answer.at);
  const conflicts = plan.records.filter(
    (record) => record.kind === 'conflict' && record.resolution !== 'rewritten',
  );
  if (conflicts.length > 0 && !isForeign && !world.lags) throw new Violation('false conflict');
  const isOurs = answer.value === row.base || row.sent.some((value) => isAlike(value, answer.value));
  if (plan.intent && isForeign && !isOurs && conflicts.length === 0) throw new Violation('overrun');
  const next = recorded(written(row, plan.row), plan.records, rules);
  checkReplaced(row, next, plan.records);
  let want = keeps(state.want, plan.records);
  if (want !== null && isAlike(want, answer.value)) want = null;
  const listed = false;
  const applied = state.applied > answer.at ? state.applied : 0;
  const after = { ...state, row: next, want, listed, seen: answer.at, applied };
  return plan.row === null ? after : moved(after, 'revision', rules);
}

function settleStep(turn: Turn, pusher: Patched): void {
  const { state, index, world, rules, add } = turn;
  const go = (name: string, next: State) => add(`pusher ${index} ${name}`, next, true);
  if (rules.guardsClaim && !pusher.holds) {
    go('has lost its claim', place(state, index, IDLE));
    return;
  }
  const answer = pusher.answer ?? state.source;
  const plan = rules.settle({
    intent: pusher.intent,
    row: rowState(state.row),
    readBack: remoteAnswer(answer),
    refused: pusher.refused ? { [FIELD]: 'no B please' } : {},
    held: held(state.row),
    isLastRead: pusher.isLastRead,
  });
  if (plan.kind === 'unproven') {
    const again = { ...pusher, pc: 'patched', isLastRead: true, answer: null } as const;
    if (pusher.isLastRead) go('gives up', place(state, index, IDLE));
    else go('reads again', place(state, index, again));
    return;
  }
  const isForeign = state.foreign.some((at) => at > pusher.readAt);
  const isIgnoring = world.server.startsWith('ignoring') || pusher.refused;
  for (const record of plan.records) {
    if (isForeign || world.lags) break;
    if (record.kind === 'conflict' && record.resolution === 'overwritten')
      throw new Violation('false conflict');
    if (record.kind === 'edit' && record.outcome === 'ignored' && !isIgnoring) {
      throw new Violation('false dead letter');
    }
  }
  const row = recorded(written(state.row, plan.row), plan.records, rules);
  checkReplaced(state.row, row, plan.records);
  let want = keeps(state.want, plan.records);
  if (want !== null && isAlike(want, answer.value) && rules.readsBack) want = null;
  const knows = row.base === null || isAlike(row.base, answer.value);
  const seen = knows ? answer.at : state.seen;
  const after = {
    ...state,
    row,
    want,
    seen,
    applied: state.applied > answer.at ? state.applied : 0,
    listed: state.listed && row.base !== null,
  };
  go('settles', place(moved(after, 'revision', rules), index, IDLE));
}

// --- the search ---

function check(state: State): void {
  const { want, row } = state;
  if (want !== null && (row.base === null || row.local !== want)) throw new Violation('lost');
}

function checkRest(state: State): void {
  const { row, source, pushers } = state;
  const isEqual = row.base === null && row.local === source.value && row.stamp === source.at;
  const isWaiting =
    row.base !== null &&
    row.parked &&
    [row.refused, row.disputed].includes(row.local) &&
    row.stamp === source.at;
  if (!pushers.every(({ pc }) => pc === 'idle')) throw new Violation('stuck');
  if (!isEqual && !isWaiting) throw new Violation('rests and differs');
}

/** Equal for states that differ in nothing but which pusher is which, and how far stamps lie apart. */
function keyOf(state: State, world: World): string {
  const { row, source, previous, puller, pushers } = state;
  const oldest = Math.min(state.seen, ...pushers.map((pusher) => ('readAt' in pusher ? pusher.readAt : 99)));
  const foreign = state.foreign.filter((at) => at > oldest);
  let mask = 0;
  const mark = (at: number) => {
    mask |= 1 << at;
  };
  [row.stamp, source.at, state.seen, state.applied, ...foreign].forEach(mark);
  if (world.lags) mark(previous.at);
  if (puller) mark(puller.at);
  for (const pusher of pushers) {
    if ('row' in pusher) mark(pusher.row.stamp);
    if ('readAt' in pusher) mark(pusher.readAt);
    if ('answer' in pusher && pusher.answer) mark(pusher.answer.at);
  }
  const rank = (at: number): number => bits(mask & ((1 << at) - 1));
  const answerKey = (answer: Answer | null) => (answer ? answer.value + rank(answer.at) : '-');
  const rowKey = ({ local, base, stamp, parked, sent, refused, disputed }: Row) =>
    `${local}${base}${rank(stamp)}${parked ? 'p' : ''}${sent.join('')}/${refused}${disputed}`;
  const pusherKey = (pusher: Pusher) => {
    const head = pusher.pc + (pusher.holds ? '!' : '');
    if ('row' in pusher) {
      const { edits, revision } = pusher.moved;
      return `${head}${rowKey(pusher.row)}${edits ? 'e' : ''}${revision ? 'r' : ''}${answerKey(pusher.answer)}`;
    }
    if (!('readAt' in pusher)) return head;
    const intent = `${head}${pusher.intent.sent[FIELD]}${pusher.intent.before[FIELD]}${rank(pusher.readAt)}`;
    if (!('refused' in pusher)) return intent;
    return `${intent}${pusher.refused ? 'x' : ''}${pusher.isLastRead ? 'l' : ''}${answerKey(pusher.answer)}`;
  };
  return [
    rowKey(row),
    state.listed ? 'L' : '',
    answerKey(source),
    world.lags ? answerKey(previous) : '',
    answerKey(puller),
    `${state.edits}${state.writes}${state.mishaps}${state.want}${state.delivered}${rank(state.applied)}${rank(state.seen)}`,
    foreign.map(rank).join(''),
    ...pushers.map(pusherKey).sort(),
  ].join(' ');
}

function bits(mask: number): number {
  let count = 0;
  for (let left = mask; left !== 0; left &= left - 1) count += 1;
  return count;
}

export interface Outcome {
  readonly states: number;
  /** null: every invariant holds in every state. */
  readonly violation: string | null;
  readonly trace: readonly string[];
  /** Kinds of records that were written somewhere, so that no proof is empty. */
  readonly records: ReadonlySet<string>;
}

const STATES_MAX = 2_000_000;

/** Tries everything that can happen in a world under the rules; stops at the first invariant that breaks. */
export function explore(world: World, rules: Rules = RULES): Outcome {
  const first = beginning(world);
  const ids = new Map([[keyOf(first, world), 0]]);
  const states = [first];
  const parents: { from: number; name: string }[] = [{ from: -1, name: '' }];
  const own: number[][] = [];
  const records = new Set<string>();
  const watched: Rules = {
    ...rules,
    plan: (input) => noted(rules.plan(input), records),
    settle: (input) => noted(rules.settle(input), records),
  };
  const trace = (id: number): string[] => {
    const names: string[] = [];
    for (let at = id; at > 0; at = parents[at]?.from ?? 0) names.unshift(parents[at]?.name ?? '');
    return names;
  };
  for (let id = 0; id < states.length; id += 1) {
    const state = states[id] as State;
    try {
      if (states.length > STATES_MAX) throw new Violation('too many states');
      const found = steps(state, world, watched);
      own[id] = [];
      for (const { name, next, isOwn } of found) {
        const key = keyOf(next, world);
        let to = ids.get(key);
        if (to === undefined) {
          to = states.length;
          ids.set(key, to);
          states.push(next);
          parents.push({ from: id, name });
        }
        if (isOwn) own[id]?.push(to);
      }
      if (own[id]?.length === 0) checkRest(state);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      return { states: states.length, violation: error.message, trace: trace(id), records };
    }
  }
  const spinning = findCycle(own);
  const violation = spinning === null ? null : 'never rests';
  return { states: states.length, violation, trace: spinning === null ? [] : trace(spinning), records };
}

function noted<P extends PushPlan | SettlePlan>(plan: P, seen: Set<string>): P {
  for (const record of 'records' in plan ? plan.records : []) {
    if (record.kind === 'edit') seen.add(`edit: ${record.outcome}`);
    else if (record.kind === 'conflict') seen.add(`conflict: ${record.resolution ?? 'open'}`);
    else seen.add(`closed: ${record.resolution}`);
  }
  return plan;
}

/** A state from which the system's own steps lead back to it. */
function findCycle(edges: readonly (readonly number[])[]): number | null {
  const left = new Uint32Array(edges.length);
  const into: number[][] = edges.map(() => []);
  edges.forEach((targets, from) => {
    left[from] = targets.length;
    for (const to of targets) into[to]?.push(from);
  });
  // Peels off the states at rest, then those that only lead there, and so on; what is left goes in circles.
  const peeled = [...left.keys()].filter((id) => left[id] === 0);
  for (let at = 0; at < peeled.length; at += 1) {
    for (const from of into[peeled[at] as number] ?? []) {
      left[from] = (left[from] as number) - 1;
      if (left[from] === 0) peeled.push(from);
    }
  }
  if (peeled.length === edges.length) return null;
  return left.findIndex((count) => count > 0);
}
