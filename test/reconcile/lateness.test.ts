/** The lookback that measures itself, and the journal of fields. */
import { describe, expect, it } from 'vitest';
import { addSeconds, instantFromMs } from '../../src/clients/instant.ts';
import type { KnownField } from '../../src/ledger/drift.ts';
import { planCensus, type Sighting } from '../../src/reconcile/census.ts';
import { needsAttention, readStatus } from '../../src/status.ts';
import { runReconcile } from '../../src/sync.ts';
import { describeBoth } from '../push/warehouses.ts';

const CHOICE = { deep: false, dryRun: false, allowMassDelete: false };

describeBoth('lateness', (begin) => {
  it('is measured by pulls and by reconcile, and a lookback that is too short is said with a number', async () => {
    const world = await begin({ simulator: { token: 'lasting' }, lookbackSeconds: 300 });
    const { simulator, warehouse, clock } = world;
    const { source } = simulator;
    const [first = '', late = '', later = ''] = world.ids();
    const status = () => readStatus(warehouse, clock);
    const stamp = instantFromMs(clock.now());
    source.update(first, { fax: '1' }, { updatedOn: stamp });
    await world.pull();
    expect((await status()).lateness).toBeNull();
    // Committed under a stamp that a complete pull had passed by four seconds: the lookback brings it.
    source.update(late, { fax: '2' }, { updatedOn: addSeconds(stamp, -4) });
    await world.pull();
    expect((await status()).lateness).toMatchObject({
      count: 1,
      maxSeconds: 4,
      over: 0,
      lookbackSeconds: null,
    });
    // And one by an hour: only reconcile finds it.
    source.update(later, { fax: '3' }, { updatedOn: addSeconds(stamp, -3_600) });
    await world.pull();
    const report = await runReconcile(world.engine, CHOICE);
    expect(report.certificate).toMatchObject({ mended: { stale: 1 }, stale: 0 });
    const after = await status();
    expect(after.lateness).toMatchObject({ count: 2, medianSeconds: 5, over: 1, lookbackSeconds: 5_400 });
    expect(needsAttention(after).join()).toContain('MIRROR_LOOKBACK_SECONDS to 5400');
    // A restore is no late commit.
    source.update(first, { fax: '4' }, { updatedOn: addSeconds(stamp, -100) });
    await world.pull();
    await runReconcile(world.engine, CHOICE);
    expect((await status()).lateness).toMatchObject({ count: 2 });
  });
});

describeBoth('the journal of fields', (begin) => {
  it('tells once of a field that appears, and keeps its values meanwhile', async () => {
    const world = await begin();
    world.simulator.setFaults({ extraField: { name: 'nickname', value: 'Bo' } });
    const told = () => world.events.filter((event) => event.type === 'notice').map((event) => event.message);
    await runReconcile(world.engine, { ...CHOICE, deep: true });
    expect(told().join()).toContain('new field nickname (string)');
    const count = told().length;
    expect((await readStatus(world.warehouse, world.clock)).drift).toMatchObject([
      { field: 'nickname', change: 'appeared', is: 'string' },
    ]);
    expect(await world.sql('SELECT id FROM clients WHERE _extra IS NOT NULL')).toHaveLength(20);
    await runReconcile(world.engine, CHOICE);
    expect(told()).toHaveLength(count);
    world.simulator.setFaults({});
    await runReconcile(world.engine, CHOICE);
    expect((await readStatus(world.warehouse, world.clock)).drift).toMatchObject([
      { field: 'nickname', change: 'vanished', was: 'string', is: '' },
    ]);
  });
});

describe('planCensus', () => {
  const known = (...fields: KnownField[]) => new Map(fields.map((field) => [field.name, field]));
  const sight = (types: Record<string, string>, held: string[] = []): Sighting => ({
    types: new Map(Object.entries(types)),
    held: new Set(held),
  });
  const none = new Set<string>();
  const fax: KnownField = { name: 'fax', type: 'string', isPresent: true };

  it('tells of a type that changed, documented or not', () => {
    expect(planCensus(known(), [sight({ fico: 'string' })], none)).toMatchObject([
      {
        field: { name: 'fico', type: 'number|string' },
        drift: { change: 'changed', was: 'number', is: 'string' },
      },
    ]);
    const note = { name: 'note', type: 'string', isPresent: true };
    expect(planCensus(known(note), [sight({ note: 'object' })], none)[0]?.drift).toMatchObject({
      change: 'changed',
    });
    expect(planCensus(known({ ...note, type: 'object|string' }), [sight({ note: 'object' })], none)).toEqual(
      [],
    );
  });

  it('takes a field for gone only where clients that had a value lack it', () => {
    const lacking = sight({ id: 'string' }, ['fax']);
    const id = { name: 'id', type: 'string', isPresent: true };
    expect(planCensus(known(fax, id), [lacking, lacking, sight({ id: 'string' })], none)).toEqual([]);
    expect(planCensus(known(fax, id), [lacking, lacking, lacking], none)).toMatchObject([
      { field: { name: 'fax', isPresent: false }, drift: { change: 'vanished' } },
    ]);
  });

  it('tells nothing of the documented fields at first, of nulls, and of what is excluded', () => {
    expect(planCensus(known(), [sight({ fax: 'string' })], none)).toMatchObject([{ drift: null }]);
    expect(planCensus(known(fax), [sight({ fax: 'null' })], none)).toEqual([]);
    expect(planCensus(known(), [sight({ secret: 'string' })], new Set(['secret']))).toEqual([]);
  });
});
