/** What fails behind a POST that was answered is no failure of the POST. */
import { expect, it } from 'vitest';
import { SyncError } from '../../src/errors.ts';
import { runPush } from '../../src/sync.ts';
import { describeBoth } from './warehouses.ts';

const INSERT = `INSERT INTO clients (email, first_name, last_name, external_id)
  VALUES ('one@example.com', 'One', 'Only', 'CRM one')`;

describeBoth('a create whose client cannot be read back', (begin) => {
  it.each(['AUTH', 'SERVER'] as const)('after %s is not made once more', async (code) => {
    const world = await begin();
    await world.sql(INSERT);
    const deaf = world.another({
      api: {
        ...world.api,
        get: () => Promise.reject(new SyncError(code, 'no answer')),
      },
    });
    await expect(runPush(deaf, { allowMassEdit: false })).rejects.toMatchObject({ code });
    world.clock.advance(3_600_000);
    if (world.kind === 'postgres') await world.expireClaims();
    await world.push();
    const made = world.simulator.source.all().filter(({ email }) => email === 'one@example.com');
    expect(made).toHaveLength(1);
    expect(await world.sql("SELECT id, _create FROM clients WHERE email = 'one@example.com'")).toEqual([
      { id: made[0]?.id, _create: null },
    ]);
    expect(await world.sql('SELECT * FROM mirror_pushes')).toEqual([]);
  });
});

describeBoth('a create whose answer has no id that can be read', (begin) => {
  it.each([null, '', 'client 7'])('but %j is found by its externalId, and keeps nothing back', async (id) => {
    const world = await begin();
    await world.sql(INSERT);
    const garbling = world.another({
      api: {
        ...world.api,
        create: async (...args) => ({ ...(await world.api.create(...args)), id }),
      },
    });
    await runPush(garbling, { allowMassEdit: false });
    const made = world.simulator.source.all().filter(({ email }) => email === 'one@example.com');
    expect(made).toHaveLength(1);
    expect(await world.sql("SELECT id, _create FROM clients WHERE email = 'one@example.com'")).toEqual([
      { id: made[0]?.id, _create: null },
    ]);
    expect(await world.sql('SELECT * FROM mirror_pushes')).toEqual([]);
  });

  it('is found where an older version has noted such an id', async () => {
    const world = await begin();
    await world.sql(INSERT);
    const deaf = world.another({
      api: { ...world.api, get: () => Promise.reject(new SyncError('SERVER', 'no answer')) },
    });
    await expect(runPush(deaf, { allowMassEdit: false })).rejects.toMatchObject({ code: 'SERVER' });
    const made = world.simulator.source.all().filter(({ email }) => email === 'one@example.com');
    expect(made).toHaveLength(1);
    await world.sql(`UPDATE mirror_pushes SET before = '{"strangers":[],"id":"client 7"}'`);
    world.clock.advance(3_600_000);
    if (world.kind === 'postgres') await world.expireClaims();
    await world.push();
    expect(await world.sql("SELECT id, _create FROM clients WHERE email = 'one@example.com'")).toEqual([
      { id: made[0]?.id, _create: null },
    ]);
  });
});
