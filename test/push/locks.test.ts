import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { describePostgres } from '../support/postgresWarehouse.ts';
import { createWorld, type World } from './world.ts';

const postgres = describePostgres();
beforeAll(() => postgres.begin());
afterAll(() => postgres.end());

describe('a push beside a transaction that stays open', () => {
  let world: World;
  afterEach(() => world.close());

  it('leaves its row alone and carries all others; when it commits its edit follows', async () => {
    const made = await postgres.make();
    world = await createWorld({ make: async () => made });
    const { simulator, sql, push, pull, ids, row } = world;
    const [locked = '', other = '', late = ''] = ids();
    await sql(`UPDATE clients SET fax = 'first' WHERE id IN ('${locked}', '${other}', '${late}')`);
    const user = await made.client();
    await user.query('BEGIN');
    await user.query(`UPDATE clients SET fax = 'second' WHERE id = '${locked}'`);
    // Another row is locked while its PATCH is away.
    simulator.setOnRequest(async ({ method, path }) => {
      if (method === 'PATCH' && path.endsWith(late)) {
        await user.query(`UPDATE clients SET home_phone = 'late' WHERE id = '${late}'`);
      }
    });
    const began = performance.now();
    await push();
    expect(performance.now() - began).toBeLessThan(3000);
    simulator.setOnRequest(undefined);
    expect(simulator.source.get(other)).toMatchObject({ fax: 'first' });
    expect(await row(other)).toMatchObject({ _base: null });
    expect(simulator.source.get(locked)?.fax).not.toBe('first');
    simulator.source.update(locked, { lastName: 'Meanwhile' });
    await pull();
    await user.query('COMMIT');
    await push();
    await pull();
    expect(simulator.source.get(locked)).toMatchObject({ fax: 'second', lastName: 'Meanwhile' });
    expect(simulator.source.get(late)).toMatchObject({ fax: 'first', homePhone: 'late' });
    for (const id of [locked, late]) expect(await row(id)).toMatchObject({ _base: null });
    expect(await row(locked)).toMatchObject({ fax: 'second', last_name: 'Meanwhile' });
    expect(await sql('SELECT * FROM mirror_conflicts')).toEqual([]);
    expect(await sql('SELECT * FROM mirror_pushes')).toEqual([]);
  });
});
