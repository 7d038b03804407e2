import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { type LifeEvent, readLife } from '../../src/decisions/life.ts';
import { resolveConflicts } from '../../src/decisions/resolve.ts';
import { describeBoth } from '../push/warehouses.ts';
import { edit, handOf } from './hands.ts';

const nameOf = ({ event, field }: LifeEvent): string => (field === null ? event : `${event} ${field}`);

describeBoth('the life of a client', (begin) => {
  it('is told in order, with times and values', async () => {
    const world = await begin();
    const { simulator, sql, ids, push, pull, clock } = world;
    const [id = ''] = ids();
    const tick = () => clock.advance(1);
    tick();
    simulator.source.update(id, { firstName: 'First' });
    await pull();
    simulator.setFaults({ refuseFields: { fax: 422 } });
    await sql(edit(id, "first_name = 'Mine', fax = '(555) 010-0001'"));
    tick();
    await push();
    await sql(edit(id, "last_name = 'Local'"));
    tick();
    simulator.source.update(id, { lastName: 'Remote' });
    tick();
    await push();
    tick();
    const [conflict] = await sql('SELECT id FROM mirror_conflicts');
    await resolveConflicts(handOf(world), String(conflict?.id), 'local');

    const life = await readLife(handOf(world), id.toUpperCase());
    expect(life).toMatchObject({ id, state: 'live', otherIds: [] });
    const told = life.events.map(nameOf);
    const times = life.events.map(({ at }) => at ?? '');
    expect(times).toEqual(times.toSorted());
    for (const names of [
      ['created at the source', 'pulled', 'pushed firstName', 'arrived firstName', 'changed at the source'],
      ['pulled', 'pushed fax', 'refused fax', 'conflict lastName', 'resolved lastName'],
    ]) {
      const places = names.map((name) => told.indexOf(name));
      expect([told, places]).toEqual([told, places.toSorted((a, b) => a - b)]);
      expect(places).not.toContain(-1);
    }
    // Its time is that of the database's clock, which this test does not set.
    expect(told).toContain('edited fax');
    const find = (name: string) => life.events.find((event) => nameOf(event) === name);
    expect(find('arrived firstName')).toMatchObject({ base: 'First', value: 'Mine' });
    expect(find('conflict lastName')).toMatchObject({ value: 'Local', remote: 'Remote' });
    expect(find('refused fax')?.message).toContain('not allowed');
    expect(life.open.map(({ field, state }) => `${field} ${state}`).toSorted()).toEqual([
      'fax refused',
      'lastName pending',
    ]);

    const hidden = JSON.stringify(await readLife(handOf(world, { excluded: new Set(['fax']) }), id));
    expect(hidden).toContain('"fax"');
    expect(hidden).not.toMatch(/010-0001|not allowed/);
  });

  it('calls a conflict that ended where it was found a merge', async () => {
    const world = await begin();
    const [id = ''] = world.ids();
    await world.sql(edit(id, "last_name = 'Local'"));
    world.simulator.source.update(id, { lastName: 'Remote' });
    await world.push();
    const { events } = await readLife(handOf(world), id);
    expect(events.find(({ event }) => event === 'merged')).toMatchObject({
      field: 'lastName',
      value: 'Local',
      remote: 'Remote',
      message: "the source's value stands",
    });
    expect(events.map(({ event }) => event)).not.toContain('resolved');
  });

  it('is found under both ids of a client that was inserted here, and told of one that was deleted', async () => {
    const world = await begin({ deletes: true });
    const { simulator, sql, push } = world;
    const localId = randomUUID();
    await sql(
      `INSERT INTO clients (id, email, first_name, last_name) VALUES ('${localId}', 'n@example.com', 'New', 'One')`,
    );
    const before = await readLife(handOf(world), localId);
    expect(before).toMatchObject({ state: 'new', events: [{ event: 'inserted here' }] });
    expect(before.events[0]?.value).toMatchObject({ email: 'n@example.com' });
    await push();
    const id = simulator.source.all().find((row) => row.email === 'n@example.com')?.id ?? '';
    for (const known of [localId, id]) {
      const life = await readLife(handOf(world), known);
      expect(life).toMatchObject({ id, otherIds: [localId], state: 'live' });
      expect(life.events.map(({ event }) => event)).toEqual(expect.arrayContaining(['pushed', 'arrived']));
    }
    await sql(`DELETE FROM clients WHERE id = '${id}'`);
    const deleted = await readLife(handOf(world), id);
    expect(deleted.state).toBe('deleted here');
    expect(deleted.events.map(({ event }) => event)).toContain('deleted here');
    await push();
    expect((await readLife(handOf(world), localId)).state).toBe('not in the mirror');
  });

  it('of a client deleted at the source tells when that was seen', async () => {
    const world = await begin();
    const [id = ''] = world.ids();
    await world.sql(edit(id, "last_name = 'Local'"));
    world.simulator.source.remove(id);
    await world.push();
    const life = await readLife(handOf(world), id);
    expect(life.state).toBe('deleted at the source');
    expect(life.events.map(({ event }) => event)).toEqual(
      expect.arrayContaining(['deleted at the source', 'conflict', 'edited']),
    );
  });

  it('is that of known clients only', async () => {
    const world = await begin();
    for (const unknown of [randomUUID(), 'nobody', '']) {
      await expect(readLife(handOf(world), unknown)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
  });
});
