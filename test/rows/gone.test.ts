/** What a 404 proves, whoever asks: the to-do list, `quarantine retry` and reconcile go by one rule. */
import { expect, it } from 'vitest';
import type { Instant } from '../../src/clients/instant.ts';
import { listRefetch } from '../../src/ledger/refetch.ts';
import { retryQuarantine } from '../../src/rows/quarantine.ts';
import type { ClientRow } from '../../src/simulator/row.ts';
import { runReconcile } from '../../src/sync.ts';
import { describeBoth } from '../push/warehouses.ts';
import type { World } from '../push/world.ts';

const CHOICE = { deep: false, dryRun: false, allowMassDelete: false };
/** Time passes by itself here, by hours at the most. */
const LASTING = { lookbackSeconds: 40 * 86_400, simulator: { token: 'lasting' } } as const;
const LATER_MS = 41 * 86_400_000;
/** No such client fits. */
const UNFIT = { fico: 'high' } as unknown as Partial<ClientRow>;

const isDeleted = async (world: World, id: string) => (await world.row(id))._deleted_at !== null;
const listed = (world: World) => world.sql('SELECT id FROM mirror_refetch');

/** Puts ids on the to-do list, as of long ago. */
const list = (world: World, ...ids: string[]) =>
  world.warehouse.commit(
    ids.map((id) => listRefetch(id, 'raced', '2020-01-01T00:00:00.0000000Z' as Instant)),
  );

describeBoth('a 404 to a read by id', (begin) => {
  it('proves at once that an old client is gone', async () => {
    const world = await begin(LASTING);
    const [id = ''] = world.ids();
    await list(world, id);
    world.simulator.source.remove(id);
    await world.pull();
    expect(await isDeleted(world, id)).toBe(true);
    expect(await listed(world)).toEqual([]);
  });

  it('is believed of a young client, or one that was just shown, when it is said again a lookback later', async () => {
    const world = await begin(LASTING);
    const { source } = world.simulator;
    const [changed = '', shown = ''] = world.ids();
    const fresh = source.insert();
    source.update(changed, { fax: '1' });
    await world.pull();
    await list(world, fresh.id, changed);
    const at = new Date(world.clock.now()).toISOString().replace('Z', '0000Z') as Instant;
    await world.warehouse.commit([listRefetch(shown, 'locked', at)]);
    const ids = [fresh.id, changed, shown];
    // An instance that lags: it does not have them yet.
    const rows = ids.map((id) => source.remove(id));
    await world.pull();
    for (const id of ids) expect(await isDeleted(world, id)).toBe(false);
    for (const row of rows) if (row !== undefined) source.restore(row);
    world.clock.advance(LATER_MS);
    await world.pull();
    for (const id of ids) expect(await isDeleted(world, id)).toBe(false);
    expect(await listed(world)).toEqual([]);
    // And this time they are gone.
    source.update(changed, { fax: '2' });
    await world.pull();
    await list(world, changed);
    source.remove(changed);
    await world.pull();
    expect(await isDeleted(world, changed)).toBe(false);
    world.clock.advance(LATER_MS);
    await world.pull();
    expect(await isDeleted(world, changed)).toBe(true);
    expect(await listed(world)).toEqual([]);
  });

  it('begins to count anew when the client was shown in between', async () => {
    const world = await begin(LASTING);
    const { source } = world.simulator;
    const { id } = source.insert();
    await world.pull();
    await list(world, id);
    source.remove(id);
    await world.pull();
    world.clock.advance(LATER_MS);
    // As a page does whose row could not be taken.
    await list(world, id);
    for (const isBelieved of [false, true]) {
      await world.pull();
      expect(await isDeleted(world, id)).toBe(isBelieved);
      world.clock.advance(LATER_MS);
    }
  });

  it('is believed of a client stamped 2099 too, by reconcile and pull alike', async () => {
    const world = await begin(LASTING);
    const { source } = world.simulator;
    const [id = ''] = world.ids();
    source.update(id, { fax: 'far' }, { updatedOn: '2099-01-01T00:00:00Z' });
    await world.pull();
    source.remove(id);
    expect((await runReconcile(world.engine, CHOICE)).certificate).toMatchObject({ extra: 1, deleted: 0 });
    expect(await isDeleted(world, id)).toBe(false);
    world.clock.advance(LATER_MS);
    expect((await runReconcile(world.engine, CHOICE)).certificate).toMatchObject({ extra: 0, deleted: 1 });
    expect(await isDeleted(world, id)).toBe(true);
    expect(await listed(world)).toEqual([]);
  });

  it('leaves a row in quarantine that was just shown, and takes it out a lookback later', async () => {
    const world = await begin(LASTING);
    const { source } = world.simulator;
    const [bad = '', old = ''] = world.ids();
    for (const id of [bad, old]) source.update(id, UNFIT);
    await world.pull();
    expect(await world.sql('SELECT id FROM mirror_quarantine')).toHaveLength(2);
    await world.sql(`UPDATE mirror_quarantine SET at = '2020-01-01T00:00:00.0000000Z' WHERE id = '${old}'`);
    for (const id of [bad, old]) source.remove(id);
    expect(await retryQuarantine(world.engine)).toEqual({ mirrored: 1, kept: 1 });
    expect([await isDeleted(world, bad), await isDeleted(world, old)]).toEqual([false, true]);
    world.clock.advance(LATER_MS);
    await world.pull();
    expect(await isDeleted(world, bad)).toBe(true);
    expect(await world.sql('SELECT id FROM mirror_quarantine')).toEqual([]);
    expect(await listed(world)).toEqual([]);
  });

  it('is not asked of a client in quarantine that belongs to somebody else by now', async () => {
    const ownerId = '0f7a1c9e-0000-4000-8000-00000000000a';
    const world = await begin({ ownerId, simulator: { token: 'lasting', clients: 3 } });
    const { source } = world.simulator;
    const { id } = source.insert({ ownerId });
    await world.pull();
    source.update(id, UNFIT);
    await world.pull();
    source.update(id, { fico: 700, ownerId: '0f7a1c9e-0000-4000-8000-00000000000b' });
    expect(await retryQuarantine(world.engine)).toEqual({ mirrored: 1, kept: 0 });
    expect(await isDeleted(world, id)).toBe(true);
  });
});
