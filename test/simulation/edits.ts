/**
 * One life of a mirror whose users edit without pause, made from one seed: random edits on both sides, faults of
 * every kind, crashes at any commit or request, two runs at once, reconciles among them. Then peace, and the accounts (accounts.ts).
 *
 * Everything is real but the clock: HTTP over sockets, SQL of the database. A crash leaves behind what a SIGKILL
 * would: claims and leases that nobody gives back, and requests whose effect nobody hears of.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApi } from '../../src/api/api.ts';
import type { ClientsApi } from '../../src/api/endpoints.ts';
import { createReader } from '../../src/api/reader.ts';
import { createTokenSource } from '../../src/api/token.ts';
import { createTransport } from '../../src/api/transport.ts';
import { instantFromMs } from '../../src/clients/instant.ts';
import type { ConflictPolicy } from '../../src/clients/merge.ts';
import type { FieldValue } from '../../src/clients/record.ts';
import type { Clock } from '../../src/clock.ts';
import { discardEdits } from '../../src/decisions/discard.ts';
import type { Hand } from '../../src/decisions/hand.ts';
import { readOpenEdits } from '../../src/decisions/openClients.ts';
import { resolveConflicts } from '../../src/decisions/resolve.ts';
import { retryEdits } from '../../src/decisions/retry.ts';
import { isSyncError } from '../../src/errors.ts';
import { createEmitter, type Emit } from '../../src/events.ts';
import type { Certificate } from '../../src/ledger/certificates.ts';
import { LEASE_TTL_MS } from '../../src/ledger/leases.ts';
import { putSetting, readSettings } from '../../src/ledger/settings.ts';
import { shapeOf } from '../../src/ledger/windows.ts';
import type { PushEngine } from '../../src/push/engine.ts';
import type { ReconcileChoice } from '../../src/reconcile/reconcile.ts';
import { recheckTombstones } from '../../src/reconcile/tombstones.ts';
import { createSource } from '../../src/rows/source.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { runBackfill, runPull, runPush, runReconcile, runSync } from '../../src/sync.ts';
import type { Warehouse } from '../../src/warehouse/warehouse.ts';
import { type Account, closeAccounts, isRestCost, readDifferences, whatWaits } from './accounts.ts';
import { type Chance, createChance } from './chance.ts';
import { createHistory, type History } from './history.ts';
import { actAtSource } from './others.ts';
import type { Place } from './places.ts';
import { createWatch, type Watch } from './proofs.ts';
import { drawFaults, drawHabits, type Habits } from './trouble.ts';
import { createUsers, EDITED, type Users } from './users.ts';

export interface Outcome {
  readonly seed: number;
  readonly policy: ConflictPolicy;
  /** Edits of users that were acknowledged. */
  readonly edits: number;
  readonly remoteChanges: number;
  readonly requests: number;
  readonly faults: number;
  readonly crashes: number;
  readonly runs: number;
  /** Reconciles that came to their end, and of these those whose certificates could be checked at once. */
  readonly certificates: number;
  readonly checked: number;
  readonly tombstones: number;
  /** What was found wrong; empty: nothing. */
  readonly findings: readonly string[];
}

export class Killed extends Error {}

const EXCLUDED: ReadonlySet<string> = new Set(['loginToken']);
const LOOKBACK_SECONDS = 60;

/** Plays one seed. @param trace hears what happens, line by line. */
export async function playSeed(
  seed: number,
  place: Place,
  trace: (line: string) => void = () => undefined,
): Promise<Outcome> {
  const world = await createWorld(seed, place, trace);
  try {
    const rounds = world.chance.between(4, 8);
    for (let round = 1; round <= rounds; round += 1) await playRound(world, round);
    await makePeace(world);
    const findings = [...world.findings, ...(await closeAccounts(accountOf(world)))];
    return {
      seed,
      policy: world.policy,
      edits: world.users.edits.length,
      remoteChanges: world.counts.remote,
      requests: world.simulator.requests.total,
      faults: world.simulator.requests.log.filter(({ status }) => status === null || status >= 400).length,
      crashes: world.counts.crashes,
      runs: world.counts.runs,
      certificates: world.counts.certificates,
      checked: world.counts.checked,
      tombstones: world.watch.tombstones,
      findings,
    };
  } finally {
    await world.close();
  }
}

