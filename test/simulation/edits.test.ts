/**
 * The sentences "no edit is ever lost" and "no tombstone without proof" on random lives of a mirror: as many seeds as
 * there is time for.
 * `SEED=n` plays that one and prints what happened; `npm run simulate:edits` plays thousands.
 */
import { describe, expect, it } from 'vitest';
import { createTestDatabase } from '../support/postgres.ts';
import { playSeed } from './edits.ts';
import { createPostgresPlace, createSqlitePlace, type Place } from './places.ts';

const SEED = process.env.SEED === undefined ? null : Number(process.env.SEED);

/** Plays seeds for so long, at least one. */
async function playMany(make: () => Promise<Place>, forMs: number): Promise<void> {
  const untilMs = performance.now() + forMs;
  const first = SEED ?? 1;
  let seed = first;
  do {
    const place = await make();
    const lines: string[] = [];
    try {
      const { findings } = await playSeed(seed, place, (line) => lines.push(line));
      if (SEED !== null || findings.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
      expect(findings, `SEED=${seed} npx vitest run test/simulation plays it again`).toEqual([]);
    } finally {
      await place.close();
    }
    seed += 1;
  } while (SEED === null && performance.now() < untilMs);
  process.stdout.write(`simulated lives: seeds ${first} to ${seed - 1}\n`);
}

describe('no edit is lost and no client taken for deleted', () => {
  it('in random lives of a mirror on SQLite', async () => {
    await playMany(createSqlitePlace, 35_000);
  }, 180_000);

  it('in random lives of a mirror on Postgres', async () => {
    const database = await createTestDatabase();
    try {
      await playMany(() => createPostgresPlace(database.url), 25_000);
    } finally {
      await database.drop();
    }
  }, 180_000);
});
