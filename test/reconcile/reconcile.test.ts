/** Reconcile over both warehouses: deletions proved, drift mended, and a certificate that can fail. */
import { expect, it } from 'vitest';
import type { Instant } from '../../src/clients/instant.ts';
import { type ClientRecord, parseRow } from '../../src/clients/record.ts';
import { readFindings } from '../../src/ledger/findings.ts';
import { readTombstones } from '../../src/ledger/tombstones.ts';
import type { ReconcileChoice } from '../../src/reconcile/reconcile.ts';
import { compareSample } from '../../src/reconcile/sample.ts';
import { purgeTombstones, recheckTombstones } from '../../src/reconcile/tombstones.ts';
import { readStatus } from '../../src/status.ts';
import { runPull, runReconcile } from '../../src/sync.ts';
import { ownDelete } from '../../src/warehouse/dialect.ts';
import { describeBoth } from '../push/warehouses.ts';
import type { World } from '../push/world.ts';

const CHOICE: ReconcileChoice = { deep: false, dryRun: false, allowMassDelete: false };
const run = (world: World, choice: Partial<ReconcileChoice> = {}) =>
  runReconcile(world.engine, { ...CHOICE, ...choice });
const EQUAL = { missing: 0, stale: 0, extra: 0 };

const live = async (world: World): Promise<string[]> =>
  (await world.sql('SELECT id FROM clients WHERE _deleted_at IS NULL')).map((row) => String(row.id)).sort();

/** Lists of single ids that were asked for. */
const askedById = (world: World) =>
  world.simulator.requests.log.filter(({ query }) => /\bid eq /.test(decodeURIComponent(query)));

/** Takes a row out of the mirror behind its back. */
const lose = (world: World, id: string) => world.warehouse.commit(ownDelete('id = ?', [id]));

/** Puts values into a row of the mirror behind its back, with the stamp that it has or another. */
async function plant(world: World, id: string, changes: Readonly<Record<string, unknown>>): Promise<void> {
  const row = { ...world.simulator.source.get(id), ...changes };
  const record = parseRow(row, { excluded: new Set(['loginToken']), acceptsNul: false }) as ClientRecord;
  const at = '2026-01-01T00:00:00.0000000Z' as Instant;
  await world.warehouse.commit([
    { kind: 'rows', rows: [record], noted: Number.MAX_SAFE_INTEGER, at, trust: 'believed' },
  ]);
}

