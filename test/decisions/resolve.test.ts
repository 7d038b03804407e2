import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { discardEdits } from '../../src/decisions/discard.ts';
import { editsOf, type OpenClient, readOpenClients } from '../../src/decisions/openClients.ts';
import { resolveConflicts } from '../../src/decisions/resolve.ts';
import { readStatus } from '../../src/status.ts';
import { type Begin, describeBoth } from '../push/warehouses.ts';
import type { World } from '../push/world.ts';
import { claimed, edit, handOf, racedHand, shortEdits } from './hands.ts';

const conflictsOf = ({ sql }: World) => sql('SELECT * FROM mirror_conflicts ORDER BY id');
const openConflicts = async ({ warehouse, clock }: World) => (await readStatus(warehouse, clock)).conflicts;
const CLEAN = { _base: null, _parked: null, _edited_at: null };

/** One client, edited here and at the source. */
async function inConflict(begin: Begin, policy: 'manual' | 'remote' | 'local') {
  const world = await begin({ policy });
  const [id = ''] = world.ids();
  await world.sql(edit(id, "first_name = 'Local', fax = '(555) 010-0001'"));
  world.simulator.source.update(id, { firstName: 'Remote' });
  await world.push();
  const [conflict] = await conflictsOf(world);
  return { world, id, conflictId: String(conflict?.id) };
}

/** One client, edited here and deleted at the source. */
async function goneInConflict(begin: Begin) {
  const world = await begin();
  const [id = ''] = world.ids();
  const before = world.simulator.source.get(id);
  await world.sql(edit(id, "first_name = 'Local', total_income = 0.5"));
  world.simulator.source.remove(id);
  await world.push();
  const [conflict] = await conflictsOf(world);
  expect(conflict).toMatchObject({ field: null, resolved_at: null });
  return { world, id, before, conflictId: String(conflict?.id) };
}

