import { expect, it } from 'vitest';
import { SyncError } from '../../src/errors.ts';
import { runPush } from '../../src/sync.ts';
import { describeBoth } from './warehouses.ts';

describeBoth('an insert that the source has refused', (begin) => {
  it('does not keep another client with its externalId out of the mirror', async () => {
    const world = await begin();
    await world.sql(
      "INSERT INTO clients (email, first_name, last_name, external_id) VALUES ('one@example.com', 'One', 'Only', 'CRM one')",
    );
    const refused = () => Promise.reject(new SyncError('REFUSED', 'no', { status: 422, body: 'no' }));
    await runPush(world.another({ api: { ...world.api, create: refused } }), { allowMassEdit: false });
    const other = world.simulator.source.insert({ email: 'other@example.com', externalId: 'crm ONE' });
    await world.sync();
    expect(await world.row(other.id)).toMatchObject({ email: 'other@example.com', _create: null });
    expect(await world.sql('SELECT * FROM mirror_refetch')).toEqual([]);
    const open = await world.sql("SELECT _create FROM clients WHERE email = 'one@example.com'");
    expect(open).toHaveLength(1);
    expect(open[0]?._create).not.toBeNull();
  });
});
