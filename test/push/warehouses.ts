/** Runs a suite over both warehouses, one world a test. */
import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import { describePostgres } from '../support/postgresWarehouse.ts';
import { makeSqlite } from '../support/sqlite.ts';
import { createWorld, type World, type WorldOptions } from './world.ts';

export type Begin = (options?: Omit<WorldOptions, 'make'>) => Promise<World>;

export function describeBoth(name: string, suite: (begin: Begin, kind: 'sqlite' | 'postgres') => void): void {
  const postgres = describePostgres();
  const makes = { sqlite: makeSqlite, postgres: () => postgres.make() } as const;
  for (const kind of ['sqlite', 'postgres'] as const) {
    describe(`${name}, ${kind}`, () => {
      if (kind === 'postgres') {
        beforeAll(() => postgres.begin());
        afterAll(() => postgres.end());
      }
      const worlds: World[] = [];
      afterEach(async () => {
        for (const world of worlds.splice(0)) await world.close();
      });
      suite(async (options = {}) => {
        const world = await createWorld({ make: makes[kind], ...options });
        worlds.push(world);
        return world;
      }, kind);
    });
  }
}
