/**
 * The backfill as a whole program. The heavy story can be made heavier: STORY_CLIENTS=100000 STORY_KILLS=20.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { ENGINES, type Mirror, startMirror } from '../support/mirror.ts';

const CLIENTS = Number(process.env.STORY_CLIENTS ?? 20_000);
const KILLS = Number(process.env.STORY_KILLS ?? 8);
const SEED = Number(process.env.STORY_SEED ?? 1);

let mirror: Mirror | undefined;
afterEach(async () => {
  await mirror?.close();
  mirror = undefined;
});

describe.each(ENGINES)('backfill on %s', (engine) => {
  it('mirrors every client, field by field', async () => {
    mirror = await startMirror(engine, { clients: 3_000, seed: SEED });
    const { stdout } = await mirror.ok(['backfill', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ written: 3_000 });
    expect(await mirror.differences()).toEqual([]);
  });

  it(`equals the source after drift, faults and ${KILLS} SIGKILLs`, { timeout: 600_000 }, async () => {
    mirror = await startMirror(engine, {
      clients: CLIENTS,
      seed: SEED,
      pageCap: 500,
      shape: { skew: true },
      faults: {
        drift: { changes: 3 },
        latency: { ms: 2, jitterMs: 20 },
        throttle: { probability: 0.005, retryAfter: 'seconds', seconds: 0.2 },
        serverError: { probability: 0.005, status: 503 },
        resetBefore: { probability: 0.005 },
        cutShort: { probability: 0.005 },
        tornJson: { probability: 0.005 },
        html: { probability: 0.003 },
      },
    });
    const rowsAtKills: number[] = [];
    for (let kill = 0; kill < KILLS; kill += 1) {
      const running = mirror.start(['backfill', '--concurrency', '4']);
      const { ended } = await Promise.race([
        running.done.then(() => ({ ended: true })),
        delay(700 + ((kill * 137) % 900)).then(() => ({ ended: false })),
      ]);
      running.child.kill('SIGKILL');
      await running.done;
      if (ended) break;
      rowsAtKills.push(Number((await mirror.read('SELECT count(*) AS count FROM clients'))[0]?.count));
    }
    // Each went on where the one before was killed.
    expect(rowsAtKills).toEqual([...rowsAtKills].sort((a, b) => a - b));
    await mirror.ok(['backfill', '--concurrency', '4']);
    mirror.simulator.setFaults({});
    await mirror.ok(['sync']);
    // Clients that drift removed meanwhile are beyond a backfill: the API lists no deletions.
    expect(await mirror.differences({ ignoreExtra: true })).toEqual([]);
    const [left] = await mirror.read(
      'SELECT (SELECT count(*) FROM mirror_windows) AS windows, (SELECT count(*) FROM mirror_quarantine) AS quarantined, (SELECT count(*) FROM mirror_refetch) AS refetch',
    );
    expect(left).toEqual({ windows: 0, quarantined: 0, refetch: 0 });
  });
});