interface Counts {
  remote: number;
  certificates: number;
  checked: number;
  crashes: number;
  runs: number;
}

interface World {
  readonly seed: number;
  readonly chance: Chance;
  readonly place: Place;
  readonly policy: ConflictPolicy;
  readonly deletes: boolean;
  readonly clock: SimClock;
  readonly history: History;
  readonly simulator: Simulator;
  readonly habits: Habits;
  readonly users: Users;
  readonly warehouse: Warehouse;
  readonly counts: Counts;
  readonly findings: string[];
  readonly watch: Watch;
  readonly swept: true;
  /** Clients of which no pull can see what became of them. */
  readonly unseen: Set<string>;
  readonly spoiled: Set<string>;
  readonly patches: Patch[];
  readonly trace: (line: string) => void;
  /** Chance that something happens at a request or commit; 0 in peace. */
  unrest: number;
  writeToken(token: string): void;
  engine(how?: How): PushEngine;
  close(): Promise<void>;
}

/** A PATCH as it came in. */
export interface Patch {
  readonly tick: number;
  readonly atMs: number;
  readonly id: string;
  readonly agent: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** What `mirror_pushes` said then; null: nothing. */
  readonly sent: Readonly<Record<string, unknown>> | null;
  /** When the last read by this engine of this client came in. */
  readonly readAtMs: number;
}

interface SimClock extends Clock {
  /** For who waits in the background only: it never moves the clock. */
  readonly patient: Clock;
  advance(ms: number): void;
}

function createSimClock(startMs: number): SimClock {
  let nowMs = startMs;
  const now = () => nowMs;
  const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      setImmediate(() => {
        if (signal?.aborted) return reject(signal.reason);
        nowMs += ms;
        resolve();
      });
    });
  return {
    now,
    sleep,
    advance(ms) {
      nowMs += ms;
    },
    patient: {
      now,
      sleep: (ms, signal) =>
        ms < LEASE_TTL_MS / 3
          ? sleep(ms, signal)
          : new Promise((_resolve, reject) => {
              if (signal?.aborted) reject(signal.reason);
              signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
            }),
    },
  };
}

interface How {
  readonly mortality?: Mortality | undefined;
  /** It reconciles: it may write to no edited row. `dry`: to none at all. */
  readonly reconciles?: 'dry' | 'real' | undefined;
}

/** When a process is to die: at its n-th step, before it (`not`), behind it (`done`), or with a request under way. */
interface Mortality {
  readonly after: number;
  readonly how: 'not' | 'done' | 'afloat';
}

