/**
 * Thousands of histories of one mirror: rows are written, become visible late, are deleted and restored while a
 * backfill and pulls run that are killed anywhere. Oracle: after each pull that ends, all that rested at the source
 * when it began is in the mirror, field for field; and at rest a pull costs two requests and writes nothing.
 */
import { describe, expect, it } from 'vitest';
import { type PageRequest, type Place, type Range, readInOrder } from '../../src/api/readInOrder.ts';
import { addSeconds } from '../../src/clients/instant.ts';
import { initialPlaces, type PullAnswer, pullStreams } from '../../src/pull/incremental.ts';
import {
  createDice,
  createMirror,
  createWorld,
  type Dice,
  FUTURE,
  Killed,
  type Mirror,
  type World,
} from './world.ts';

const HISTORIES = Number(process.env.HISTORIES ?? 1_500);
const FIRST_SEED = Number(process.env.SEED ?? 1);
const HOUR_MS = 3_600_000;
const CREATED: Range = { key: 'createdOn', lane: 'values', from: null, to: null, also: null };

interface History {
  readonly dice: Dice;
  readonly world: World;
  readonly mirror: Mirror;
  /** Does `Date` show the clock that stamps rows? */
  readonly honestDate: boolean;
  readonly lookbackSeconds: number;
  readonly top: number;
  /** Chance of a kill at each point where one may strike; 0 while the history is at rest. */
  kill: number;
  busy: boolean;
  requests: PageRequest[];
  backfilled: Place | undefined;
  widest: number;
}

function createHistory(seed: number): History {
  const dice = createDice(seed);
  const stampSkewMs = dice.of([-2 * HOUR_MS, 0, 2 * HOUR_MS]);
  const dateSkewMs = dice.of([null, -2 * HOUR_MS, 0, 2 * HOUR_MS, stampSkewMs]);
  const order = dice.of(['text', 'sqlServer'] as const);
  const world = createWorld({ order, cap: dice.of([3, 5, 8, 100]), stampSkewMs, dateSkewMs });
  return {
    dice,
    world,
    mirror: createMirror(),
    honestDate: dateSkewMs === stampSkewMs,
    lookbackSeconds: dice.of([0, 30, 300]),
    top: dice.of([3, 5, 10, 100]),
    kill: dice.of([0, 0.01, 0.1]),
    busy: true,
    requests: [],
    backfilled: undefined,
    widest: 0,
  };
}

/** One thing that happens at the source. */
function happen({ dice, world, lookbackSeconds, honestDate }: History): void {
  const id = dice.of([...world.rows.keys()]);
  const delayMs = dice.chance(0.5) ? 0 : dice.below(lookbackSeconds * 1000);
  const what = dice.below(20);
  if (what < 6) world.create(dice.of([1, 1, 2, 7]), delayMs);
  else if (what < 13 && id !== undefined) world.update(id, delayMs);
  else if (what < 15) {
    // One transaction over many rows: equal stamps, for the clock stands still meanwhile.
    const many = [...world.rows.keys()].filter(() => dice.chance(0.4)).slice(0, 10);
    for (const one of many) world.update(one, delayMs);
  } else if (what < 17 && id !== undefined) world.remove(id);
  else if (what < 18 && id !== undefined) {
    const old = dice.chance(0.5) ? null : addSeconds(world.stamp(), -dice.below(1_000_000));
    world.restore(id, old);
  } else if (what === 18 && dice.chance(0.3)) world.create(1, 0, FUTURE);
  else if (what === 18 && honestDate) {
    // Stamped ahead, but not so far that it could not be a place: only `Date` tells.
    const ahead = addSeconds(world.stamp(), dice.below(20 * 3600));
    if (id !== undefined && dice.chance(0.5)) world.update(id, delayMs, ahead);
    else world.create(1, delayMs, ahead);
  } else if (what === 19 && dice.chance(0.3) && id !== undefined) world.update(id, 0, FUTURE);
}

function pass(history: History, maxMs: number, share = 1): void {
  const { dice, world } = history;
  for (let left = history.busy && dice.chance(share) ? dice.below(4) : 0; left > 0; left -= 1) {
    world.advance(dice.below(maxMs / 3));
    happen(history);
  }
  world.advance(dice.below(maxMs));
}

function interrupt(history: History): void {
  if (history.dice.chance(history.kill)) throw new Killed();
}

