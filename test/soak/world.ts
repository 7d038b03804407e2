/**
 * One mirror of the whole-program simulation: a simulated source in this process, a real warehouse, its users, and the
 * program as child processes (processes.ts). All chance comes from the round's seed, in streams of their own, so that
 * what one side draws does not depend on how fast the other was.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConflictPolicy } from '../../src/clients/merge.ts';
import { systemClock } from '../../src/clock.ts';
import type { Faults } from '../../src/simulator/faults.ts';
import { mix } from '../../src/simulator/random.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { openWarehouse } from '../../src/warehouse/open.ts';
import type { Warehouse } from '../../src/warehouse/warehouse.ts';
import { type Chance, createChance } from '../simulation/chance.ts';
import { createHistory, type History } from '../simulation/history.ts';
import type { Place, User } from '../simulation/places.ts';
import { drawHabits, type Habits } from '../simulation/trouble.ts';
import { createUsers, type Edit, type Users } from '../simulation/users.ts';
import type { TestRedis } from '../support/redis.ts';
import { createPatchBook, type PatchBook } from './patchBook.ts';
import { createProcesses, type Processes } from './processes.ts';
import { createTokens, type Tokens } from './tokens.ts';

export interface RoundOptions {
  readonly seed: number;
  readonly place: Place;
  /** null: no workers. */
  readonly redis: TestRedis | null;
  readonly size: Size;
  /** The built program; by default that of the suite. */
  readonly program?: string;
  readonly trace: (line: string) => void;
}

/** How much of a round there is. */
export interface Size {
  /** How often something is done in a spell of trouble, from and to. */
  readonly steps: readonly [number, number];
  /** Each ends in peace and with the accounts. */
  readonly spells: number;
  readonly clients: readonly [number, number];
  readonly lookbackSeconds: number;
  readonly restCycles: number;
  /** Processes at once. */
  readonly processes: number;
  /** May a process be stopped for longer than its leases last? */
  readonly longStops: boolean;
}

export interface World {
  readonly size: Size;
  /** A stream of chance of its own for each number. */
  readonly stream: (n: number) => Chance;
  /** What is done, and when; in trouble each step has its own. */
  readonly chance: Chance;
  /** What other people do at the source. */
  readonly others: Chance;
  readonly policy: ConflictPolicy;
  readonly habits: Habits;
  readonly history: History;
  readonly simulator: Simulator;
  readonly place: Place;
  readonly users: readonly Users[];
  /** A connection that only looks. */
  readonly looker: User;
  readonly redis: TestRedis | null;
  readonly processes: Processes;
  readonly tokens: Tokens;
  readonly patches: PatchBook;
  /** Edits that people made through the program: conflicts that they resolved. */
  readonly decisions: Edit[];
  readonly unseen: Set<string>;
  readonly spoiled: Set<string>;
  readonly counts: Record<string, number> & { remote: number };
  readonly findings: string[];
  /** Transactions of users that are open, and until when. */
  readonly lingering: {
    readonly user: Users;
    readonly how: 'COMMIT' | 'ROLLBACK';
    readonly untilMs: number;
  }[];
  /** Which process of this spell is stopped for so long; null: none. */
  longStop: { startsLeft: number; readonly forMs: number } | null;
  readonly trace: (line: string) => void;
  count(what: string): void;
  setFaults(faults: Faults): void;
  /** The warehouse, once the program has made it. */
  open(): Promise<Warehouse>;
  close(): Promise<void>;
}

/** Late changes and old answers stay well within the lookback, although everything shares two processors. */
const LATE_SHARE = 0.25;
const USERS = 3;

