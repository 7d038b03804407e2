/** What happens in a spell of trouble, step by step: people on both sides, processes and their fates, faults. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Faults } from '../../src/simulator/faults.ts';
import { actAtSource } from '../simulation/others.ts';
import { drawFaults } from '../simulation/trouble.ts';
import { rowsBehindPlaces } from './cursor.ts';
import { decide } from './decide.ts';
import type { Fate } from './processes.ts';
import type { World } from './world.ts';

const WEIGHTS = {
  edit: 32,
  remote: 16,
  start: 22,
  faults: 6,
  linger: 6,
  token: 2,
  kill: 3,
  decide: 3,
  redis: 2,
  database: 2,
  rest: 8,
} as const;

export async function playTrouble(world: World, spell: number): Promise<void> {
  const { chance, size, processes, trace } = world;
  const steps = chance.between(...size.steps);
  world.longStop = drawLongStop(world);
  let kills = processes.kills;
  await STEPS.faults(world);
  for (let step = 1; step <= steps || processes.isLongStopped; step += 1) {
    const what = chance.weighted(WEIGHTS);
    trace(`step ${step}: ${what}`);
    await endLingering(world);
    // What was drawn before, and what is there by now, must not change what comes.
    await STEPS[what]({ ...world, chance: world.stream(1_000_000 * spell + step) });
    await delay(step <= steps ? chance.between(20, 400) : chance.between(400, 2_000));
    if (processes.kills === kills && step % 5 > 0) continue;
    kills = processes.kills;
    world.findings.push(...(await rowsBehindPlaces(world).catch(() => [])));
  }
}

/** Between two steps, so that nobody else edits meanwhile and it is known whose edit was the last. */
async function endLingering({ lingering }: World): Promise<void> {
  for (const one of lingering.splice(0)) {
    if (one.untilMs > Date.now()) lingering.push(one);
    else await one.user.endLingering(one.how);
  }
}

const STEPS: Readonly<Record<keyof typeof WEIGHTS, (world: World) => Promise<void>>> = {
  async edit({ chance, users, trace }) {
    for (let n = chance.between(1, 6); n > 0; n -= 1) trace(`  user: ${await chance.of(users).act()}`);
  },
  async remote(world) {
    for (let n = world.chance.between(1, 4); n > 0; n -= 1)
      actAtSource({ ...world, chance: world.others, swept: true });
  },
  async start(world) {
    const { chance, processes, size } = world;
    const [command, fate] = [chance.of(COMMANDS), drawFate(world)];
    const isWorker = chance.is(0.2) && world.redis !== null;
    if (processes.running.length >= size.processes) return;
    if (isWorker) startWorker(world);
    else processes.start(command, fate);
  },
  async faults(world) {
    const { chance, simulator, trace } = world;
    const ids = simulator.source
      .all()
      .map(({ id }) => id)
      .sort();
    const faults = inRealTime(drawFaults(chance, ids, world.habits), world);
    trace(`  faults ${JSON.stringify(faults)}`);
    world.setFaults(faults);
  },
  async linger({ chance, users, lingering, place, trace }) {
    const user = chance.of(users);
    const how = chance.is(0.7) ? 'COMMIT' : 'ROLLBACK';
    // SQLite has one writer: meanwhile nobody else can do anything.
    const forMs = chance.between(300, place.kind === 'sqlite' ? 2_000 : 12_000);
    if (lingering.some((one) => one.user === user)) return;
    trace(`  user: ${await user.linger()}`);
    lingering.push({ user, how, untilMs: Date.now() + forMs });
  },
  async token({ chance, tokens, count }) {
    count('token rotated');
    if (chance.is(0.7)) {
      tokens.rotate();
      tokens.publish();
    } else if (chance.is(0.5)) tokens.rotate();
    else tokens.publish();
  },
  async kill({ chance, processes }) {
    const { running } = processes;
    if (running.length > 0) chance.of(running).kill('SIGKILL');
  },
  decide,
  async redis({ chance, redis, count, trace }) {
    const what = chance.weighted({ flush: 3, restart: 1 });
    if (redis === null) return;
    count(`redis ${what}`);
    trace(`  redis ${what}`);
    if (what === 'flush') await redis.client.flushall();
    else {
      await redis.kill();
      await delay(chance.between(0, 600));
      await redis.start();
    }
  },
  async database({ chance, looker, place, count, trace }) {
    const share = chance.of([0.3, 1]);
    if (place.kind === 'sqlite') return;
    // As a failover would: what was under way is cut, and of a COMMIT nobody knows whether it came through.
    const ended = await looker.reads(`SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity
      WHERE datname = current_database() AND application_name LIKE 'clients-mirror%' AND random() < ${share}`);
    count('database connections cut');
    trace(`  ${ended.length} connections of the program cut`);
  },
  async rest({ chance }) {
    await delay(chance.between(200, 1_200));
  },
};