describeBoth('conflicts resolve, an open conflict', (begin) => {
  it('--take local sends the local value', async () => {
    const { world, id, conflictId } = await inConflict(begin, 'manual');
    expect(await shortEdits(world)).toEqual(['conflict firstName Remote → Local']);
    const [resolved] = await resolveConflicts(handOf(world), conflictId, 'local');
    expect(resolved).toMatchObject({ outcome: 'resolved', take: 'local' });
    expect(await conflictsOf(world)).toMatchObject([
      { resolution: 'local', resolved_at: expect.stringMatching(/Z$/) },
    ]);
    expect(await shortEdits(world)).toEqual(['pending firstName Remote → Local']);
    await world.push();
    expect(world.simulator.source.get(id)).toMatchObject({ firstName: 'Local' });
    expect(await world.row(id)).toMatchObject({ first_name: 'Local', ...CLEAN });
  });

  it('is outdone by one about the whole client, though another value has set its field free', async () => {
    const { world, id } = await inConflict(begin, 'manual');
    await world.sql(edit(id, "first_name = 'Other'"));
    world.simulator.source.remove(id);
    // Written so lately, it may only be unknown to an instance that lags: the 404 is believed a lookback later.
    for (let push = 1; push <= 2; push += 1) {
      await world.push();
      world.clock.advance(300_000);
    }
    expect(await conflictsOf(world)).toMatchObject([{ field: 'firstName' }, { field: null }]);
    const [client] = await readOpenClients(world.warehouse, world.clock.now(), [id]);
    const conflicts = client?.conflicts ?? [];
    // No order is promised of them.
    for (const order of [conflicts, conflicts.toReversed()]) {
      const [edit] = editsOf({ ...(client as OpenClient), conflicts: order }, new Set());
      expect(edit).toMatchObject({ field: 'firstName', value: 'Other', state: 'conflict' });
    }
  });

  it("--take remote lets the source's value stand", async () => {
    const { world, id, conflictId } = await inConflict(begin, 'manual');
    await resolveConflicts(handOf(world), conflictId, 'remote');
    expect(await world.row(id)).toMatchObject({ first_name: 'Remote', fax: '(555) 010-0001', ...CLEAN });
    expect(await conflictsOf(world)).toMatchObject([{ resolution: 'remote' }]);
    expect(await shortEdits(world)).toEqual([]);
    expect(await openConflicts(world)).toBe(0);
  });

  it('is found by the id of its client', async () => {
    const { world, id } = await inConflict(begin, 'manual');
    const resolved = await resolveConflicts(handOf(world), id.toUpperCase(), 'remote');
    expect(resolved).toMatchObject([{ outcome: 'resolved' }]);
    expect(await openConflicts(world)).toBe(0);
  });

  it('is nobody’s to decide for an edit that it does not show', async () => {
    for (const take of ['local', 'remote'] as const) {
      const { world, id, conflictId } = await inConflict(begin, 'manual');
      await world.sql(edit(id, "first_name = 'Newer'"));
      const before = await world.row(id);
      const [resolved] = await resolveConflicts(handOf(world), conflictId, take);
      expect(resolved).toMatchObject({
        outcome: 'cannot',
        says: expect.stringContaining('edited again since'),
      });
      expect(await world.row(id)).toEqual(before);
      await world.push();
      expect(world.simulator.source.get(id)).toMatchObject({ firstName: 'Newer' });
    }
  });

  it('loses no edit that comes between its read and its commit', async () => {
    const { world, id, conflictId } = await inConflict(begin, 'manual');
    const hand = racedHand(world, edit(id, "last_name = 'Raced'"));
    expect(await resolveConflicts(hand, conflictId, 'remote')).toMatchObject([{ outcome: 'resolved' }]);
    expect(await world.row(id)).toMatchObject({ first_name: 'Remote', last_name: 'Raced' });
    await world.push();
    expect(world.simulator.source.get(id)).toMatchObject({ firstName: 'Remote', lastName: 'Raced' });
  });

  it('does not drop the field’s own edit that comes in between', async () => {
    const { world, id, conflictId } = await inConflict(begin, 'manual');
    const hand = racedHand(world, edit(id, "first_name = 'Raced'"));
    expect(await resolveConflicts(hand, conflictId, 'remote')).toMatchObject([{ outcome: 'cannot' }]);
    expect(await world.row(id)).toMatchObject({ first_name: 'Raced' });
  });

  it('waits while the client is on its way', async () => {
    const { world, id, conflictId } = await inConflict(begin, 'manual');
    await claimed(world, id, { fico: 1 });
    for (const take of ['local', 'remote'] as const) {
      await expect(resolveConflicts(handOf(world), conflictId, take)).rejects.toMatchObject({
        code: 'WAREHOUSE_BUSY',
      });
    }
  });

  it('is decided by one of two people only', async () => {
    const { world, id, conflictId } = await inConflict(begin, 'manual');
    const results = await Promise.all([
      resolveConflicts(handOf(world), conflictId, 'local'),
      resolveConflicts(handOf(world), conflictId, 'local'),
    ]);
    expect(
      results
        .flat()
        .map(({ outcome }) => outcome)
        .toSorted(),
    ).toEqual(['resolved', 'stands']);
    expect(await shortEdits(world)).toEqual(['pending firstName Remote → Local']);
    await discardEdits(handOf(world), id);
    expect(await world.row(id)).toMatchObject({ first_name: 'Remote' });
  });
});

