import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { retryEdits } from '../../src/decisions/retry.ts';
import { describeBoth } from '../push/warehouses.ts';
import { claimed, edit, handOf, listEdits, racedHand, shortEdits } from './hands.ts';

describeBoth('edits retry', (begin) => {
  it('has a refused field sent again, as it is, and no other', async () => {
    const world = await begin();
    const { simulator, sql, ids, push } = world;
    const [id = ''] = ids();
    const before = simulator.source.get(id);
    simulator.setFaults({ refuseFields: { firstName: 422, fax: 422 } });
    await sql(edit(id, "first_name = 'Nope', fax = '(555) 010-0001'"));
    await push();
    const [first, fax] = (await listEdits(world)).toSorted((a, b) => (a.id > b.id ? -1 : 1));
    expect(first).toMatchObject({
      id: `${id}:firstName`,
      clientId: id,
      state: 'refused',
      base: before?.firstName,
      value: 'Nope',
      since: expect.stringMatching(/^\d{4}-.*Z$/),
      message: expect.stringContaining("The value of 'firstName' is not allowed."),
    });
    expect(fax).toMatchObject({ state: 'refused' });
    simulator.setFaults({});
    await push();
    expect(simulator.source.get(id)?.firstName).toBe(before?.firstName);

    const { retried, others } = await retryEdits(handOf(world), `${id}:first_name`);
    expect([retried.map((one) => one.id), others]).toEqual([[`${id}:firstName`], []]);
    expect(await shortEdits(world)).toContain(`pending firstName ${before?.firstName} → Nope`);
    await push();
    expect(simulator.source.get(id)).toMatchObject({ firstName: 'Nope', fax: before?.fax });
    expect(await shortEdits(world)).toEqual([`refused fax ${before?.fax} → (555) 010-0001`]);
    await retryEdits(handOf(world), id);
    await push();
    expect(simulator.source.get(id)).toMatchObject({ fax: '(555) 010-0001' });
    expect(await shortEdits(world)).toEqual([]);
  });

  it('has a refused insert sent again', async () => {
    const world = await begin();
    const { simulator, sql, push } = world;
    simulator.setFaults({ serverError: { status: 400, on: ['write'] } });
    await sql(
      "INSERT INTO clients (email, first_name, last_name, fax) VALUES ('n@example.com', 'New', 'One', '(555) 010-0001')",
    );
    await push();
    const [made] = await listEdits(world);
    expect(made).toMatchObject({ kind: 'create', state: 'refused', field: null, base: null });
    expect(made?.value).toMatchObject({ email: 'n@example.com', firstName: 'New' });
    simulator.setFaults({});
    await push();
    expect(await shortEdits(world)).toEqual(['refused create']);
    await retryEdits(handOf(world), made?.id ?? '');
    expect(await shortEdits(world)).toEqual(['pending create']);
    await push();
    expect(simulator.source.all().filter((row) => row.email === 'n@example.com')).toHaveLength(1);
    expect(await shortEdits(world)).toEqual([]);
  });

  it('has a refused delete sent again', async () => {
    const world = await begin({ deletes: true });
    const { simulator, sql, ids, push } = world;
    const [id = ''] = ids();
    simulator.setFaults({ denyClients: [id] });
    await sql(`DELETE FROM clients WHERE id = '${id}'`);
    expect(await shortEdits(world)).toEqual(['pending delete']);
    await push();
    expect(await shortEdits(world)).toEqual(['refused delete']);
    simulator.setFaults({});
    await push();
    expect(simulator.source.get(id)).toBeDefined();
    await retryEdits(handOf(world), `${id}:delete`);
    await push();
    expect(simulator.source.get(id)).toBeUndefined();
    expect(await shortEdits(world)).toEqual([]);
  });

  it('leaves what is not refused alone, and says so', async () => {
    const world = await begin();
    const [id = ''] = world.ids();
    await world.sql(edit(id, "fax = '(555) 010-0001'"));
    const before = await world.row(id);
    const { retried, others } = await retryEdits(handOf(world), id);
    expect([retried, others.map(({ state }) => state)]).toEqual([[], ['pending']]);
    expect(await world.row(id)).toEqual(before);
  });

  it('loses no edit that comes between its read and its commit', async () => {
    const world = await begin();
    const { simulator, sql, ids, push } = world;
    const [id = ''] = ids();
    simulator.setFaults({ refuseFields: { fax: 422 } });
    await sql(edit(id, "fax = '(555) 010-0001'"));
    await push();
    simulator.setFaults({});
    const hand = racedHand(world, edit(id, "fax = '(555) 010-0002', last_name = 'Raced'"));
    const { others } = await retryEdits(hand, `${id}:fax`);
    expect(others).toMatchObject([{ state: 'pending', value: '(555) 010-0002' }]);
    await push();
    expect(simulator.source.get(id)).toMatchObject({ fax: '(555) 010-0002', lastName: 'Raced' });
  });

  it('refuses while the client is on its way', async () => {
    const world = await begin();
    const { simulator, sql, ids, push } = world;
    const [id = ''] = ids();
    simulator.setFaults({ refuseFields: { fax: 422 } });
    await sql(edit(id, "fax = '(555) 010-0001'"));
    await push();
    await sql(edit(id, "last_name = 'Sent'"));
    await claimed(world, id, { lastName: 'Sent' });
    await expect(retryEdits(handOf(world), id)).rejects.toThrow('on its way to the source just now');
  });

  it('knows only open edits', async () => {
    const world = await begin();
    const [id = ''] = world.ids();
    for (const unknown of [id, `${id}:fax`, randomUUID(), 'nonsense', `${id}:`, `${id}:fax:1`, '']) {
      await expect(retryEdits(handOf(world), unknown)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
  });
});