describeBoth('reconcile', (begin) => {
  it('sets _deleted_at of a client that the source answers 404 for, and keeps its values', async () => {
    const world = await begin();
    const [gone = ''] = world.ids();
    const before = await world.row(gone);
    world.simulator.source.remove(gone);
    const report = await run(world);
    expect(report.certificate).toMatchObject({ clients: 19, ...EQUAL, deleted: 1 });
    const after = await world.row(gone);
    expect(after._deleted_at).not.toBeNull();
    expect(after.email).toBe(before.email);
    expect(await live(world)).toEqual(world.ids());
    expect((await run(world)).written).toBe(0);
  });

  it('certifies equality, changes nothing where nothing differs, and shares a line with idle runs', async () => {
    const world = await begin({ simulator: { clients: 60, pageCap: 7 } });
    const report = await run(world);
    const shares = world.events.flatMap((event) => (event.type === 'sweepProgress' ? event.share : []));
    expect(shares.at(-1)).toBe(1);
    expect(shares).toEqual([...shares].sort());
    expect(report).toMatchObject({
      written: 0,
      findings: [],
      certificate: { clients: 60, ...EQUAL, changed: 0 },
    });
    expect(await run(world, { deep: true })).toMatchObject({
      written: 0,
      certificate: { clients: 60, ...EQUAL, deep: true },
    });
    const status = await readStatus(world.warehouse, world.clock);
    expect(status.lastRuns.find((one) => one.kind === 'reconcile')).toMatchObject({
      count: 2,
      state: 'done',
    });
  });

  it('finds, names and mends one missing row and one other version', async () => {
    const world = await begin({ simulator: { clients: 60, pageCap: 7 } });
    const [lost = ''] = world.ids();
    const { source } = world.simulator;
    const old = source.all().find((row) => row.id !== lost && row.updatedOn !== null)?.id ?? '';
    await lose(world, lost);
    await plant(world, old, { updatedOn: '2001-01-01T00:00:00Z', fax: 'old' });
    const dry = await run(world, { dryRun: true });
    expect(dry.certificate).toMatchObject({ missing: 1, stale: 1, extra: 0 });
    expect(dry.findings.map(({ id, what }) => [id, what])).toEqual([
      [lost, 'missing'],
      [old, 'stale'],
    ]);
    expect(await live(world)).not.toContain(lost);
    const report = await run(world);
    expect(report.findings.map(({ id, what, outcome }) => [id, what, outcome])).toEqual([
      [lost, 'missing', 'mended'],
      [old, 'stale', 'mended'],
    ]);
    expect(report.certificate).toMatchObject({ ...EQUAL, mended: { missing: 1, stale: 1 } });
    expect(await live(world)).toEqual(world.ids());
  });

  it('finds and names one wrong field under an equal stamp, with --deep', async () => {
    const world = await begin({ simulator: { clients: 60, pageCap: 7 } });
    const [wrong = ''] = world.ids();
    await plant(world, wrong, { totalIncome: 0.1 + 0.2 });
    expect((await run(world)).certificate).toMatchObject(EQUAL);
    const report = await run(world, { deep: true });
    expect(report.findings).toMatchObject([
      { id: wrong, what: 'differs', fields: ['totalIncome'], outcome: 'mended' },
    ]);
    expect((await run(world, { deep: true })).findings).toEqual([]);
  });

  it('makes a client live again that came back, however old its stamp', async () => {
    const world = await begin();
    const [id = '', updated = ''] = world.ids();
    const { source } = world.simulator;
    const before = source.get(id);
    source.remove(id);
    const other = source.remove(updated);
    await run(world);
    expect(await live(world)).toHaveLength(18);
    if (before !== undefined) source.restore(before);
    if (other !== undefined) source.restore({ ...other, fax: 'back' });
    source.update(updated, { fax: '7' });
    const report = await run(world);
    expect(report.certificate).toMatchObject(EQUAL);
    expect(await live(world)).toEqual(world.ids());
  });

  it('believes an older stamp, and one repaired from 2099, a lookback later, and rests then', async () => {
    const world = await begin();
    const [restored = '', repaired = ''] = world.ids();
    const { source } = world.simulator;
    source.update(repaired, { fax: 'far' }, { updatedOn: '2099-01-01T00:00:00Z' });
    source.update(restored, { fax: 'new' });
    await world.pull();
    source.update(repaired, { fax: 'near' }, { updatedOn: '2020-05-05T00:00:00Z' });
    source.update(restored, { fax: 'backup' }, { updatedOn: '2020-05-05T00:00:00Z' });
    expect((await run(world)).certificate).toMatchObject({ stale: 2, missing: 0 });
    expect(askedById(world)).not.toEqual([]);
    world.clock.advance(301_000);
    expect((await run(world)).certificate).toMatchObject(EQUAL);
    expect(await world.row(restored)).toMatchObject({ fax: 'backup' });
    expect(await world.row(repaired)).toMatchObject({ fax: 'near' });
    world.simulator.requests.clear();
    expect((await run(world)).written).toBe(0);
    expect(await world.sql('SELECT id FROM mirror_refetch')).toEqual([]);
    // Not read again every night.
    expect(askedById(world)).toEqual([]);
  });

  it('leaves pending edits, unpushed inserts and local deletes to the push', async () => {
    const world = await begin({ deletes: true });
    const [edited = '', gone = '', away = ''] = world.ids();
    await world.sql(`UPDATE clients SET fax = 'mine' WHERE id IN ('${edited}', '${gone}')`);
    await world.sql(`DELETE FROM clients WHERE id = '${away}'`);
    await world.sql("INSERT INTO clients (email, first_name, last_name) VALUES ('a@b.cd', 'A', 'B')");
    world.simulator.source.update(edited, { fax: 'theirs' });
    world.simulator.source.remove(gone);
    const report = await run(world, { deep: true });
    expect(report.certificate).toMatchObject({ missing: 0, stale: 1, extra: 1, deleted: 0 });
    expect(await world.row(gone)).toMatchObject({ fax: 'mine', _deleted_at: null });
    expect(await world.row(edited)).toMatchObject({ fax: 'mine' });
    await world.sync();
    expect((await run(world)).certificate).toMatchObject(EQUAL);
    expect((await world.row(gone))._deleted_at).not.toBeNull();
  });

  it('reads large groups of one instant, and the lane without createdOn, through the scratch table', async () => {
    const world = await begin({ simulator: { clients: 10, pageCap: 4 } });
    const { source } = world.simulator;
    const createdOn = '2010-06-01T00:00:00Z';
    for (let n = 0; n < 30; n += 1) source.insert({}, { createdOn });
    for (let n = 0; n < 20; n += 1) source.insert({}, { createdOn: null });
    const first = await run(world, { groupMax: 6 });
    expect(first.certificate).toMatchObject({ clients: 60, ...EQUAL });
    expect(await live(world)).toEqual(world.ids());
    const grouped = source.all().filter((row) => String(row.createdOn).startsWith('2010-06-01'));
    const bare = source.all().filter((row) => row.createdOn === null);
    for (const row of [...grouped.slice(0, 2), ...bare.slice(0, 1)]) source.remove(row.id);
    await lose(world, grouped[5]?.id ?? '');
    await plant(world, bare[5]?.id ?? '', { fax: 'wrong' });
    // Old enough for a 404 to prove something.
    world.clock.advance(301_000);
    const report = await run(world, { groupMax: 6, deep: true });
    expect(report.certificate).toMatchObject({
      clients: 57,
      ...EQUAL,
      deleted: 3,
      mended: { missing: 1, stale: 1 },
    });
    expect(await live(world)).toEqual(world.ids());
    expect(await world.sql('SELECT * FROM mirror_sweep_ids')).toEqual([]);
  });

  it('keeps what an aborted run had compared, and goes on', async () => {
    const world = await begin({ simulator: { clients: 300, pageCap: 20 }, concurrency: 1 });
    const [gone = ''] = world.ids();
    world.simulator.source.remove(gone);
    let lists = 0;
    const stop = new AbortController();
    world.simulator.setOnRequest((request) => {
      lists += request.path.endsWith('/clients') ? 1 : 0;
      // Time passes, so that places are worth saving.
      world.clock.advance(2_000);
      if (lists === 12) stop.abort(new Error('killed'));
    });
    await expect(runReconcile({ ...world.engine, signal: stop.signal }, CHOICE)).rejects.toThrow('killed');
    world.simulator.setOnRequest(undefined);
    world.simulator.requests.clear();
    const events = world.events.length;
    const report = await run(world);
    expect(world.events.slice(events)).toContainEqual({
      type: 'runStarted',
      kind: 'reconcile',
      resumed: true,
    });
    expect(world.simulator.requests.count({ path: '/clients' })).toBeLessThan(14);
    expect(report.certificate).toMatchObject({ clients: 299, ...EQUAL, deleted: 1 });
    expect(await live(world)).toEqual(world.ids());
  });

  it('goes on with the proofs where it was killed among them, and reads no list again', async () => {
    const world = await begin({ simulator: { clients: 300 }, concurrency: 1 });
    const gone = world.ids().slice(0, 8);
    for (const id of gone) world.simulator.source.remove(id);
    const stop = new AbortController();
    world.simulator.setOnRequest((request) => {
      // Not when the look at some random clients, before the lists, happens to meet it.
      const isSwept = world.simulator.requests.count({ path: '/clients' }) > 2;
      if (isSwept && request.path.endsWith(gone[3] ?? '')) stop.abort(new Error('killed'));
    });
    await expect(runReconcile({ ...world.engine, signal: stop.signal }, CHOICE)).rejects.toThrow('killed');
    world.simulator.setOnRequest(undefined);
    world.simulator.requests.clear();
    expect((await run(world)).certificate).toMatchObject({ clients: 292, ...EQUAL, deleted: 8 });
    // One to find out about fields, one to see that reads by id work.
    expect(world.simulator.requests.count({ path: '/clients' })).toBe(2);
  });

  it('names every finding in the warehouse', async () => {
    const world = await begin();
    const [lost = ''] = world.ids();
    await lose(world, lost);
    const { run: id } = await run(world);
    expect(await readFindings(world.warehouse, id, 10)).toHaveLength(1);
    await runPull(world.engine);
  });
});

