import { expect, it } from 'vitest';
import { describeBoth } from './warehouses.ts';

const OLD = '00000000-1111-4111-8111-000000000000';
const UPSERT = `INSERT INTO clients (id, email, first_name, last_name) VALUES ('${OLD}', 'one@example.com', 'One', 'Only')
  ON CONFLICT (id) DO UPDATE SET first_name = excluded.first_name`;

describeBoth('an upsert under the id that a row was inserted with', (begin) => {
  it('makes no second client once the first has the id of the source', async () => {
    const world = await begin();
    await world.sql(UPSERT);
    await world.push();
    await expect(world.sql(UPSERT)).rejects.toThrow(/mirror_ids tells which/);
    await world.push();
    const made = world.simulator.source.all().filter(({ email }) => email === 'one@example.com');
    expect(made).toHaveLength(1);
    expect(await world.sql("SELECT id FROM clients WHERE email = 'one@example.com'")).toEqual([
      { id: made[0]?.id },
    ]);
  });
});
