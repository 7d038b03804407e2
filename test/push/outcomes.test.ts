import { expect, it } from 'vitest';
import { readStatus } from '../../src/status.ts';
import { describeBoth } from './warehouses.ts';
import type { World } from './world.ts';

const edit = (id: string, set: string) => `UPDATE clients SET ${set} WHERE id = '${id}'`;
const outcomesOf = async ({ sql }: World, field: string) =>
  (await sql(`SELECT outcome FROM mirror_edits WHERE field = '${field}' ORDER BY id`)).map(
    (row) => row.outcome,
  );
const countsOf = async ({ warehouse, clock }: World) => {
  const { pending, conflicts, deadLetters } = await readStatus(warehouse, clock);
  return { pending, conflicts, deadLetters };
};

describeBoth('a field changed on both sides', (begin) => {
  it('becomes the source’s under the policy remote, and the local value is kept', async () => {
    const world = await begin();
    const { simulator, sql, row, push } = world;
    const [id = ''] = world.ids();
    await sql(edit(id, "first_name = 'Local', fax = '(555) 010-0001'"));
    simulator.source.update(id, { firstName: 'Remote' });
    await push();
    expect(simulator.source.get(id)).toMatchObject({ firstName: 'Remote', fax: '(555) 010-0001' });
    expect(await row(id)).toMatchObject({ first_name: 'Remote', fax: '(555) 010-0001', _base: null });
    const [conflict] = await sql('SELECT * FROM mirror_conflicts');
    expect(conflict).toMatchObject({ client_id: id, field: 'firstName', resolution: 'remote' });
    expect(JSON.parse(String(conflict?.local))).toBe('Local');
    expect(await countsOf(world)).toEqual({ pending: 0, conflicts: 0, deadLetters: 0 });
  });

  it('stays the user’s under the policy local, and the source’s value is kept', async () => {
    const world = await begin({ policy: 'local' });
    const { simulator, sql, row, push } = world;
    const [id = ''] = world.ids();
    await sql(edit(id, "first_name = 'Local'"));
    simulator.source.update(id, { firstName: 'Remote' });
    await push();
    expect(simulator.source.get(id)).toMatchObject({ firstName: 'Local' });
    expect(await row(id)).toMatchObject({ first_name: 'Local', _base: null });
    const [conflict] = await sql('SELECT * FROM mirror_conflicts');
    expect(conflict).toMatchObject({ field: 'firstName', resolution: 'local' });
    expect(JSON.parse(String(conflict?.remote))).toBe('Remote');
  });

  it('waits under the policy manual: parked, one open conflict; the other fields go on', async () => {
    const world = await begin({ policy: 'manual' });
    const { simulator, sql, row, push, pull } = world;
    const [id = ''] = world.ids();
    await sql(edit(id, "first_name = 'Local', fax = '(555) 010-0001'"));
    simulator.source.update(id, { firstName: 'Remote' });
    await push();
    expect(simulator.source.get(id)).toMatchObject({ firstName: 'Remote', fax: '(555) 010-0001' });
    expect(await row(id)).toMatchObject({ first_name: 'Local' });
    expect(await countsOf(world)).toEqual({ pending: 0, conflicts: 1, deadLetters: 0 });
    // Parked, and yet a change at the source arrives: by a pull that lists it and merges.
    simulator.source.update(id, { lastName: 'Changed' });
    await pull();
    expect(await row(id)).toMatchObject({ first_name: 'Local', last_name: 'Changed' });
    simulator.requests.clear();
    await push();
    expect(simulator.requests.total).toBe(0);
    // A further edit of another field goes, and leaves the conflict alone.
    await sql(edit(id, 'fico = 555'));
    await push();
    expect(simulator.source.get(id)).toMatchObject({ firstName: 'Remote', fico: 555 });
    expect(await countsOf(world)).toEqual({ pending: 0, conflicts: 1, deadLetters: 0 });
  });
});