describeBoth('the guards of reconcile', (begin) => {
  const stopped = (message: RegExp) =>
    expect.objectContaining({ code: 'GUARDED', message: expect.stringMatching(message) });

  it('stop before more than a tenth and more than ten are deleted; --allow-mass-delete goes on', async () => {
    const world = await begin({ simulator: { clients: 60 } });
    const ids = world.ids();
    for (const id of ids.slice(0, 11)) world.simulator.source.remove(id);
    await lose(world, ids[20] ?? '');
    expect((await run(world, { dryRun: true })).guard).toMatch(/mass delete.*11 of 59/);
    await expect(run(world)).rejects.toEqual(stopped(/mass delete.*11 of 59/));
    expect(await live(world)).toHaveLength(59);
    await expect(run(world)).rejects.toEqual(stopped(/mass delete/));
    const report = await run(world, { allowMassDelete: true });
    expect(report.certificate).toMatchObject({ ...EQUAL, deleted: 11 });
    expect(await live(world)).toEqual(world.ids());
  });

  it('let ten of twenty go, and eleven of two hundred', async () => {
    const small = await begin({ simulator: { clients: 20 } });
    for (const id of small.ids().slice(0, 10)) small.simulator.source.remove(id);
    expect((await run(small)).certificate).toMatchObject({ deleted: 10 });
    const large = await begin({ simulator: { clients: 200 } });
    for (const id of large.ids().slice(0, 11)) large.simulator.source.remove(id);
    expect((await run(large)).certificate).toMatchObject({ deleted: 11 });
  });

  it('stop at an empty source, and a healed one is swept anew', async () => {
    const world = await begin({ simulator: { clients: 5 } });
    const rows = world.simulator.source.all();
    for (const row of rows) world.simulator.source.remove(row.id);
    await expect(run(world)).rejects.toEqual(stopped(/empty source/));
    for (const row of rows) world.simulator.source.restore(row);
    expect((await run(world)).certificate).toMatchObject({ clients: 5, ...EQUAL, deleted: 0 });
    expect(await live(world)).toHaveLength(5);
  });

  it('stop at lists that answer 404, and at a token that is refused', async () => {
    const world = await begin({ simulator: { clients: 5 } });
    world.simulator.setFaults({ denyLists: { status: 404 } });
    await expect(run(world)).rejects.toMatchObject({
      code: 'UNLISTED',
      message: expect.stringContaining('404'),
    });
    world.simulator.setFaults({});
    world.simulator.setTokens('another');
    await expect(run(world)).rejects.toMatchObject({ code: 'AUTH' });
    expect(await live(world)).toHaveLength(5);
  });
});

