/**
 * The sentence "no edit is ever lost" on random lives of a mirror: as many seeds as there is time for.
 * `SEED=n` plays that one and prints what happened; `npm run simulate:edits` plays thousands.
 */
import { describe, expect, it } from 'vitest';
import { createTestDatabase } from '../support/postgres.ts';
import { playSeed } from './edits.ts';
import { createPostgresPlace, createSqlitePlace, type Place } from './places.ts';

const SEED = process.env.SEED === undefined ? null : Number(process.env.SEED);
const SEEDS_MIN = 5;

async function playMany(make: () => Promise<Place>, forMs: number): Promise<number> {
  const untilMs = performance.now() + forMs;
  let seed = SEED ?? 1;
  for (; seed <= SEEDS_MIN || performance.now() < untilMs; seed += 1) {
    const place = await make();
    const lines: string[] = [];
    try {
      const { findings } = await playSeed(seed, place, (line) => lines.push(line));
      if (SEED !== null || findings.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
      expect(findings, `SEED=${seed} npx vitest run test/simulation plays it again`).toEqual([]);
    } finally {
      await place.close();
    }
    if (SEED !== null) return 1;
  }
  return seed - 1;
}

describe('no edit is ever lost', () => {
  it('in random lives of a mirror on SQLite', async () => {
    const seeds = await playMany(createSqlitePlace, 60_000);
    expect(seeds).toBeGreaterThan(0);
  }, 180_000);

  it('in random lives of a mirror on Postgres', async () => {
    const database = await createTestDatabase();
    try {
      const seeds = await playMany(() => createPostgresPlace(database.url), 45_000);
      expect(seeds).toBeGreaterThan(0);
    } finally {
      await database.drop();
    }
  }, 180_000);
});
