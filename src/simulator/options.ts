/**
 * The simulator on a command line: one row an option, from which the command, its help and its checks are made.
 * What only a test can want (hooks, clocks, broken rows) is not here.
 */
import type { Faults } from './faults.ts';
import type { SimulatorOptions } from './simulator.ts';

/** `count`: a whole number from 0; `share`: 0 to 1; `flag`: there or not; `choice`: one of `choices`. */
type SimulateOptionKind = 'count' | 'share' | 'flag' | 'choice' | 'text';

export type SimulateValue = number | boolean | string;

export interface SimulateOption {
  /** The long option, without its dashes. */
  readonly name: string;
  readonly kind: SimulateOptionKind;
  /** What help calls the value; null for a flag. */
  readonly placeholder: string | null;
  /** undefined: nothing unless given. */
  readonly default: SimulateValue | undefined;
  readonly choices?: readonly string[];
  readonly help: string;
  /** What the value means to the simulator. */
  readonly apply: (value: SimulateValue) => Partial<SimulatorOptions>;
}

const count = (
  name: string,
  placeholder: string,
  help: string,
  apply: (value: number) => Partial<SimulatorOptions>,
): SimulateOption => ({
  name,
  kind: 'count',
  placeholder,
  default: undefined,
  help,
  apply: (value) => apply(Number(value)),
});

const share = (name: string, help: string, fault: (probability: number) => Faults): SimulateOption => ({
  name,
  kind: 'share',
  placeholder: 'SHARE',
  default: undefined,
  help,
  apply: (value) => ({ faults: fault(Number(value)) }),
});

const flag = (name: string, help: string, options: Partial<SimulatorOptions>): SimulateOption => ({
  name,
  kind: 'flag',
  placeholder: null,
  default: undefined,
  help,
  apply: (value) => (value === true ? options : {}),
});

export const SIMULATE_OPTIONS: readonly SimulateOption[] = [
  { ...count('port', 'PORT', 'port to listen at; 0: any free one', (port) => ({ port })), default: 0 },
  {
    name: 'host',
    kind: 'text',
    placeholder: 'HOST',
    default: '127.0.0.1',
    help: 'address to listen at',
    apply: (host) => ({ host: String(host) }),
  },
  {
    name: 'token',
    kind: 'text',
    placeholder: 'TOKEN',
    default: undefined,
    help: 'the bearer token it accepts; a made-up one that lasts a day unless given',
    apply: (token) => ({ token: String(token) }),
  },
  {
    ...count('clients', 'N', 'how many clients there are', (clients) => ({ clients })),
    default: 5_000,
  },
  {
    ...count('seed', 'N', 'the same seed gives the same clients and faults', (seed) => ({ seed })),
    default: 1,
  },
  {
    name: 'base-path',
    kind: 'text',
    placeholder: 'PATH',
    default: undefined,
    help: 'what comes before /clients, e.g. /homedashboard',
    apply: (basePath) => ({ basePath: String(basePath) }),
  },
  count('latency', 'MS', 'wait before each answer, in milliseconds', (latencyMs) => ({ latencyMs })),
  {
    ...count('page-cap', 'N', 'rows in a page at the most, whatever $top says', (pageCap) => ({ pageCap })),
    default: 10_000,
  },
  {
    name: 'id-order',
    kind: 'choice',
    placeholder: 'ORDER',
    choices: ['text', 'sqlserver'],
    default: 'text',
    help: 'how the server orders ids',
    apply: (order) => ({ idOrder: order === 'sqlserver' ? 'sqlserver' : 'text' }),
  },
  count('ties', 'N', 'this many clients share one createdOn, and as many one updatedOn', (ties) => ({
    shape: { createdTies: ties, updatedTies: ties },
  })),
  flag('skew', 'half of all clients were created on one day', { shape: { skew: true } }),
  flag('envelope', "answer lists in OData's envelope", { envelope: true }),
  flag('etag', 'send an ETag with a client, honour If-Match', { faults: { etag: true } }),
  share('throttle', 'share of requests answered 429 with Retry-After', (probability) => ({
    throttle: { probability },
  })),
  share('errors', 'share of requests answered 503', (probability) => ({
    serverError: { probability, status: 503 },
  })),
  share('resets', 'share of requests whose connection is cut', (probability) => ({
    resetBefore: { probability },
  })),
  share('lost-answers', 'share of writes applied and not answered', (probability) => ({
    lostAnswer: { probability, on: ['write'] },
  })),
  share('torn', 'share of answers whose JSON breaks off', (probability) => ({ tornJson: { probability } })),
  share('html', 'share of answers that are a page of HTML', (probability) => ({ html: { probability } })),
  share('unauthorized', 'share of requests answered 401', (probability) => ({
    unauthorized: { probability },
  })),
  share('drift', 'chance that a client is added, changed or deleted between two requests', (probability) => ({
    drift: { probability },
  })),
  count('late-commits', 'MS', 'changes become visible up to this long after their stamp', (maxMs) => ({
    faults: { lateCommits: { maxMs } },
  })),
  count('stale', 'MS', 'answers come from a replica up to this old', (maxMs) => ({
    faults: { stale: { maxMs } },
  })),
];

/** The simulator's options for the values given on a command line, by option name; faults and shapes add up. */
export function planSimulation(
  values: Readonly<Record<string, SimulateValue | undefined>>,
): SimulatorOptions {
  let plan: SimulatorOptions = {};
  for (const option of SIMULATE_OPTIONS) {
    const value = values[option.name] ?? option.default;
    if (value === undefined) continue;
    const part = option.apply(value);
    const shape = { ...plan.shape, ...part.shape };
    plan = { ...plan, ...part, shape, faults: { ...plan.faults, ...part.faults } };
  }
  return plan;
}