describeBoth('a client younger than the lookback', (begin) => {
  it('is not taken for deleted by an instance that lags, but a lookback later', async () => {
    // Time passes by itself here, by hours at the most.
    const world = await begin({ lookbackSeconds: 40 * 86_400, simulator: { token: 'lasting' } });
    const { source } = world.simulator;
    const { id } = source.insert();
    await world.pull();
    source.remove(id);
    expect((await run(world)).certificate).toMatchObject({ extra: 1, deleted: 0 });
    expect((await world.row(id))._deleted_at).toBeNull();
    world.clock.advance(41 * 86_400_000);
    await world.pull();
    expect((await world.row(id))._deleted_at).not.toBeNull();
    expect((await run(world)).certificate).toMatchObject(EQUAL);
  });
});

describeBoth('tombstones', (begin) => {
  it('are listed with their run, checked again by it, and purged with age', async () => {
    const world = await begin();
    const [one = '', other = ''] = world.ids();
    const { source } = world.simulator;
    const row = source.remove(one);
    source.remove(other);
    const report = await run(world);
    const query = { run: null, after: null, limit: 10 };
    expect(await readTombstones(world.warehouse, query)).toEqual(
      [one, other].map((id) => ({ id, run: report.run, deletedAt: expect.any(String) })),
    );
    if (row !== undefined) source.restore(row);
    await expect(recheckTombstones(world.engine, report.run + 1)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    expect(await recheckTombstones(world.engine, report.run)).toEqual({
      checked: 2,
      returned: [one],
      waiting: [],
    });
    expect(await recheckTombstones(world.engine, null)).toMatchObject({ checked: 1, returned: [] });
    expect(await live(world)).toEqual(world.ids());
    expect(await purgeTombstones(world.warehouse, world.clock.now(), 1)).toBe(0);
    world.clock.advance(2 * 86_400_000);
    expect(await purgeTombstones(world.warehouse, world.clock.now(), 1)).toBe(1);
    expect(await world.sql('SELECT id FROM clients')).toHaveLength(19);
    expect(await world.sql('SELECT id FROM mirror_deletes')).toEqual([]);
  });
});

describeBoth('a sample', (begin) => {
  it('compares random clients field by field and names what differs', async () => {
    const world = await begin();
    expect(await compareSample(world.engine, 1000)).toEqual({ clients: 20, findings: [] });
    const [wrong = '', gone = ''] = world.ids();
    await plant(world, wrong, { fax: 'wrong' });
    world.simulator.source.remove(gone);
    const { findings } = await compareSample(world.engine, 1000);
    expect(findings).toMatchObject([
      { id: wrong, what: 'differs', fields: ['fax'] },
      { id: gone, what: 'absent' },
    ]);
  });
});
