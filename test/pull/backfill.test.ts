/** The lanes of a backfill against the simulator: what becomes of the others when one of them fails. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../config/load.ts';
import { withEngine } from '../../src/app.ts';
import { systemClock } from '../../src/clock.ts';
import { SyncError } from '../../src/errors.ts';
import { backfill, beginBackfill } from '../../src/pull/backfill.ts';
import type { Engine } from '../../src/rows/engine.ts';
import { type Mirror, startMirror } from '../support/mirror.ts';

let mirror: Mirror;
beforeEach(async () => {
  mirror = await startMirror('sqlite', { clients: 200 });
});
afterEach(async () => {
  await mirror.close();
});

describe('backfill', () => {
  it('waits for every lane before it tells of the one that failed, and holds no window then', async () => {
    const config = loadConfig({ env: { ...mirror.env, MIRROR_CONCURRENCY: '2' }, needs: ['api'] });
    const { signal } = new AbortController();
    const options = { config, clock: systemClock, emit: () => undefined, signal };
    await withEngine(options, async (engine) => {
      await beginBackfill(engine, { restart: false });
      const lanes = { asked: 0, ended: 0 };
      const page: Engine['source']['page'] = async (_, signal) => {
        lanes.asked += 1;
        const isFirst = lanes.asked === 1;
        while (lanes.asked < 2) await delay(1);
        if (isFirst) throw new SyncError('NETWORK', 'the first lane fails');
        // The other one takes its time to stop.
        while (!signal.aborted) await delay(1);
        await delay(50);
        lanes.ended += 1;
        throw signal.reason;
      };
      const failing = { ...engine, source: { ...engine.source, page } };
      await expect(backfill(failing, { restart: false })).rejects.toThrow('the first lane fails');
      expect(lanes).toEqual({ asked: 2, ended: 1 });
      const held = "SELECT name FROM mirror_leases WHERE name LIKE 'window:%' AND holder IS NOT NULL";
      expect(await engine.warehouse.read({ sql: held, params: [] })).toEqual([]);
    });
  });
});
