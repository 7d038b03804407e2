/** Reconcile over both warehouses: deletions proved, drift mended, and a certificate that can fail. */
import { expect, it } from 'vitest';
import { runReconcile } from '../../src/sync.ts';
import { describeBoth } from '../push/warehouses.ts';
import type { World } from '../push/world.ts';

const CHOICE = { deep: false, dryRun: false, allowMassDelete: false };
const run = (world: World, choice: Partial<typeof CHOICE> & { groupMax?: number } = {}) =>
  runReconcile(world.engine, { ...CHOICE, ...choice });

describeBoth('reconcile', (begin) => {
  it('sets _deleted_at of a client that the source answers 404 for, and keeps its values', async () => {
    const world = await begin();
    const [gone = ''] = world.ids();
    const before = await world.row(gone);
    world.simulator.source.remove(gone);
    const report = await run(world);
    expect(report.certificate).toMatchObject({ clients: 19, missing: 0, stale: 0, extra: 0, deleted: 1 });
    const after = await world.row(gone);
    expect(after._deleted_at).not.toBeNull();
    expect(after.email).toBe(before.email);
    expect(await world.sql('SELECT count(*) AS n FROM clients WHERE _deleted_at IS NULL')).toMatchObject([
      { n: expect.toSatisfy((n: unknown) => Number(n) === 19) },
    ]);
  });
});