describeBoth('what the source does not take', (begin) => {
  it('is a dead letter with the server’s words; its row’s other fields go', async () => {
    const world = await begin();
    const { simulator, sql, row, push } = world;
    const [id = '', other = ''] = world.ids();
    simulator.setFaults({ refuseFields: { firstName: 422 } });
    await sql(edit(id, "first_name = 'Nope', last_name = 'Fine', fico = 600"));
    await sql(edit(other, "last_name = 'Other'"));
    await push();
    expect(simulator.source.get(id)).toMatchObject({ lastName: 'Fine', fico: 600 });
    expect(simulator.source.get(other)).toMatchObject({ lastName: 'Other' });
    expect(await row(id)).toMatchObject({ first_name: 'Nope', last_name: 'Fine' });
    expect(await countsOf(world)).toEqual({ pending: 0, conflicts: 0, deadLetters: 1 });
    const [letter] = await sql("SELECT message FROM mirror_edits WHERE outcome = 'refused'");
    expect(letter?.message).toContain("The value of 'firstName' is not allowed.");
    simulator.requests.clear();
    await push();
    expect(simulator.requests.total).toBe(0);
    // An edit of another field does not revive it.
    await sql(edit(id, 'fico = 601'));
    await push();
    expect(simulator.source.get(id)).toMatchObject({ fico: 601 });
    expect(await countsOf(world)).toEqual({ pending: 0, conflicts: 0, deadLetters: 1 });
    // A further edit of the field does.
    simulator.setFaults({});
    await sql(edit(id, "first_name = 'Better'"));
    await push();
    expect(simulator.source.get(id)).toMatchObject({ firstName: 'Better' });
    expect(await countsOf(world)).toEqual({ pending: 0, conflicts: 0, deadLetters: 0 });
  });

  it('is a dead letter too where the source denies one client', async () => {
    const world = await begin();
    const { simulator, sql, push } = world;
    const [id = '', other = ''] = world.ids();
    simulator.setFaults({ denyClients: [id] });
    await sql(edit(id, "first_name = 'Nope'"));
    await sql(edit(other, "last_name = 'Other'"));
    await push();
    expect(simulator.source.get(other)).toMatchObject({ lastName: 'Other' });
    expect(await countsOf(world)).toEqual({ pending: 0, conflicts: 0, deadLetters: 1 });
  });

  it('is found by the read-back where the source ignores it without a word', async () => {
    const world = await begin();
    const { simulator, sql, row, push } = world;
    const [id = ''] = world.ids();
    simulator.setFaults({ normalise: { fax: 'keep' } });
    await sql(edit(id, "fax = '(555) 010-0001', fico = 700"));
    await push();
    expect(await row(id)).toMatchObject({ fax: '(555) 010-0001', fico: 700 });
    expect(await outcomesOf(world, 'fax')).toEqual(['sent', 'ignored']);
    expect(await countsOf(world)).toEqual({ pending: 0, conflicts: 0, deadLetters: 1 });
  });

  it('is kept where the source writes a value its own way, and the row rests', async () => {
    const world = await begin();
    const { simulator, sql, row, push, pull } = world;
    const [id = ''] = world.ids();
    simulator.setFaults({ normalise: { email: 'lower', firstName: 'trim', totalIncome: 'round' } });
    await sql(edit(id, "email = 'Grace@Example.com', first_name = ' Grace ', total_income = 10.5"));
    await push();
    expect(await row(id)).toMatchObject({ email: 'grace@example.com', first_name: 'Grace', _base: null });
    const kept = await sql('SELECT field, local, message, resolution FROM mirror_conflicts ORDER BY field');
    expect(kept).toMatchObject([
      { field: 'email', local: '"Grace@Example.com"', resolution: 'rewritten' },
      { field: 'firstName', local: '" Grace "', resolution: 'rewritten' },
    ]);
    await pull();
    expect(await countsOf(world)).toEqual({ pending: 0, conflicts: 0, deadLetters: 0 });
    expect(simulator.requests.count({ method: 'PATCH' })).toBe(1);
  });

  it('is one conflict for the row where the client was deleted at the source', async () => {
    const world = await begin();
    const { simulator, sql, row, push } = world;
    const [id = ''] = world.ids();
    simulator.source.remove(id);
    await sql(edit(id, "first_name = 'Late'"));
    await push();
    const found = await row(id);
    expect(found).toMatchObject({ first_name: 'Late' });
    expect(found._deleted_at).not.toBeNull();
    expect(await sql('SELECT field, message FROM mirror_conflicts WHERE resolved_at IS NULL')).toEqual([
      { field: null, message: 'deleted at the source' },
    ]);
    expect(await countsOf(world)).toEqual({ pending: 0, conflicts: 1, deadLetters: 0 });
  });
});

describeBoth('an edit during a push', (begin) => {
  it('of the same field follows, of another field as well, and one taken back is heard of', async () => {
    const world = await begin();
    const { simulator, sql, row, push } = world;
    const [same = '', other = '', back = ''] = world.ids();
    const before = simulator.source.get(back)?.firstName;
    for (const id of [same, other, back]) await sql(edit(id, "first_name = 'One'"));
    const open = new Set([same, other, back]);
    simulator.setOnRequest(async ({ method, path }) => {
      const id = path.slice(-36);
      if (method !== 'PATCH' || !open.delete(id)) return;
      if (id === same) await sql(edit(same, "first_name = 'Two'"));
      if (id === other) await sql(edit(other, 'fico = 444'));
      if (id === back) await sql(edit(back, `first_name = '${before}'`));
    });
    await push();
    await push();
    expect(simulator.source.get(same)).toMatchObject({ firstName: 'Two' });
    expect(simulator.source.get(other)).toMatchObject({ firstName: 'One', fico: 444 });
    expect(simulator.source.get(back)).toMatchObject({ firstName: before });
    for (const id of [same, other, back]) expect(await row(id)).toMatchObject({ _base: null });
    expect(await sql('SELECT * FROM mirror_conflicts')).toEqual([]);
  });
});

describeBoth('a source that sends ETags', (begin) => {
  it('refuses what was read before another writer came, and the push merges again', async () => {
    const world = await begin();
    const { simulator, sql, row, push } = world;
    const [id = ''] = world.ids();
    simulator.setFaults({ etag: true });
    await sql(edit(id, "first_name = 'Local'"));
    simulator.setOnRequest(({ method }, source) => {
      if (method !== 'PATCH') return;
      simulator.setOnRequest(undefined);
      source.update(id, { firstName: 'Remote', lastName: 'Too' });
    });
    await push();
    expect(simulator.requests.count({ method: 'PATCH', status: 412 })).toBe(1);
    expect(simulator.source.get(id)).toMatchObject({ firstName: 'Remote', lastName: 'Too' });
    expect(await row(id)).toMatchObject({ first_name: 'Remote', last_name: 'Too', _base: null });
    expect(await sql('SELECT field, resolution FROM mirror_conflicts')).toEqual([
      { field: 'firstName', resolution: 'remote' },
    ]);
  });
});
