/** A create that succeeded, and whose client others removed at the source before it could be read back. */
import { expect, it } from 'vitest';
import { discardEdits } from '../../src/decisions/discard.ts';
import { retryEdits } from '../../src/decisions/retry.ts';
import { SyncError } from '../../src/errors.ts';
import type { ClientRow } from '../../src/simulator/row.ts';
import { runPush } from '../../src/sync.ts';
import { describeBoth } from './warehouses.ts';
import type { World } from './world.ts';

const atSource = ({ simulator }: World) =>
  simulator.source.all().filter(({ email }) => email === 'one@example.com');
const here = async (world: World) => world.sql("SELECT * FROM clients WHERE email = 'one@example.com'");
const hand = ({ warehouse, clock }: World) => ({
  ...{ warehouse, clock },
  ...{ excluded: new Set<string>(), sends: true },
});

/** Returns what the source had, and has not any more. */
async function lose(world: World, external: string): Promise<ClientRow> {
  await world.sql(`INSERT INTO clients (email, first_name, last_name, fico, external_id)
    VALUES ('one@example.com', 'One', 'Only', 600, ${external})`);
  const deaf = { ...world.api, get: () => Promise.reject(new SyncError('SERVER', 'no answer')) };
  await runPush(world.another({ api: deaf }), { allowMassEdit: false }).catch(() => undefined);
  const [made] = atSource(world) as [ClientRow];
  world.simulator.source.remove(made.id);
  world.clock.advance(3_600_000);
  if (world.kind === 'postgres') await world.expireClaims();
  await world.push();
  expect(await world.sql("SELECT message FROM mirror_edits WHERE outcome = 'refused'")).toEqual([
    { message: `the source created it as ${made.id} and does not have it any more` },
  ]);
  return made;
}

describeBoth('a create whose client was removed at the source', (begin) => {
  it.each(['NULL', "'CRM one'"])('that came back is not made once more, externalId %s', async (external) => {
    const world = await begin();
    const made = await lose(world, external);
    world.simulator.source.restore(made);
    // An edit sets it free, as a retry does.
    await world.sql("UPDATE clients SET fico = 700 WHERE email = 'one@example.com'");
    await world.push();
    await world.push();
    expect(atSource(world)).toMatchObject([{ id: made.id, fico: 700 }]);
    expect(await here(world)).toMatchObject([{ id: made.id, _create: null, _base: null }]);
    expect(await world.sql('SELECT * FROM mirror_pushes')).toEqual([]);
  });

  it('that came back is mirrored, and is one row with the dead letter once that is set free', async () => {
    const world = await begin();
    const made = await lose(world, "'CRM one'");
    world.simulator.source.restore(made);
    world.simulator.source.update(made.id, { workPhone: '1' });
    await world.sync();
    expect(await world.row(made.id)).toMatchObject({ work_phone: '1', _create: null });
    expect(await here(world)).toHaveLength(2);
    expect(await world.sql('SELECT * FROM mirror_refetch')).toEqual([]);
    await world.sql('UPDATE clients SET fico = 700 WHERE _create IS NOT NULL');
    await world.push();
    await world.push();
    expect(atSource(world)).toMatchObject([{ id: made.id, fico: 700, workPhone: '1' }]);
    expect(await here(world)).toMatchObject([{ id: made.id, fico: 700, _create: null, _base: null }]);
  });

  it('is made anew, once, where a person wants it again', async () => {
    const world = await begin();
    const made = await lose(world, "'CRM one'");
    const [row] = await here(world);
    await retryEdits(hand(world), String(row?.id));
    await world.push();
    await world.push();
    const [again, ...more] = atSource(world);
    expect(more).toEqual([]);
    expect(again?.id).not.toBe(made.id);
    expect(await here(world)).toMatchObject([{ id: again?.id, _create: null }]);
    expect(world.simulator.requests.count({ method: 'POST' })).toBe(2);
  });

  it('can be given up', async () => {
    const world = await begin();
    await lose(world, 'NULL');
    const [row] = await here(world);
    await discardEdits(hand(world), String(row?.id));
    await world.sync();
    // A 404 of a client that was just asked about counts when it is said again.
    world.clock.advance(3_600_000);
    await world.sync();
    expect(await here(world)).toEqual([]);
    expect(atSource(world)).toEqual([]);
    expect(await world.sql('SELECT * FROM mirror_pushes')).toEqual([]);
    expect(await world.sql('SELECT * FROM mirror_refetch')).toEqual([]);
  });
});