function listOf(history: History) {
  const { world, mirror } = history;
  return async (request: PageRequest): Promise<PullAnswer> => {
    interrupt(history);
    history.requests.push(request);
    const noted = mirror.revision();
    pass(history, 3_000, 0.06);
    const rows = world.answer(request);
    history.widest = Math.max(history.widest, rows.length);
    pass(history, 3_000, 0.06);
    const date = world.date();
    pass(history, 3_000, 0.06);
    // Lets the other stream and the writer run in between, as the network would.
    await null;
    interrupt(history);
    return { rows, date, noted };
  };
}

/** Reads all by createdOn; goes on where it was killed. */
async function backfill(history: History): Promise<void> {
  const { world, mirror, top } = history;
  if (mirror.readState('updated') === null) {
    const places = await initialPlaces(listOf(history), world.clock, new AbortController().signal);
    for (const [stream, state] of places) mirror.save(stream, state);
  }
  const from = history.backfilled;
  for await (const page of readInOrder(listOf(history), CREATED, { top, from })) {
    interrupt(history);
    for (const row of page.rows) mirror.take(row, page.answer.noted);
    history.backfilled = page.place;
  }
}

async function pull(history: History): Promise<void> {
  const { world, mirror, top, lookbackSeconds } = history;
  await pullStreams({
    list: listOf(history),
    store: mirror.storeWith(() => interrupt(history)),
    clock: world.clock,
    lookbackSeconds,
    pageSize: top,
  });
}

async function untilKilled(work: Promise<void>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (error instanceof Killed) return false;
    throw error;
  }
}

/** What rested at the source since `sinceMs` must be in the mirror. */
function check({ world, mirror }: History, sinceMs: number): void {
  for (const row of world.rows.values()) {
    if (row.visibleMs > sinceMs || row.restored) continue;
    const mine = mirror.rows.get(row.id);
    if (mine?.version !== row.version) {
      throw new Error(
        `${row.id} is at ${row.createdOn}/${row.updatedOn} v${row.version}, the mirror has ${JSON.stringify(mine)}`,
      );
    }
  }
}

async function checkRest(history: History): Promise<void> {
  const { world, mirror, lookbackSeconds } = history;
  history.kill = 0;
  history.busy = false;
  world.flush();
  // A `Date` that is behind counts too, and so do stamps ahead of it; the places are first seen by the first pull.
  for (let n = 0; n < 3; n += 1) {
    world.advance(24 * HOUR_MS + lookbackSeconds * 1000);
    await pull(history);
  }
  const future = [...world.rows.values()].filter((row) => [row.createdOn, row.updatedOn].includes(FUTURE));
  const tails = [
    future.filter((row) => row.updatedOn === FUTURE),
    future.filter((row) => row.updatedOn === null),
  ];
  // A tail is only known as the end in an answer shorter than one that the server has given.
  if (tails.some((tail) => tail.length > 0 && tail.length + 1 >= Math.min(history.widest, history.top)))
    return;
  const [before, states] = [mirror.writes(), ['updated', 'created'] as const];
  const placesBefore = states.map((stream) => mirror.readState(stream));
  history.requests = [];
  world.advance(60_000);
  await pull(history);
  expect(history.requests).toHaveLength(2);
  expect(mirror.writes()).toBe(before);
  states.forEach((stream, n) => {
    const now = mirror.readState(stream);
    expect({ ...now, beganMs: 0, date: null }).toEqual({ ...placesBefore[n], beganMs: 0, date: null });
  });
  for (const request of history.requests) {
    const tail = request.filter?.includes('updatedOn eq null') ? tails[1] : tails[0];
    expect(world.answer(request).length).toBeLessThanOrEqual(1 + (tail?.length ?? 0));
  }
}

async function live(seed: number): Promise<void> {
  const history = createHistory(seed);
  const { dice, world } = history;
  for (let n = dice.below(12); n > 0; n -= 1) {
    happen(history);
    world.advance(dice.below(60_000));
  }
  while (!(await untilKilled(backfill(history)))) pass(history, 60_000);
  for (let n = 4 + dice.below(12); n > 0; n -= 1) {
    pass(history, dice.of([1_000, 60_000, 600_000]));
    const sinceMs = world.clock.now();
    if (await untilKilled(pull(history))) check(history, sinceMs);
  }
  await checkRest(history);
  check(history, world.clock.now());
}

describe('pullStreams over random histories', () => {
  const shares = Array.from({ length: 10 }, (_, n) => n);
  it.each(shares)('misses nothing, and rests at two requests (share %i)', async (share) => {
    for (let seed = FIRST_SEED + share; seed < FIRST_SEED + HISTORIES; seed += shares.length) {
      try {
        await live(seed);
      } catch (error) {
        throw new Error(`SEED=${seed} HISTORIES=1: ${(error as Error).message}`, { cause: error });
      }
    }
  });
});