const COMMANDS: readonly (readonly string[])[] = [
  ['sync'],
  ['sync'],
  ['sync'],
  ['sync'],
  ['push'],
  ['push'],
  ['push', '--allow-mass-edit'],
  ['pull'],
  ['pull'],
  ['reconcile'],
  ['reconcile', '--deep', '--allow-mass-delete'],
  ['backfill'],
  ['backfill', '--restart'],
  ['status', '--check'],
];

function startWorker({ chance, processes }: World): void {
  const fate: Fate = chance.is(0.5)
    ? { kind: 'killed', afterMs: chance.between(1_000, 9_000) }
    : { kind: 'stopped', afterMs: chance.between(1_000, 6_000), forMs: chance.between(200, 5_000) };
  processes.start(['worker'], fate, {
    HTTP_ADDRESS: '127.0.0.1:0',
    MIRROR_PULL_SECONDS: '1',
    MIRROR_PUSH_SECONDS: '1',
    MIRROR_RECONCILE_CRON: chance.of(['* * * * *', '0 3 * * *']),
  });
}

function drawFate(world: World): Fate {
  const { chance } = world;
  const afterMs = chance.between(100, 2_500);
  const step = chance.between(1, chance.of([6, 20, 60]));
  const [write, forMs] = [chance.between(1, chance.of([1, 2, 8])), chance.between(200, 4_000)];
  const kind = chance.weighted({
    lives: 5,
    killed: 3,
    killedAtStep: 4,
    killedAtWrite: 3,
    ended: 1,
    stopped: 2,
  });
  const { longStop } = world;
  if (longStop !== null) {
    longStop.startsLeft -= 1;
    if (longStop.startsLeft === 0) return { kind: 'stopped', afterMs, forMs: longStop.forMs };
  }
  if (kind === 'killedAtStep') return { kind, step };
  if (kind === 'killedAtWrite') return { kind, write };
  if (kind === 'stopped') return { kind, afterMs, forMs };
  return kind === 'lives' ? { kind } : { kind, afterMs };
}

/** One process of some spells sleeps for longer than its leases last, of few for longer than its claims. */
function drawLongStop({ chance, size }: World): World['longStop'] {
  const [startsLeft, kind] = [chance.between(1, 6), chance.weighted({ none: 10, lease: 4, claim: 1 })];
  const forMs = kind === 'claim' ? chance.between(121_000, 126_000) : chance.between(31_000, 36_000);
  return size.longStops && kind !== 'none' ? { startsLeft, forMs } : null;
}

/** Waits and ages in proportion to a round of seconds. */
function inRealTime(faults: Faults, { habits }: World): Faults {
  const { stale, throttle, latency, slowBody } = faults;
  return {
    ...faults,
    ...(stale === undefined ? {} : { stale: { ...stale, maxMs: habits.staleMs } }),
    ...(throttle === undefined ? {} : { throttle: { ...throttle, seconds: 1 } }),
    ...(latency === undefined ? {} : { latency: { ...latency, ms: 20, jitterMs: 200 } }),
    ...(slowBody === undefined ? {} : { slowBody: { ...slowBody, ms: 60 } }),
  };
}