describeBoth('conflicts resolve, a resolved conflict', (begin) => {
  it('brings the local value back as a new edit where the remote one won', async () => {
    const { world, id, conflictId } = await inConflict(begin, 'remote');
    expect(await world.row(id)).toMatchObject({ first_name: 'Remote', ...CLEAN });
    await resolveConflicts(handOf(world), conflictId, 'local');
    expect(await world.row(id)).toMatchObject({
      first_name: 'Local',
      _edited_at: expect.stringMatching(/Z$/),
    });
    expect(await shortEdits(world)).toEqual(['pending firstName Remote → Local']);
    await world.push();
    expect(world.simulator.source.get(id)).toMatchObject({ firstName: 'Local' });
    expect(await world.row(id)).toMatchObject({ first_name: 'Local', ...CLEAN });
    expect(await conflictsOf(world)).toMatchObject([{ resolution: 'local' }]);
    // And back.
    await resolveConflicts(handOf(world), id, 'remote');
    await world.push();
    expect(world.simulator.source.get(id)).toMatchObject({ firstName: 'Remote' });
  });

  it('brings the remote value back as a new edit where the local one won', async () => {
    const { world, id, conflictId } = await inConflict(begin, 'local');
    expect(world.simulator.source.get(id)).toMatchObject({ firstName: 'Local' });
    await resolveConflicts(handOf(world), conflictId, 'remote');
    expect(await shortEdits(world)).toEqual(['pending firstName Local → Remote']);
    await world.push();
    expect(world.simulator.source.get(id)).toMatchObject({ firstName: 'Remote' });
  });

  it('changes its mind before the push without a trace at the source', async () => {
    const { world, id, conflictId } = await inConflict(begin, 'remote');
    await resolveConflicts(handOf(world), conflictId, 'local');
    await resolveConflicts(handOf(world), conflictId, 'remote');
    expect(await world.row(id)).toMatchObject({ first_name: 'Remote', ...CLEAN });
    world.simulator.requests.clear();
    await world.push();
    expect(world.simulator.requests.log.filter(({ method }) => method !== 'GET')).toEqual([]);
  });

  it('has nothing to do where that side stands', async () => {
    const { world, id, conflictId } = await inConflict(begin, 'remote');
    const before = await world.row(id);
    expect(await resolveConflicts(handOf(world), conflictId, 'remote')).toMatchObject([
      { outcome: 'stands' },
    ]);
    expect(await world.row(id)).toEqual(before);
  });

  it('leaves a newer edit of the field alone', async () => {
    const { world, id, conflictId } = await inConflict(begin, 'remote');
    await world.sql(edit(id, "first_name = 'Newer'"));
    expect(await resolveConflicts(handOf(world), conflictId, 'local')).toMatchObject([{ outcome: 'cannot' }]);
    expect(await world.row(id)).toMatchObject({ first_name: 'Newer' });
  });

  it('makes no edit in a read-only mirror, nor of an excluded field', async () => {
    const { world, id, conflictId } = await inConflict(begin, 'remote');
    const before = await world.row(id);
    const readOnly = handOf(world, { sends: false });
    expect(await resolveConflicts(readOnly, conflictId, 'local')).toMatchObject([
      { outcome: 'cannot', says: expect.stringContaining('MIRROR_PUSH=false') },
    ]);
    const hidden = handOf(world, { excluded: new Set(['firstName']) });
    expect(await resolveConflicts(hidden, conflictId, 'local')).toMatchObject([
      { outcome: 'cannot', says: expect.stringContaining('MIRROR_EXCLUDE_FIELDS') },
    ]);
    expect(await world.row(id)).toEqual(before);
  });

  it('knows only conflicts that there are', async () => {
    const world = await begin();
    const [id = ''] = world.ids();
    for (const unknown of ['7', '0', id, randomUUID(), 'x', '', '99999999999999999999']) {
      await expect(resolveConflicts(handOf(world), unknown, 'local')).rejects.toMatchObject({
        code: 'NOT_FOUND',
      });
    }
  });
});

