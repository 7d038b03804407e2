/**
 * Kills a push at every step: before and after each commit and each request. A clean pass follows, and then the
 * accounts must be right: every edit is at the source, or on record with its value, and nothing was done twice.
 */
import { expect, it } from 'vitest';
import type { ClientsApi } from '../../src/api/endpoints.ts';
import { runPush } from '../../src/sync.ts';
import type { Warehouse } from '../../src/warehouse/warehouse.ts';
import { describeBoth } from './warehouses.ts';
import type { World } from './world.ts';

class Killed extends Error {}

/** Lets `passes` steps happen; the next one is the last, done or not done, and nobody hears of it. */
function createKiller(passes: number, isDone: boolean) {
  let steps = 0;
  const step = async <T>(work: () => Promise<T>): Promise<T> => {
    steps += 1;
    if (steps <= passes) return work();
    if (steps === passes + 1 && isDone) await work();
    throw new Killed();
  };
  const killer = {
    steps: () => steps,
    warehouse: (inner: Warehouse): Warehouse => ({
      ...inner,
      commit: (writes, lease) => step(() => inner.commit(writes, lease)),
      // Only what changes something is a step of its own; but the dead read nothing either.
      read: (query) => (steps > passes ? Promise.reject(new Killed()) : inner.read(query)),
    }),
    api: (inner: ClientsApi): ClientsApi => ({
      ...inner,
      list: (query, options) => step(() => inner.list(query, options)),
      get: (id, options) => step(() => inner.get(id, options)),
      create: (body, options) => step(() => inner.create(body, options)),
      update: (id, body, options) => step(() => inner.update(id, body, options)),
      delete: (id, options) => step(() => inner.delete(id, options)),
    }),
  };
  return killer;
}

interface Scene {
  readonly edited: string;
  readonly disputed: string;
  readonly refused: string;
  readonly rewritten: string;
  readonly deleted: string;
  readonly email: string;
}

async function play({ sql, simulator }: World, ids: readonly string[], turn: number): Promise<Scene> {
  const [edited = '', disputed = '', refused = '', rewritten = '', deleted = ''] = ids;
  const email = `new${turn}@example.com`;
  const set = (id: string, text: string) => sql(`UPDATE clients SET ${text} WHERE id = '${id}'`);
  await set(edited, `fax = 'fax ${turn}', fico = 600`);
  await set(disputed, "home_phone = 'local', source = 'here'");
  simulator.source.update(disputed, { homePhone: 'remote' });
  await set(refused, "first_name = 'Nope', last_name = 'Fine'");
  await set(rewritten, `email = 'Upper${turn}@Example.com'`);
  await sql(`INSERT INTO clients (email, first_name, last_name) VALUES ('${email}', 'New', 'Client')`);
  await sql(`DELETE FROM clients WHERE id = '${deleted}'`);
  return { edited, disputed, refused, rewritten, deleted, email };
}

async function check({ sql, simulator: { source }, row }: World, scene: Scene, turn: number): Promise<void> {
  const conflicts = (id: string) =>
    sql(`SELECT field, local, resolution FROM mirror_conflicts WHERE client_id = '${id}' ORDER BY id`);
  expect(source.get(scene.edited)).toMatchObject({ fax: `fax ${turn}`, fico: 600 });
  expect(await row(scene.edited)).toMatchObject({ fax: `fax ${turn}`, fico: 600, _base: null });
  expect(await conflicts(scene.edited)).toEqual([]);
  expect(source.get(scene.disputed)).toMatchObject({ homePhone: 'remote', source: 'here' });
  expect(await row(scene.disputed)).toMatchObject({ home_phone: 'remote', source: 'here', _base: null });
  expect(await conflicts(scene.disputed)).toEqual([
    { field: 'homePhone', local: '"local"', resolution: 'remote' },
  ]);
  expect(source.get(scene.refused)).toMatchObject({ lastName: 'Fine' });
  expect(await row(scene.refused)).toMatchObject({ first_name: 'Nope', last_name: 'Fine' });
  const [letter] = await sql(
    `SELECT outcome, value FROM mirror_edits WHERE client_id = '${scene.refused}' AND field = 'firstName' ORDER BY id DESC LIMIT 1`,
  );
  expect(letter).toEqual({ outcome: 'refused', value: '"Nope"' });
  expect(await row(scene.rewritten)).toMatchObject({ email: `upper${turn}@example.com`, _base: null });
  expect(await conflicts(scene.rewritten)).toEqual([
    { field: 'email', local: `"Upper${turn}@Example.com"`, resolution: 'rewritten' },
  ]);
  const created = source.all().filter((client) => client.email === scene.email);
  expect(created).toHaveLength(1);
  expect(await sql(`SELECT id, _create FROM clients WHERE email = '${scene.email}'`)).toEqual([
    { id: created[0]?.id, _create: null },
  ]);
  expect(source.get(scene.deleted)).toBeUndefined();
  expect(await sql(`SELECT id FROM clients WHERE id = '${scene.deleted}'`)).toEqual([]);
  expect(await sql('SELECT * FROM mirror_pushes')).toEqual([]);
  expect(await sql('SELECT * FROM mirror_deletes')).toEqual([]);
  expect(await sql("SELECT * FROM mirror_edits WHERE outcome = 'ignored'")).toEqual([]);
}

describeBoth('a push that is killed', (begin) => {
  it.each([true, false])('at any step (done: %s) loses nothing and does nothing twice', async (isDone) => {
    const world = await begin({ deletes: true, simulator: { clients: 400 } });
    world.simulator.setFaults({ refuseFields: { firstName: 422 }, normalise: { email: 'lower' } });
    const ids = world.ids();
    let turn = 0;
    for (; ; turn += 1) {
      const scene = await play(world, ids.slice(turn * 5, turn * 5 + 5), turn);
      const killer = createKiller(turn, isDone);
      const dying = world.another({
        warehouse: killer.warehouse(world.warehouse),
        api: killer.api(world.api),
      });
      const ended = await runPush(dying, { allowMassEdit: false }).then(
        () => 'done',
        (error: unknown) => error,
      );
      if (ended !== 'done') expect(ended).toBeInstanceOf(Killed);
      world.clock.advance(500_000);
      if (world.kind === 'postgres')
        await world.sql('UPDATE mirror_pushes SET claimed_ms = claimed_ms - 500000');
      await world.push();
      await world.sync();
      await check(world, scene, turn);
      if (ended === 'done') break;
    }
    expect(turn).toBeGreaterThan(15);
  });
});
