/** A backfill that another run begins anew while this one reads: it ends with words, and never says that it is done. */
import { expect, it } from 'vitest';
import { instantFromMs } from '../../src/clients/instant.ts';
import { createBackfill, readBackfill, readOpenWindows } from '../../src/ledger/windows.ts';
import { runBackfill } from '../../src/sync.ts';
import { describeBoth } from '../push/warehouses.ts';
import type { World } from '../push/world.ts';
import { differencesBetween } from '../support/mirror.ts';

const LANES = ['values', 'nulls'] as const;

/** What another run writes when it begins anew. */
const begun = ({ engine }: World) =>
  createBackfill(
    engine.options.shape,
    LANES.map((lane) => ({ lane, low: null, high: null })),
    instantFromMs(engine.clock.now()),
  );

describeBoth('a backfill that is begun anew elsewhere', (begin) => {
  it.each([
    ['in the midst of its pages', (open: number) => open > 0],
    ['while it catches up at its end', (open: number) => open === 0],
  ] as const)('says so %s, and leaves the newer one its work', async (_, isTime) => {
    const world = await begin({ simulator: { clients: 60, pageCap: 10 }, concurrency: 1 });
    let isReplaced = false;
    world.simulator.setOnRequest(async () => {
      const last = await readBackfill(world.warehouse);
      if (isReplaced || last?.state !== 'running') return;
      if (!isTime((await readOpenWindows(world.warehouse, last.id)).length)) return;
      isReplaced = true;
      await world.warehouse.commit(begun(world));
    });
    const error = await runBackfill(world.engine, { restart: true }).catch((thrown: unknown) => thrown);
    world.simulator.setOnRequest(undefined);
    expect(isReplaced).toBe(true);
    expect(error).toMatchObject({
      code: 'LEASE_LOST',
      message: expect.stringContaining('replaced by a newer one'),
    });
    expect(await readBackfill(world.warehouse)).toMatchObject({ state: 'running' });
    await runBackfill(world.engine, { restart: false });
    expect(await readBackfill(world.warehouse)).toMatchObject({ state: 'done' });
    expect(await differencesBetween(world.simulator, world.warehouse)).toEqual([]);
  });
});
