import { expect, it } from 'vitest';
import { discardAll, discardEdits } from '../../src/decisions/discard.ts';
import { retryEdits } from '../../src/decisions/retry.ts';
import { readStatus } from '../../src/status.ts';
import { describeBoth } from '../push/warehouses.ts';
import type { World } from '../push/world.ts';
import { claimed, edit, handOf, listEdits, racedHand, shortEdits } from './hands.ts';

/** Every column but the bookkeeping of writes. */
async function valuesOf(world: World, id: string): Promise<Record<string, unknown>> {
  const { _revision, _edits, ...values } = await world.row(id);
  return values;
}

const CLEAN = { _base: null, _parked: null, _edited_at: null };

describeBoth('edits discard', (begin, kind) => {
  it('brings every kind of value back exactly, and keeps what was given up', async () => {
    const world = await begin();
    const { sql, ids, push, simulator } = world;
    const [id = ''] = ids();
    simulator.source.update(id, {
      totalIncome: 0.1 + 0.2,
      fico: 700,
      firstTimeBuyer: null,
      isSilenced: true,
      contactAddress: {
        addressLine1: '1 "Main" St',
        addressLine2: null,
        city: 'Zürich',
        state: null,
        zipCode: null,
      },
    });
    await world.pull();
    const before = await valuesOf(world, id);
    const no = kind === 'postgres' ? 'false' : '0';
    await sql(
      edit(
        id,
        `email = 'x@example.com', total_income = 1.5, fico = NULL, first_time_buyer = ${no}, is_silenced = ${no},
         contact_address = '{"city": "Bern"}', owner_id = NULL, fax = NULL`,
      ),
    );
    const given = await discardEdits(handOf(world), id);
    expect(given.length).toBeGreaterThan(5);
    expect(await valuesOf(world, id)).toEqual(before);
    expect(before).toMatchObject(CLEAN);
    expect(await shortEdits(world)).toEqual([]);
    const journal = await sql("SELECT field, base, value FROM mirror_edits WHERE outcome = 'discarded'");
    expect(journal).toHaveLength(given.length);
    expect(journal.find(({ field }) => field === 'totalIncome')).toMatchObject({
      base: '0.30000000000000004',
      value: '1.5',
    });
    simulator.requests.clear();
    await push();
    expect(simulator.requests.log.filter(({ method }) => method !== 'GET')).toEqual([]);
  });

  it('gives one field up and leaves the others, refused ones parked', async () => {
    const world = await begin();
    const { simulator, sql, ids, push, row } = world;
    const [id = ''] = ids();
    const before = simulator.source.get(id);
    simulator.setFaults({ refuseFields: { fax: 422, fico: 422 } });
    await sql(edit(id, "fax = '(555) 010-0001', fico = 444"));
    await push();
    await discardEdits(handOf(world), `${id}:fax`);
    expect(await row(id)).toMatchObject({ fax: before?.fax, fico: 444 });
    expect(await shortEdits(world)).toEqual([`refused fico ${before?.fico} → 444`]);
    simulator.requests.clear();
    await push();
    expect(simulator.requests.log.filter(({ method }) => method !== 'GET')).toEqual([]);
    // The same value again is a new edit, not the refused one.
    simulator.setFaults({});
    await sql(edit(id, "fax = '(555) 010-0001'"));
    await push();
    expect(simulator.source.get(id)).toMatchObject({ fax: '(555) 010-0001', fico: before?.fico });
    await retryEdits(handOf(world), `${id}:fico`);
    await push();
    expect(simulator.source.get(id)).toMatchObject({ fico: 444 });
  });

  it('shows the newest value of the source after the next cycle', async () => {
    const world = await begin();
    const { simulator, sql, ids, pull, row } = world;
    const [id = ''] = ids();
    await sql(edit(id, "first_name = 'Mine'"));
    simulator.source.update(id, { firstName: 'Theirs' });
    // Listed, not taken: the row is dirty. Here another process has claimed it, so that nothing is merged.
    await claimed(world, id, { firstName: 'Mine' });
    await pull();
    await sql('DELETE FROM mirror_pushes');
    await discardEdits(handOf(world), id);
    await pull();
    expect(await row(id)).toMatchObject({ first_name: 'Theirs', ...CLEAN });
    expect(await sql('SELECT * FROM mirror_refetch')).toEqual([]);
  });

  it('has the client read again by the next cycle', async () => {
    const world = await begin();
    const { sql, ids, pull } = world;
    const [id = ''] = ids();
    await sql(edit(id, "first_name = 'Mine'"));
    await discardEdits(handOf(world), id);
    expect(await sql('SELECT id, reason FROM mirror_refetch')).toEqual([{ id, reason: 'discarded' }]);
    await pull();
    expect(await sql('SELECT id FROM mirror_refetch')).toEqual([]);
  });

  it('loses no edit that comes between its read and its commit', async () => {
    const world = await begin();
    const { simulator, sql, ids, push, row } = world;
    const [id = ''] = ids();
    const before = simulator.source.get(id);
    await sql(edit(id, "fax = '(555) 010-0001'"));
    await discardEdits(racedHand(world, edit(id, "last_name = 'Raced'")), `${id}:fax`);
    expect(await row(id)).toMatchObject({ fax: before?.fax, last_name: 'Raced' });
    await push();
    expect(simulator.source.get(id)).toMatchObject({ fax: before?.fax, lastName: 'Raced' });
  });

  it.runIf(kind === 'postgres')(
    'leaves a row alone that a user’s open transaction holds, and says so',
    async () => {
      const world = await begin();
      const [id = ''] = world.ids();
      await world.sql(edit(id, "fax = '(555) 010-0001'"));
      await world.sql('BEGIN');
      await world.sql(edit(id, 'fico = 321'));
      const left = discardEdits(handOf(world), `${id}:fax`);
      await expect(left).rejects.toMatchObject({ code: 'WAREHOUSE_BUSY' });
      await world.sql('COMMIT');
      expect(await world.row(id)).toMatchObject({ fax: '(555) 010-0001', fico: 321 });
      await discardEdits(handOf(world), `${id}:fax`);
      expect(await world.row(id)).toMatchObject({ fico: 321 });
    },
  );

  it('gives up after some tries when the row is edited without pause', async () => {
    const world = await begin();
    const [id = ''] = world.ids();
    await world.sql(edit(id, "fax = '(555) 010-0001'"));
    const hand = racedHand(world, edit(id, 'fico = coalesce(fico, 0) + 1'), 100);
    await expect(discardEdits(hand, `${id}:fax`)).rejects.toMatchObject({ code: 'WAREHOUSE_BUSY' });
    expect(await world.row(id)).toMatchObject({ fax: '(555) 010-0001' });
  });

  it('refuses what is on its way, with a word on what to do, and changes nothing', async () => {
    const world = await begin();
    const { sql, ids, row } = world;
    const [id = ''] = ids();
    await sql(edit(id, "fax = '(555) 010-0001', first_name = 'Ann'"));
    await claimed(world, id, { fax: '(555) 010-0001' });
    const states = (await shortEdits(world)).map((one) => one.split(' → ')[0]);
    expect(states.toSorted().map((one) => one?.split(' ').slice(0, -1).join(' '))).toEqual([
      expect.stringMatching(/^in flight fax/),
      expect.stringMatching(/^pending firstName/),
    ]);
    const before = await row(id);
    await expect(discardEdits(handOf(world), id)).rejects.toMatchObject({
      code: 'WAREHOUSE_BUSY',
      message: `client ${id} is on its way to the source just now: try again in a moment`,
    });
    expect(await discardAll(handOf(world))).toEqual({ discarded: 0, clients: 0, left: 2 });
    expect(await row(id)).toEqual(before);
  });

  it('takes what was sent without an answer for what the source says of it', async () => {
    const world = await begin();
    const { simulator, sql, ids, pull, push, row } = world;
    const [id = ''] = ids();
    const before = simulator.source.get(id);
    await sql(edit(id, "fax = '(555) 010-0001', fico = 444"));
    // The PATCH arrived; nobody heard of it.
    simulator.source.update(id, { fax: '(555) 010-0001' });
    await claimed(world, id, { fax: '(555) 010-0001', fico: 444 }, false);
    await sql(`INSERT INTO mirror_edits (client_id, field, base, value, at, outcome)
      VALUES ('${id}', 'fax', 'null', '"(555) 010-0001"', '2026-01-01T00:00:00.0000000Z', 'sent')`);
    await discardEdits(handOf(world), `${id}:fax`);
    expect(await row(id)).toMatchObject({ fax: before?.fax, fico: 444 });
    const [entry] = await sql('SELECT sent FROM mirror_pushes');
    expect(JSON.parse(String(entry?.sent))).toEqual({ fico: 444 });
    // A new edit before the source was read again: what was sent is known for ours, and no conflict.
    await sql(edit(id, "fax = '(555) 010-0002'"));
    await push();
    expect(simulator.source.get(id)).toMatchObject({ fax: '(555) 010-0002', fico: 444 });
    expect(await sql('SELECT * FROM mirror_conflicts')).toEqual([]);
    await pull();
    expect(await row(id)).toMatchObject({ fax: '(555) 010-0002', ...CLEAN });
  });

  it('lets an insert go, and not one that may be at the source', async () => {
    const world = await begin();
    const { sql, push, simulator } = world;
    const insert = (email: string) =>
      sql(`INSERT INTO clients (email, first_name, last_name) VALUES ('${email}', 'New', 'One')`);
    await insert('a@example.com');
    const [made] = await listEdits(world);
    await expect(discardEdits(handOf(world), `${made?.clientId}:email`)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    await discardEdits(handOf(world), made?.id ?? '');
    expect(await sql("SELECT id FROM clients WHERE email = 'a@example.com'")).toEqual([]);
    expect(await sql('SELECT * FROM mirror_deletes')).toEqual([]);
    await push();
    expect(simulator.requests.log.filter(({ method }) => method === 'POST')).toEqual([]);

    await insert('b@example.com');
    const [sent] = await listEdits(world);
    await claimed(world, sent?.clientId ?? '', { email: 'b@example.com' }, false);
    await expect(discardEdits(handOf(world), sent?.id ?? '')).rejects.toThrow('may be at the source already');
    expect(await discardAll(handOf(world))).toEqual({ discarded: 0, clients: 0, left: 1 });
    expect(await sql("SELECT id FROM clients WHERE email = 'b@example.com'")).toHaveLength(1);
  });

  it('loses no insert that is edited between its read and its commit without looking at it again', async () => {
    const world = await begin();
    await world.sql(
      "INSERT INTO clients (email, first_name, last_name) VALUES ('a@example.com', 'New', 'One')",
    );
    const [made] = await listEdits(world);
    const id = made?.clientId ?? '';
    await discardEdits(racedHand(world, edit(id, "last_name = 'Raced'")), id);
    const [entry] = await world.sql("SELECT value FROM mirror_edits WHERE outcome = 'discarded'");
    expect(JSON.parse(String(entry?.value))).toMatchObject({ lastName: 'Raced' });
  });

  it('brings a deleted row back as the source has it, without its edits, which stay readable', async () => {
    const world = await begin({ deletes: true });
    const { sql, ids, push, simulator } = world;
    const [id = ''] = ids();
    const before = await valuesOf(world, id);
    await sql(edit(id, "fax = '(555) 010-0001', total_income = 0.25"));
    await sql(`DELETE FROM clients WHERE id = '${id}'`);
    expect(await shortEdits(world)).toEqual(['pending delete']);
    const [deleted] = await discardEdits(handOf(world), `${id}:delete`);
    expect(deleted?.base).toMatchObject({ fax: '(555) 010-0001', totalIncome: 0.25 });
    expect(await valuesOf(world, id)).toEqual(before);
    expect(await sql('SELECT * FROM mirror_deletes')).toEqual([]);
    expect(await sql('SELECT * FROM mirror_pushes')).toEqual([]);
    expect(
      await sql("SELECT field FROM mirror_edits WHERE outcome = 'discarded' AND field IS NOT NULL"),
    ).toHaveLength(2);
    await world.sync();
    await push();
    expect(simulator.source.get(id)).toBeDefined();
    expect(await valuesOf(world, id)).toEqual(before);
  });

  it('of a refused delete leaves the row that is back, with its edits', async () => {
    const world = await begin({ deletes: true });
    const { simulator, sql, ids, push, row } = world;
    const [id = ''] = ids();
    simulator.setFaults({ denyClients: [id] });
    await sql(edit(id, "fax = '(555) 010-0001'"));
    await sql(`DELETE FROM clients WHERE id = '${id}'`);
    await push();
    const parts = async () => (await listEdits(world)).map((one) => one.field ?? one.kind);
    expect(await parts()).toEqual(['delete', 'fax']);
    await discardEdits(handOf(world), `${id}:delete`);
    expect(await parts()).toEqual(['fax']);
    expect(await row(id)).toMatchObject({ fax: '(555) 010-0001' });
  });

  it('discards everything at once, whatever its state, and frees what the guard held back', async () => {
    const world = await begin({ deletes: true, simulator: { clients: 250 } });
    const { simulator, sql, ids, push } = world;
    const [first = '', second = '', third = ''] = ids();
    const before = await valuesOf(world, first);
    await sql("UPDATE clients SET last_name = 'Oops', fico = 1");
    await sql("INSERT INTO clients (email, first_name, last_name) VALUES ('a@example.com', 'New', 'One')");
    await sql(`DELETE FROM clients WHERE id = '${second}'`);
    await claimed(world, third, { lastName: 'Oops' });
    await push();
    const free = 249 * 2 - 2 + 2;
    const result = await discardAll(handOf(world));
    // The insert went with the push, which holds back changes only.
    expect(result).toEqual({ discarded: expect.any(Number), clients: expect.any(Number), left: 2 });
    expect(result.discarded).toBeGreaterThanOrEqual(free - 2);
    expect(await valuesOf(world, first)).toEqual(before);
    await sql('DELETE FROM mirror_pushes');
    expect(await discardAll(handOf(world))).toEqual({ discarded: 2, clients: 1, left: 0 });
    expect(await shortEdits(world)).toEqual([]);
    expect(await sql("SELECT * FROM mirror_settings WHERE name = 'mass_edit'")).toEqual([]);
    expect(await readStatus(world.warehouse, world.clock)).toMatchObject({ pending: 0, deadLetters: 0 });
    simulator.requests.clear();
    await push();
    expect(simulator.requests.log.filter(({ method }) => method !== 'GET')).toEqual([]);
  });

  it('discards one by one where a batch meets an edit, and that edit stays', async () => {
    const world = await begin();
    const { sql, ids, row } = world;
    const [first = '', second = ''] = ids();
    await sql("UPDATE clients SET last_name = 'Oops'");
    const before = await row(second);
    const hand = racedHand(world, edit(first, "first_name = 'Raced'"));
    const { left } = await discardAll(hand);
    expect(left).toBe(0);
    expect((await row(second)).last_name).not.toBe(before.last_name);
    // Read anew, the client's edits are all of those that it had then: the raced one too, and it stays readable.
    const journal = await sql(`SELECT field, value FROM mirror_edits WHERE client_id = '${first}'`);
    expect(journal.map(({ field }) => field).toSorted()).toEqual(['firstName', 'lastName']);
  });
});