export async function createWorld(options: RoundOptions): Promise<World> {
  const { seed, place, redis, size } = options;
  const stream = (n: number): Chance => createChance(mix(seed, n));
  const [chance, others, draw] = [stream(1), stream(2), stream(3)];
  const beganMs = Date.now();
  const trace = (line: string) => options.trace(`${((Date.now() - beganMs) / 1000).toFixed(2)} ${line}`);
  const history = createHistory(Date.now);
  const habits = inRealTime(drawHabits(draw), size.lookbackSeconds * 1000 * LATE_SHARE);
  const skewMs = draw.of([0, 0, 0, 7_200_000, -7_200_000]);
  const folder = mkdtempSync(join(tmpdir(), 'clients-mirror-soak-'));
  const leave = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', leave);
  const simulator = await startSimulator({
    clients: draw.between(...size.clients),
    seed,
    logMax: 200_000,
    clock: () => Date.now() + skewMs,
    dateHeader: draw.is(0.8),
    envelope: draw.is(0.3),
    stamps: draw.of(['seven', 'trimmed']),
    idOrder: draw.of(['text', 'sqlserver']),
    pageCap: draw.of([13, 50, 1000]),
    faults: habits.faults,
    onChange: history.onChange,
  });
  history.begin(simulator.source.all());
  const policy = draw.of(['remote', 'local', 'manual'] as const);
  const deletes = draw.is(0.5);
  const counts = { remote: 0 } as World['counts'];
  const count = (what: string) => {
    counts[what] = (counts[what] ?? 0) + 1;
  };
  const findings: string[] = [];
  const tokens = createTokens(simulator, folder);
  const looker = await place.user();
  const strangers = () =>
    simulator.source.all().flatMap(({ externalId }) => (externalId === null ? [] : [externalId]));
  const users: Users[] = [];
  for (let n = 0; n < USERS; n += 1)
    users.push(
      await createUsers({
        chance: stream(10 + n),
        history,
        place,
        deletes,
        strangers,
        trace,
        first: n * 100_000,
      }),
    );
  // Others take over at once what a stopped process holds; its own commits are fenced out then.
  const expireLeases = async (pid: number): Promise<void> => {
    if (!leaseChance.is(0.5)) return;
    const sql = `UPDATE mirror_leases SET expires_ms = 0 WHERE holder LIKE '% ${pid} %' RETURNING name`;
    const expired = await looker.reads(sql).catch(() => []);
    if (expired.length > 0) count('lease expired');
    trace(`  leases expired: ${JSON.stringify(expired)}`);
  };
  const leaseChance = stream(4);
  const processes = createProcesses({
    folder,
    program: options.program,
    tokens,
    trace,
    findings,
    count,
    onStop: (pid) => void expireLeases(pid),
    env: {
      CLIENTS_API_URL: simulator.url,
      WAREHOUSE_URL: place.url,
      MIRROR_SCHEMA: place.schema,
      MIRROR_LOOKBACK_SECONDS: String(size.lookbackSeconds),
      MIRROR_CONFLICTS: policy,
      MIRROR_PUSH_DELETES: String(deletes),
      MIRROR_CONCURRENCY: String(draw.of([1, 2, 4])),
      MIRROR_PAGE_SIZE: String(draw.of([7, 40, 1000])),
      ...(redis === null ? {} : { REDIS_URL: redis.url }),
    },
  });
  const onWrite = processes.meetWrite;
  const patches = createPatchBook({ history, looker, tokens, trace, onWrite });
  simulator.setOnRequest(patches.hear);
  trace(`${place.kind}, ${simulator.source.size} clients, ${policy}, clock ${skewMs} ms ahead`);
  trace(JSON.stringify(habits));
  return {
    ...{ stream, size, chance, others, policy, habits, history, simulator, place, users, looker, redis },
    ...{ processes, tokens, patches, counts, findings, trace, count },
    decisions: [],
    lingering: [],
    longStop: null,
    unseen: new Set(),
    spoiled: new Set(),
    setFaults: (faults) => simulator.setFaults({ ...habits.faults, ...faults }),
    open: () => openWarehouse({ url: place.url, schema: place.schema, clock: systemClock }),
    async close() {
      await processes.close();
      for (const user of users) {
        await user.endLingering('ROLLBACK').catch(() => undefined);
        await user.close();
      }
      await looker.close();
      await simulator.close();
      process.off('exit', leave);
      leave();
    },
  };
}

/** The simulated life has a clock that leaps; here a second is a second. */
function inRealTime(habits: Habits, lateMs: number): Habits {
  const late = habits.lateMs > 0 ? lateMs : 0;
  const { lateCommits, ...faults } = habits.faults;
  return {
    ...habits,
    lateMs: late,
    staleMs: lateMs,
    faults: lateCommits === undefined ? faults : { ...faults, lateCommits: { ...lateCommits, maxMs: late } },
  };
}