async function createWorld(seed: number, place: Place, trace: (line: string) => void): Promise<World> {
  const chance = createChance(seed);
  const clock = createSimClock(Date.now());
  const history = createHistory(clock.now);
  const habits = drawHabits(chance);
  const skewMs = chance.of([0, 0, 0, 7_200_000, -7_200_000]);
  const patches: Patch[] = [];
  const reads = new Map<string, number>();
  const counts: Counts = { remote: 0, certificates: 0, checked: 0, crashes: 0, runs: 0 };
  const findings: string[] = [];
  const tellsTime = chance.is(0.8);
  const simulator = await startSimulator({
    clients: chance.between(3, 10),
    seed,
    token: 'first',
    logMax: 100_000,
    clock: () => clock.now() + skewMs,
    dateHeader: tellsTime,
    envelope: chance.is(0.3),
    stamps: chance.of(['seven', 'trimmed']),
    idOrder: chance.of(['text', 'sqlserver']),
    pageCap: chance.of([3, 7, 1000]),
    faults: habits.faults,
    onChange: history.onChange,
  });
  history.begin(simulator.source.all());
  const folder = mkdtempSync(join(tmpdir(), 'clients-mirror-'));
  const tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, 'first');
  const warehouse = await place.open(clock);
  const policy = chance.of(['remote', 'local', 'manual'] as const);
  const deletes = chance.is(0.5);
  const concurrency = chance.of([1, 2, 4]);
  const apis: ClientsApi[] = [];
  const looker = await place.user();
  const users = await createUsers({
    chance,
    history,
    place,
    deletes,
    trace,
    strangers: () =>
      simulator.source.all().flatMap(({ externalId }) => (externalId === null ? [] : [externalId])),
  });
  const open = (name: string, emit: Emit): ClientsApi => {
    const api = createApi(
      createTransport({
        baseUrl: simulator.url,
        tokenSource: createTokenSource({ file: tokenFile }, clock),
        clock,
        emit,
        concurrency,
        userAgent: name,
        bodyBytesMax: 300_000,
        random: () => chance.below(1000) / 1000,
      }),
    );
    apis.push(api);
    return api;
  };
  let engines = 0;
  const watch = createWatch({
    ...{ history, simulator, warehouse, skewMs, tellsTime },
    nowMs: clock.now,
    staleMs: habits.staleMs,
    lookbackSeconds: LOOKBACK_SECONDS,
    find: (finding) => findings.push(finding),
  });
  const world: World = {
    seed,
    chance,
    place,
    policy,
    deletes,
    clock,
    history,
    simulator,
    habits,
    users,
    warehouse,
    counts,
    findings,
    watch,
    swept: true,
    unseen: new Set(),
    spoiled: new Set(),
    patches,
    trace,
    unrest: 0,
    writeToken: (token) => writeFileSync(tokenFile, token),
    engine({ mortality, reconciles } = {}) {
      engines += 1;
      const life = createLife(world, mortality);
      const emitter = createEmitter();
      emitter.subscribe((event) => {
        if (event.type !== 'requestDone') trace(`    ${JSON.stringify(event)}`);
      });
      const own = life.warehouse(
        reconciles === undefined ? warehouse : watch.reconciling(warehouse, reconciles === 'dry'),
      );
      const { acceptsNul } = own;
      const { emit } = emitter;
      const api = life.api(watch.api(open(`engine ${engines}`, emit)));
      const reader = createReader(api, { ownerId: null, excluded: EXCLUDED, found: [], acceptsNul, emit });
      return {
        warehouse: own,
        api,
        source: createSource({ reader, warehouse: own, clock, emit, ownerId: null }),
        clock: clock.patient,
        ...emitter,
        signal: new AbortController().signal,
        options: {
          pageSize: chance.of([4, 1000]),
          concurrency,
          lookbackSeconds: LOOKBACK_SECONDS,
          keepDays: 30,
          shape: shapeOf(null, EXCLUDED),
        },
        push: { policy, sends: true, deletes },
      };
    },
    async close() {
      for (const api of apis) api.close();
      await users.endLingering('ROLLBACK');
      await users.close();
      await looker.close();
      await simulator.close();
      await warehouse.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await warehouse.commit([putSetting('push', 'true'), putSetting('push_deletes', String(deletes))]);
  await readSettings(warehouse);
  await runBackfill(world.engine(), { restart: false });
  simulator.setOnRequest(async (request) => {
    const agent = String(request.headers['user-agent']);
    const id = /^\/clients\/([^/]+)$/.exec(request.path)?.[1]?.toLowerCase();
    const asked = decodeURIComponent(request.query);
    trace(
      `    > ${agent} ${request.method} ${request.path} ${asked} ${request.body.length > 0 ? request.body : ''}`,
    );
    if (request.method === 'GET') {
      const ids = id === undefined ? asked.match(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g) : [id];
      for (const one of ids ?? []) reads.set(`${agent} ${one}`, clock.now());
    } else if (request.method === 'PATCH' && id !== undefined) {
      const [entry] = await looker.reads(`SELECT sent FROM mirror_pushes WHERE id = '${id}'`);
      patches.push({
        tick: history.tick(),
        atMs: clock.now(),
        id,
        agent,
        body: JSON.parse(request.body.toString()) as Patch['body'],
        sent: typeof entry?.sent === 'string' ? (JSON.parse(entry.sent) as Patch['sent']) : null,
        readAtMs: reads.get(`${agent} ${id}`) ?? 0,
      });
    }
    await maybe(world);
  });
  return world;
}

/** What dies at a step, and lets others act before and after each. */
function createLife(world: World, mortality: Mortality | undefined) {
  let steps = 0;
  let isDead = false;
  const step = async <T>(work: () => Promise<T>, canFloat: boolean): Promise<T> => {
    if (isDead) throw new Killed();
    await maybe(world);
    steps += 1;
    if (mortality === undefined || steps <= mortality.after) {
      const result = await work();
      if (isDead) throw new Killed();
      return result;
    }
    isDead = true;
    world.counts.crashes += 1;
    world.trace(`  killed at step ${steps}, ${mortality.how}`);
    if (mortality.how === 'done') await work().catch(() => undefined);
    else if (mortality.how === 'afloat' && canFloat) await work().catch(() => undefined);
    throw new Killed();
  };
  return {
    warehouse: (inner: Warehouse): Warehouse => ({
      ...inner,
      commit: async (writes, lease) => {
        const results = await step(() => inner.commit(writes, lease), false);
        await world.watch.lookAtTombstones();
        return results;
      },
      acquireLease: (name, ttlMs) => step(() => inner.acquireLease(name, ttlMs), false),
      read: (query) => (isDead ? Promise.reject(new Killed()) : inner.read(query)),
      revision: () => (isDead ? Promise.reject(new Killed()) : inner.revision()),
      releaseLease: (lease) => (isDead ? Promise.reject(new Killed()) : inner.releaseLease(lease)),
      renewLease: (lease, ttlMs) => (isDead ? Promise.reject(new Killed()) : inner.renewLease(lease, ttlMs)),
    }),
    api: (inner: ClientsApi): ClientsApi => ({
      ...inner,
      list: (query, options) => step(() => inner.list(query, options), true),
      get: (id, options) => step(() => inner.get(id, options), true),
      create: (body, options) => step(() => inner.create(body, options), true),
      update: (id, body, options) => step(() => inner.update(id, body, options), true),
      delete: (id, options) => step(() => inner.delete(id, options), true),
    }),
  };
}

async function maybe(world: World): Promise<void> {
  if (!world.chance.is(world.unrest)) return;
  if (world.chance.is(0.6)) await world.users.act();
  else actAtSource(world);
}

/** A person decides about an edit or a conflict. */
async function decide(world: World): Promise<void> {
  const { chance, warehouse, clock, users, trace } = world;
  const hand: Hand = { warehouse, clock, excluded: EXCLUDED, sends: true };
  const conflicts = await warehouse.read({
    sql: 'SELECT id, client_id, field, local FROM mirror_conflicts ORDER BY id',
    params: [],
  });
  const open = await readOpenEdits(warehouse, { nowMs: clock.now(), excluded: EXCLUDED });
  const what = chance.weighted({ resolve: 5, discard: 1, retry: 2 });
  try {
    if (what === 'resolve' && conflicts.length > 0) {
      const one = chance.of(conflicts);
      const take = chance.of(['local', 'remote'] as const);
      const told = await resolveConflicts(hand, String(one.id), take);
      trace(`  resolve ${take} ${JSON.stringify(told)}`);
      for (const { conflict, outcome } of told) {
        if (outcome !== 'resolved') continue;
        const about = { id: conflict.clientId, kind: 'field', isDropped: take === 'remote' } as const;
        if (conflict.field !== null) {
          users.note({
            ...about,
            field: conflict.field,
            value: take === 'local' ? conflict.local : conflict.remote,
          });
        } else if (take === 'local') {
          const [row] = await warehouse.read({
            sql: 'SELECT external_id, _create FROM clients WHERE id = ?',
            params: [conflict.clientId],
          });
          const external = String(row?.external_id ?? '')
            .trim()
            .toLowerCase();
          if (row?._create != null)
            users.note({ id: conflict.clientId, kind: 'insert', field: '', value: external });
          // The source has it again: what was written then are edits of it.
          else
            for (const [field, value] of Object.entries(JSON.parse(String(conflict.local))))
              users.note({ ...about, field, value: value as FieldValue });
        } else {
          for (const field of EDITED) users.note({ ...about, field: field.name, value: null });
        }
      }
    } else if (what === 'discard' && open.length > 0) {
      const told = await discardEdits(hand, chance.of(open).id);
      trace(`  discard ${JSON.stringify(told)}`);
    } else if (what === 'retry' && open.length > 0) {
      await retryEdits(hand, chance.of(open).id);
      trace('  retry');
    }
  } catch (error) {
    if (!isSyncError(error, 'WAREHOUSE_BUSY') && !isSyncError(error, 'NOT_FOUND')) throw error;
    trace(`  ${what}: ${error.message}`);
  }
}

async function playRound(world: World, round: number): Promise<void> {
  const { chance, simulator, habits, users, clock, trace } = world;
  trace(`round ${round}`);
  for (let n = chance.between(0, 5); n > 0; n -= 1) trace(`  user: ${await users.act()}`);
  for (let n = chance.between(0, 3); n > 0; n -= 1) actAtSource(world);
  if (chance.is(0.12)) await users.linger();
  if (chance.is(0.15)) await decide(world);
  if (chance.is(0.1)) {
    // The old token ends; the new one is in the file now, or only when somebody has looked.
    const token = `token-${round}`;
    simulator.setTokens(token);
    if (chance.is(0.7)) world.writeToken(token);
    trace(`  ${token}`);
  }
  const faults = drawFaults(
    chance,
    simulator.source.all().map(({ id }) => id),
    habits,
  );
  trace(`  faults ${JSON.stringify(faults)}`);
  simulator.setFaults({ ...habits.faults, ...faults });
  world.unrest = chance.of([0, 0.1, 0.25]);
  const count = chance.is(0.35) ? 2 : 1;
  const isAlone = world.unrest === 0 && count === 1 && faults.stale === undefined;
  await Promise.all(Array.from({ length: count }, () => runOne(world, isAlone)));
  world.unrest = 0;
  if (chance.is(0.3)) {
    simulator.setFaults(habits.faults);
    await runOne(world, true, 'reconcile');
  }
  await passTime(world, chance.of([0, 1_000, 20_000, 70_000, 150_000, 3_600_000]));
  trace(`  it is ${clock.now()}: ${await whatWaits(world.warehouse)}`);
}

async function passTime(world: World, ms: number): Promise<void> {
  world.clock.advance(ms);
  if (ms > 0) await world.place.advance(ms);
}

/** @param isAlone nobody else is at work, and no answer is old */
async function runOne(world: World, isAlone: boolean, only?: 'reconcile'): Promise<void> {
  const { chance, counts } = world;
  const mortality = chance.is(0.35)
    ? { after: chance.below(chance.of([4, 12, 30])), how: chance.of(['not', 'done', 'afloat'] as const) }
    : undefined;
  const what = only ?? chance.weighted({ sync: 5, push: 5, pull: 2, reconcile: 3, recheck: 0.5 });
  const choice = { deep: chance.is(0.4), dryRun: chance.is(0.1), allowMassDelete: chance.is(0.2) };
  const isSweep = what === 'reconcile';
  const engine = world.engine({
    mortality,
    reconciles: isSweep ? (choice.dryRun ? 'dry' : 'real') : undefined,
  });
  counts.runs += 1;
  world.trace(
    `  ${what}${isSweep ? ` ${JSON.stringify(choice)}` : ''}${mortality === undefined ? '' : ` ${JSON.stringify(mortality)}`}`,
  );
  try {
    if (what === 'sync') await runSync(engine);
    else if (what === 'push') await runPush(engine, { allowMassEdit: chance.is(0.2) });
    else if (what === 'pull') await runPull(engine);
    else if (what === 'recheck') await recheckTombstones(engine, null);
    else await reconcileOnce(world, engine, { choice, isAlone });
    world.trace(`  ${what} done`);
  } catch (error) {
    judge(world, error);
  }
}

/** What it certifies is so, where nobody changed anything meanwhile and no answer was old. */
async function reconcileOnce(
  world: World,
  engine: PushEngine,
  { choice, isAlone }: { readonly choice: ReconcileChoice; readonly isAlone: boolean },
): Promise<void> {
  const { history, counts, clock } = world;
  // One that goes on with what a killed one had read is known by its time, which must not be this very millisecond.
  clock.advance(1);
  const [changes, began] = [history.changes, instantFromMs(clock.now())];
  const { certificate } = await runReconcile(engine, choice);
  const told = `certified ${JSON.stringify(certificate)}`;
  world.trace(`  ${told}`);
  counts.certificates += 1;
  const { missing, stale, extra, unfit, deep } = certificate;
  if (
    !isAlone ||
    certificate.from < began ||
    choice.dryRun ||
    history.changes !== changes ||
    missing + stale + extra + unfit > 0
  )
    return;
  counts.checked += 1;
  for (const finding of await readDifferences(accountOf(world), {
    isSwept: true,
    fields: deep,
    edited: false,
  }))
    world.findings.push(`(g) ${told}, but ${finding}`);
}

/** In trouble a run may fail, but only in words of the error table, and never because the database refused us. */
function judge(world: World, error: unknown): void {
  world.trace(`  failed: ${error instanceof Error ? error.message : error}`);
  if (error instanceof Killed) return;
  const isExpected = isSyncError(error) && !['WAREHOUSE_FAILED', 'EXPECTATION', 'USAGE'].includes(error.code);
  if (!isExpected) world.findings.push(`a run failed: ${error instanceof Error ? error.stack : error}`);
}

const CYCLES_MAX = 16;

async function makePeace(world: World): Promise<void> {
  const { simulator, habits, chance, users, unseen, spoiled } = world;
  world.trace('peace');
  world.unrest = 0;
  await users.endLingering('COMMIT');
  simulator.setFaults(chance.is(0.5) ? habits.faults : {});
  simulator.setTokens('last');
  world.writeToken('last');
  await passTime(world, 3_600_000);
  for (const id of spoiled) simulator.source.spoil(id, null);
  // By itself a pull brings all that it can see.
  await rest(world, async () => true);
  for (const finding of await readDifferences(accountOf(world), { unseen }))
    world.findings.push(`without a reconcile ${finding}`);
  // Where a reconcile had something to mend there may be more to do, a lookback later.
  await rest(world, async () => {
    const began = instantFromMs(world.clock.now());
    const { from, missing, stale, extra, mended, deleted } = await reconcileInPeace(world);
    // One that goes on with what a killed one had read does not know what has changed there since.
    return from >= began && missing + stale + extra + mended.missing + mended.stale + deleted === 0;
  });
}

/** Cycles until nothing waits, and nothing is found by `look`. */
async function rest(world: World, look: () => Promise<boolean>): Promise<void> {
  const { simulator, warehouse, place, clock, findings } = world;
  for (let cycle = 1; ; cycle += 1) {
    const engine = world.engine();
    try {
      const isSettled = await look();
      const before = simulator.requests.total;
      await runSync(engine);
      await runPush(engine, { allowMassEdit: true });
      const requests = simulator.requests.total - before;
      await passTime(world, LOOKBACK_SECONDS * 2_500);
      const left = await whatWaits(warehouse);
      world.trace(`  cycle ${cycle}: ${left}`);
      // Two requests: the lookback has passed too.
      if (isSettled && left === '' && isRestCost(simulator, requests)) return;
      if (cycle < CYCLES_MAX) continue;
      findings.push(`no rest after ${cycle} cycles: ${left} (${place.kind}, at ${clock.now()})`);
    } catch (error) {
      findings.push(`in peace a cycle failed: ${error instanceof Error ? error.stack : error}`);
    }
    return;
  }
}

async function reconcileInPeace(world: World): Promise<Certificate> {
  const engine = world.engine({ reconciles: 'real' });
  const { certificate } = await runReconcile(engine, { deep: true, dryRun: false, allowMassDelete: true });
  world.trace(`  certified ${JSON.stringify(certificate)}`);
  return certificate;
}

function accountOf(world: World): Account {
  const { history, simulator, warehouse, users, patches, clock } = world;
  return {
    history,
    simulator,
    warehouse,
    edits: users.edits,
    patches,
    nowMs: clock.now(),
    staleMs: world.habits.staleMs,
    excluded: EXCLUDED,
    async cycle() {
      await runSync(world.engine());
      await passTime(world, 30_000);
    },
    reconcile: () => reconcileInPeace(world),
    restCycles: world.chance.of([2, 2, 2, 10]),
  };
}
