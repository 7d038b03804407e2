/**
 * The whole program against trouble of every kind, a short round on each warehouse. `npm run simulate:soak` plays long
 * ones; SOAK_SEED=n plays another short one.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPostgresPlace, createSqlitePlace, type Place } from '../simulation/places.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { playRound } from './round.ts';
import type { Size } from './world.ts';

const SEED = Number(process.env.SOAK_SEED ?? 1);
const SHORT: Size = {
  steps: [18, 22],
  spells: 1,
  clients: [15, 40],
  lookbackSeconds: 2,
  restCycles: 2,
  processes: 2,
  longStops: false,
};

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(async () => {
  await redis.close();
});

async function play(place: Place): Promise<void> {
  const lines: string[] = [];
  try {
    const trace = (line: string) => void lines.push(line);
    const { findings } = await playRound({ seed: SEED, place, redis, size: SHORT, trace });
    if (findings.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
    expect(findings).toEqual([]);
  } finally {
    await place.close();
  }
}

describe('the whole program, killed, stopped and lied to', () => {
  it('loses nothing, doubles nothing and comes to rest on SQLite', { timeout: 240_000 }, async () => {
    await play(await createSqlitePlace());
  });

  it('loses nothing, doubles nothing and comes to rest on Postgres', { timeout: 240_000 }, async () => {
    const database = await createTestDatabase();
    try {
      await play(await createPostgresPlace(database.url));
    } finally {
      await database.drop();
    }
  });
});
