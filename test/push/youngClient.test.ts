/** An instance of the source that lags does not know yet of a client that was just made. */
import { expect, it } from 'vitest';
import { runPush } from '../../src/sync.ts';
import { describeBoth } from './warehouses.ts';
import type { World } from './world.ts';

const LOOKBACK_MS = 300_000;

async function editYoung(world: World): Promise<string> {
  const { id } = world.simulator.source.insert({ email: 'young@example.com' });
  await world.pull();
  await world.sql(`UPDATE clients SET fico = 700 WHERE id = '${id}'`);
  return id;
}

const laggingApi = ({ api }: World) => ({
  ...api,
  list: async () => ({ rows: [], date: null, nextLink: null }),
  get: async () => ({ found: false, date: null }) as const,
});

describeBoth('the edit of a client that was just made', (begin) => {
  it('outlives a 404 of an instance that lags', async () => {
    const world = await begin();
    const id = await editYoung(world);
    await runPush(world.another({ api: laggingApi(world) }), { allowMassEdit: false });
    expect(await world.sql('SELECT * FROM mirror_conflicts')).toEqual([]);
    expect(await world.row(id)).toMatchObject({ _deleted_at: null, _parked: null, fico: 700 });
    world.clock.advance(LOOKBACK_MS);
    await world.sync();
    expect(world.simulator.source.get(id)).toMatchObject({ fico: 700 });
    expect(await world.sql('SELECT * FROM mirror_refetch')).toEqual([]);
  });

  it('is told as deleted at the source where the 404 is said again a lookback later', async () => {
    const world = await begin();
    const id = await editYoung(world);
    world.simulator.source.remove(id);
    await world.push();
    expect(await world.row(id)).toMatchObject({ _deleted_at: null });
    world.clock.advance(LOOKBACK_MS);
    await world.push();
    expect(await world.sql('SELECT client_id, field FROM mirror_conflicts')).toEqual([
      { client_id: id, field: null },
    ]);
    expect((await world.row(id))._deleted_at).not.toBeNull();
    expect(await world.sql('SELECT * FROM mirror_refetch')).toEqual([]);
  });
});
