/** What goes wrong in a simulated life: habits of the server that last, and faults that change from round to round. */
import type { Faults } from '../../src/simulator/faults.ts';
import type { Chance } from './chance.ts';

export interface Habits {
  readonly faults: Faults;
  /** Changes at the source become visible up to so late; 0: never late. */
  readonly lateMs: number;
  /** Reads may answer from the table as it was up to so long ago. */
  readonly staleMs: number;
  /** Rows that cannot be mirrored turn up. */
  readonly spoils: boolean;
  /** In each round little is heard of what was written, and what is read is old. */
  readonly haunted: boolean;
}

const NORMALISED = {
  email: 'lower',
  lastName: 'trim',
  totalIncome: 'round',
  fax: 'keep',
  workPhone: 'trim',
} as const;
const REFUSED = { firstName: 422, homePhone: 400, fico: 422, email: 400 } as const;

const subset = <T>(chance: Chance, all: Readonly<Record<string, T>>, probability: number) =>
  Object.fromEntries(chance.some(Object.entries(all), probability));

export function drawHabits(chance: Chance): Habits {
  const lateMs = chance.of([0, 0, 20_000]);
  const faults: Faults = {
    normalise: subset(chance, NORMALISED, 0.3),
    refuseFields: subset(chance, REFUSED, 0.2),
    ...(chance.is(0.3) ? { etag: true } : {}),
    ...(chance.is(0.2) ? { extraField: { name: 'nickname', value: 'Jo' } } : {}),
    ...(lateMs > 0 ? { lateCommits: { maxMs: lateMs, probability: 0.3 } } : {}),
  };
  return { faults, lateMs, staleMs: 20_000, spoils: chance.is(0.2), haunted: chance.is(0.15) };
}

const GHOSTS: Faults = {
  lostAnswer: { probability: 0.5, on: ['write'] },
  stale: { probability: 0.8, maxMs: 20_000, on: ['list', 'get'] },
};

/** Faults of one round: none, a few, or many. */
export function drawFaults(chance: Chance, ids: readonly string[], { haunted }: Habits): Faults {
  if (haunted) return GHOSTS;
  const share = chance.of([0, 0.03, 0.05, 0.15]);
  if (share === 0) return {};
  const strike = () => ({ probability: share });
  const single: Record<string, () => Faults> = {
    latency: () => ({ latency: { ...strike(), ms: 1, jitterMs: 3 } }),
    throttle: () => ({
      throttle: {
        ...strike(),
        seconds: chance.of([1, 5]),
        retryAfter: chance.of(['seconds', 'date', 'none']),
      },
    }),
    serverError: () => ({ serverError: { ...strike(), status: chance.of([500, 502, 503, 504]) } }),
    resetBefore: () => ({ resetBefore: strike() }),
    unauthorized: () => ({ unauthorized: strike() }),
    lostAnswer: () => ({
      lostAnswer: { probability: share * 2, ...(chance.is(0.5) ? { on: ['write'] as const } : {}) },
    }),
    resetAfter: () => ({ resetAfter: strike() }),
    tornJson: () => ({ tornJson: strike() }),
    cutShort: () => ({ cutShort: strike() }),
    html: () => ({ html: strike() }),
    wrongType: () => ({ wrongType: strike() }),
    slowBody: () => ({ slowBody: { ...strike(), ms: 2 } }),
    hugeBody: () => ({ hugeBody: { ...strike(), bytes: 400_000 } }),
    stale: () => ({ stale: { probability: share * 3, maxMs: 20_000 } }),
    drift: () => ({ drift: { ...strike(), inserts: 0.2, updates: 3, removes: 0.2 } }),
  };
  const rare: Record<string, () => Faults> = {
    denyLists: () => ({ denyLists: { times: 3, after: chance.below(6), status: chance.of([403, 404]) } }),
    denyClients: () => ({ denyClients: chance.some(ids, 0.2) }),
    redirect: () => ({ redirect: { times: 1, after: chance.below(6), to: 'http://127.0.0.1:9' } }),
    refuseSelect: () => ({ refuseSelect: chance.is(0.5) ? true : ['fax'] }),
    ignoreSelect: () => ({ ignoreSelect: true }),
    ignoreFilter: () => ({ ignoreFilter: true }),
    ignoreOrderby: () => ({ ignoreOrderby: true }),
    ignoreSkip: () => ({ ignoreSkip: true }),
    down: () => ({ serverError: { probability: 1, after: chance.below(10), times: 40 } }),
    silent: () => ({ lostAnswer: { probability: 1, on: ['write'], after: chance.below(2), times: 12 } }),
  };
  const chosen = chance.some(Object.values(single), chance.of([0.15, 0.5]));
  if (chance.is(0.35)) chosen.push(chance.of(Object.values(rare)));
  return Object.assign({}, ...chosen.map((make) => make())) as Faults;
}
