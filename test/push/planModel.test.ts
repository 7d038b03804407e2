/**
 * Runs the exhaustive model of one field (its states, steps and invariants stand at the head of model.ts): first with
 * the rules as they are, over every kind of source and policy; then with one rule taken away at a time, where the
 * search must find a history that breaks an invariant.
 */
import { describe, expect, it } from 'vitest';
import type { RemoteAnswer } from '../../src/push/plan.ts';
import { planPush } from '../../src/push/planPush.ts';
import { planSettle } from '../../src/push/planSettle.ts';
import { explore, FIELD, type Outcome, RULES, type Rules, type Server, type World } from './model.ts';

const SERVERS: readonly Server[] = [
  'plain',
  'lowercasing',
  'ignoring',
  'ignoring and stamping',
  'refusing B',
];

function world(change: Partial<World> = {}): World {
  const budgets = { edits: 2, writes: 1, mishaps: 1 };
  return { server: 'lowercasing', policy: 'remote', budgets, pushers: 1, lags: false, ...change };
}

/** Each world is explored once, whoever asks. */
const explored = new Map<string, Outcome>();
function exploreOnce(change: Partial<World> = {}): Outcome {
  const key = JSON.stringify(world(change));
  const outcome = explored.get(key) ?? explore(world(change));
  explored.set(key, outcome);
  return outcome;
}

describe('a push of one field, in every interleaving', () => {
  for (const policy of ['remote', 'local', 'manual'] as const) {
    it.each(SERVERS)(`loses nothing and comes to rest at a source that is %s, policy ${policy}`, (server) => {
      expect(exploreOnce({ server, policy })).toMatchObject({ trace: [], violation: null });
    });
  }

  it('loses nothing while two pushers race', () => {
    expect(exploreOnce({ pushers: 2 })).toMatchObject({ trace: [], violation: null });
  });

  it('loses nothing over three edits in a row', () => {
    const budgets = { edits: 3, writes: 1, mishaps: 1 };
    expect(exploreOnce({ budgets })).toMatchObject({ trace: [], violation: null });
  });

  it('loses nothing where a read may show the version before the last', () => {
    expect(exploreOnce({ lags: true })).toMatchObject({ trace: [], violation: null });
  });

  it('sees all that can become of an edit', () => {
    const seen = new Set<string>();
    const twice = { edits: 2, writes: 2, mishaps: 0 };
    for (const record of exploreOnce({ policy: 'manual', budgets: twice }).records) seen.add(record);
    for (const server of ['lowercasing', 'ignoring', 'refusing B'] as const) {
      for (const policy of ['remote', 'manual'] as const) {
        for (const record of exploreOnce({ server, policy }).records) seen.add(record);
      }
    }
    expect([...seen].sort()).toEqual([
      'closed: agreed',
      'closed: changed again',
      'closed: edited again',
      'closed: remote',
      'conflict: open',
      'conflict: overwritten',
      'conflict: remote',
      'conflict: rewritten',
      'edit: arrived',
      'edit: conflict',
      'edit: ignored',
      'edit: overwritten',
      'edit: refused',
      'edit: sent',
      'edit: superseded',
      'edit: undone',
    ]);
  });
});

function remoteValue(answer: RemoteAnswer): string {
  return answer.found ? String(answer.values[FIELD]) : '';
}

interface Mutant {
  readonly rule: string;
  readonly without: string;
  readonly breaks: string;
  readonly rules: Partial<Rules>;
  readonly world?: Partial<World>;
}