describeBoth('conflicts resolve, a client deleted at the source', (begin) => {
  it('--take remote drops the edit and leaves the tombstone', async () => {
    const { world, id, before, conflictId } = await goneInConflict(begin);
    expect(await shortEdits(world)).toEqual([
      expect.stringMatching(/^conflict firstName /),
      expect.stringMatching(/^conflict totalIncome /),
    ]);
    await resolveConflicts(handOf(world), conflictId, 'remote');
    expect(await world.row(id)).toMatchObject({
      first_name: before?.firstName,
      _deleted_at: expect.stringMatching(/Z$/),
      ...CLEAN,
    });
    expect(await conflictsOf(world)).toMatchObject([{ resolution: 'remote' }]);
    expect(await openConflicts(world)).toBe(0);
  });

  it('--take local creates it anew, with all its values, once', async () => {
    const { world, id, before, conflictId } = await goneInConflict(begin);
    await resolveConflicts(handOf(world), conflictId, 'local');
    expect(await shortEdits(world)).toEqual(['pending create']);
    await world.push();
    const made = world.simulator.source.all().filter((row) => row.email === before?.email);
    expect(made).toMatchObject([{ firstName: 'Local', totalIncome: 0.5, lastName: before?.lastName }]);
    const [newId = ''] = made.map((row) => row.id);
    expect(newId).not.toBe(id);
    expect(await world.row(newId)).toMatchObject({
      first_name: 'Local',
      _deleted_at: null,
      _create: null,
      ...CLEAN,
    });
    expect(await world.sql(`SELECT id FROM clients WHERE id = '${id}'`)).toEqual([]);
    expect(await world.sql('SELECT local_id, id FROM mirror_ids')).toEqual([{ local_id: id, id: newId }]);
    expect(await openConflicts(world)).toBe(0);
    await world.push();
    await world.sync();
    expect(world.simulator.source.all().filter((row) => row.email === before?.email)).toHaveLength(1);
  });

  it('decided for remote, brings the edit back when asked, and the other way round', async () => {
    const { world, id, before, conflictId } = await goneInConflict(begin);
    await resolveConflicts(handOf(world), conflictId, 'remote');
    await resolveConflicts(handOf(world), conflictId, 'local');
    expect(await world.row(id)).toMatchObject({ first_name: 'Local', total_income: 0.5, _deleted_at: null });
    expect(await shortEdits(world)).toEqual(['pending create']);
    await resolveConflicts(handOf(world), id, 'remote');
    expect(await world.row(id)).toMatchObject({
      first_name: before?.firstName,
      _create: null,
      _deleted_at: expect.stringMatching(/Z$/),
      ...CLEAN,
    });
    expect(await shortEdits(world)).toEqual([]);
    await world.push();
    expect(world.simulator.source.all().filter((row) => row.email === before?.email)).toEqual([]);
  });

  it('ends the conflicts of its fields as well', async () => {
    for (const take of ['local', 'remote'] as const) {
      const { world, id, conflictId } = await inConflict(begin, 'manual');
      world.simulator.source.remove(id);
      // A parked row: the deletion is found when the row is looked at again.
      await world.sql(edit(id, 'fico = 456'));
      await world.push();
      // It was changed just before: the 404 counts when it is said again.
      world.clock.advance(3_600_000);
      await world.push();
      expect(await openConflicts(world)).toBe(2);
      expect(await resolveConflicts(handOf(world), conflictId, take)).toMatchObject([{ outcome: 'cannot' }]);
      expect(await resolveConflicts(handOf(world), id, take)).toMatchObject([{ outcome: 'resolved' }]);
      expect(await openConflicts(world)).toBe(0);
    }
  });

  it('drops its edits one by one as well, and ends with the last', async () => {
    const { world, id } = await goneInConflict(begin);
    await discardEdits(handOf(world), `${id}:firstName`);
    expect(await openConflicts(world)).toBe(1);
    await discardEdits(handOf(world), `${id}:totalIncome`);
    expect(await openConflicts(world)).toBe(0);
    expect(await world.row(id)).toMatchObject({ _deleted_at: expect.stringMatching(/Z$/), ...CLEAN });
  });

  it('creates nothing in a read-only mirror', async () => {
    const { world, conflictId } = await goneInConflict(begin);
    const readOnly = handOf(world, { sends: false });
    expect(await resolveConflicts(readOnly, conflictId, 'local')).toMatchObject([{ outcome: 'cannot' }]);
    expect(await openConflicts(world)).toBe(1);
  });
});
