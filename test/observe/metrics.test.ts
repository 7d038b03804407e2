/** The figures that tell of the last certificate, of lateness and of drift: those of `status`, or none. */
import { expect, it } from 'vitest';
import { addSeconds, type Instant, instantFromMs, instantToMs } from '../../src/clients/instant.ts';
import { createMetrics, type MirrorState } from '../../src/observe/metrics.ts';
import { readStatus } from '../../src/status.ts';
import { runReconcile } from '../../src/sync.ts';
import { describeBoth } from '../push/warehouses.ts';
import type { World } from '../push/world.ts';

/** A mirror in which nothing happens. */
const REST: MirrorState = {
  status: {
    clients: { live: 0, deleted: 0 },
    cursor: null,
    lagSeconds: null,
    pending: 0,
    conflicts: 0,
    quarantined: 0,
    deadLetters: 0,
    massEdit: null,
    refetch: 0,
    backfill: 'done',
    certificate: null,
    lateness: null,
    drift: [],
    lastRuns: [],
  },
  oldestPendingMs: null,
  redisIsUp: true,
  warehouseIsUp: true,
};

const CHOICE = { deep: false, dryRun: false, allowMassDelete: false };

/** Lines of a scrape that tell of the mirror, without their help. */
async function scrape(world: World): Promise<readonly string[]> {
  const nowMs = world.clock.now();
  const state = {
    status: await readStatus(world.warehouse, world.clock),
    oldestPendingMs: null,
    redisIsUp: true,
    warehouseIsUp: true,
  };
  const { text } = await createMetrics().render(state, nowMs);
  return text.split('\n').filter((line) => /^mirror_(certificate|lookback|lateness|drift)/.test(line));
}

it('tells no age of the oldest edit where it could not be read', async () => {
  const age = async (oldestPendingMs: number | null | undefined) => {
    const { text } = await createMetrics().render({ ...REST, oldestPendingMs }, 5_000);
    return /^mirror_edits_oldest_pending_seconds .*/m.exec(text)?.[0];
  };
  expect(await age(undefined)).toBeUndefined();
  expect(await age(null)).toBe('mirror_edits_oldest_pending_seconds 0');
  expect(await age(2_000)).toBe('mirror_edits_oldest_pending_seconds 3');
});

describeBoth('the metrics', (begin) => {
  it('tell what the last reconcile certified, how late rows were, and which fields changed; else nothing', async () => {
    const world = await begin({ simulator: { token: 'lasting' }, lookbackSeconds: 300 });
    expect(await scrape(world)).toEqual([
      'mirror_lookback_too_short 0',
      'mirror_drift_fields{change="appeared"} 0',
      'mirror_drift_fields{change="vanished"} 0',
      'mirror_drift_fields{change="changed"} 0',
    ]);
    const { source } = world.simulator;
    const [first = '', late = '', edited = ''] = world.ids();
    const stamp = instantFromMs(world.clock.now());
    source.update(first, { fax: '1' }, { updatedOn: stamp });
    await world.pull();
    source.update(late, { fax: '2' }, { updatedOn: addSeconds(stamp, -3_600) });
    await world.sql(`UPDATE clients SET fax = 'mine' WHERE id = '${edited}'`);
    source.update(edited, { fax: 'theirs' });
    world.simulator.setFaults({ extraField: { name: 'nickname', value: 'Bo' } });
    const { certificate } = await runReconcile(world.engine, CHOICE);
    world.clock.advance(1_000);
    const at = instantToMs(certificate.to as Instant) / 1000;
    const lines = await scrape(world);
    expect(lines.slice(1)).toEqual([
      `mirror_certificate_timestamp_seconds ${at}`,
      'mirror_certificate_clients 20',
      'mirror_certificate_missing 0',
      'mirror_certificate_stale 1',
      'mirror_certificate_extra 0',
      'mirror_lateness_seconds{quantile="0.5"} 3600',
      'mirror_lateness_seconds{quantile="0.99"} 3600',
      'mirror_lateness_seconds{quantile="1"} 3600',
      'mirror_lateness_rows 1',
      'mirror_lateness_over_lookback_rows 1',
      'mirror_lookback_too_short 1',
      'mirror_lookback_wanted_seconds 5400',
      'mirror_drift_fields{change="appeared"} 1',
      'mirror_drift_fields{change="vanished"} 0',
      'mirror_drift_fields{change="changed"} 0',
    ]);
    expect(lines[0]).toMatch(/^mirror_certificate_age_seconds \d/);
  });
});