const MUTANTS: readonly Mutant[] = [
  {
    rule: '1, only the holder of the claim merges',
    without: 'a pull merges too',
    breaks: 'false conflict',
    rules: { pullLeavesDirtyRows: false },
  },
  {
    rule: '1, the merge stops if `_edits` moved',
    without: 'it does not look',
    breaks: 'replaced in silence',
    rules: { guardsEdits: false },
  },
  {
    rule: '1, the merge stops if `_revision` moved',
    without: 'it does not look',
    breaks: 'false conflict',
    rules: { guardsRevision: false },
    world: { pushers: 2 },
  },
  {
    rule: '1, one holder at a time, also at the settle',
    without: 'anybody may',
    breaks: 'false conflict',
    rules: { guardsClaim: false },
    world: { pushers: 2 },
  },
  {
    rule: '2, a field is merged against its base',
    without: 'the local value always wins',
    breaks: 'overrun',
    rules: {
      plan: (input) => {
        const base = Object.fromEntries(
          Object.keys(input.row.base).map((name) => [name, remoteValue(input.remote)]),
        );
        return planPush({ ...input, row: { ...input.row, base } });
      },
    },
  },
  {
    rule: '2, ≈ where the source writes a value its own way',
    without: 'equality',
    breaks: 'false conflict',
    rules: {
      plan: (input) => {
        const sent = (input.sent[FIELD] ?? []).filter((value) => value === remoteValue(input.remote));
        return planPush({ ...input, sent: { [FIELD]: sent } });
      },
    },
  },
  {
    rule: '2, an edit taken back after it was sent is sent as well',
    without: 'local = base always takes the remote value',
    breaks: 'lost',
    rules: {
      plan: (input) => {
        const isBack = input.row.values[FIELD] === input.row.base[FIELD];
        return planPush(isBack ? { ...input, sent: {} } : input);
      },
    },
  },
  {
    rule: '2, a value that the source wrote its own way is kept',
    without: 'no record',
    breaks: 'replaced in silence',
    rules: {
      settle: (input) => {
        const plan = planSettle(input);
        if (plan.kind === 'unproven') return plan;
        return { ...plan, records: plan.records.filter((record) => record.kind !== 'conflict') };
      },
    },
  },
  {
    rule: '3, the intent is written before the request',
    without: 'nobody knows what was sent',
    breaks: 'false conflict',
    rules: { keepsIntent: false },
  },
  {
    rule: '3, the deadline of the claim is checked right before the request',
    without: 'a sleeper sends what was overtaken',
    breaks: 'false conflict',
    rules: { checksDeadline: false },
    world: { pushers: 2 },
  },
  {
    rule: '3, a claim raises `_revision`',
    without: 'it may leave the row untouched',
    breaks: 'false conflict',
    rules: {
      plan: (input) => {
        const plan = planPush(input);
        if (plan.kind === 'older' || plan.row === null) return plan;
        return Object.keys(plan.row.values).length === 0 ? { ...plan, row: null } : plan;
      },
    },
    world: { pushers: 2 },
  },
  {
    rule: '4, the client is read back',
    without: 'what was sent is taken for what the source has',
    breaks: 'lost',
    rules: { readsBack: false },
    world: { server: 'ignoring' },
  },
  {
    rule: '4, an edit made meanwhile stays, with the read-back as its base',
    without: 'the row is clean',
    breaks: 'lost',
    rules: {
      settle: (input) => {
        const values = { ...input.row.values, ...input.intent.sent };
        return planSettle({ ...input, row: { ...input.row, values } });
      },
    },
  },
  {
    rule: '4, a value that the source kept makes a dead letter',
    without: 'it is taken for the answer',
    breaks: 'replaced in silence',
    rules: {
      settle: (input) => {
        const before = { ...input.intent.before, [FIELD]: 'something else' };
        const plan = planSettle({ ...input, intent: { ...input.intent, before } });
        if (plan.kind === 'unproven') return plan;
        return { ...plan, records: plan.records.filter((record) => record.kind !== 'conflict') };
      },
    },
    world: { server: 'ignoring' },
  },
  {
    rule: '6, a row with nothing but dead letters is parked',
    without: 'it stays in the queue',
    breaks: 'never rests',
    rules: {
      settle: (input) => {
        const plan = planSettle(input);
        if (plan.kind === 'unproven' || plan.row === null) return plan;
        return { ...plan, row: { ...plan.row, isParked: false } };
      },
      plan: (input) => {
        const plan = planPush(input);
        if (plan.kind === 'older' || plan.row === null) return plan;
        return { ...plan, row: { ...plan.row, isParked: false } };
      },
    },
    world: { server: 'refusing B' },
  },
];

describe('each rule of pushing', () => {
  it.each(MUTANTS)('$rule: without it ($without) an invariant breaks', (mutant) => {
    const outcome = explore(world(mutant.world), { ...RULES, ...mutant.rules });
    expect(outcome.violation, outcome.trace.join('; ')).toBe(mutant.breaks);
  });
});
