import { expect, it } from 'vitest';
import { readStatus } from '../../src/status.ts';
import { describeBoth } from './warehouses.ts';

describeBoth('a row deleted here', (begin) => {
  it('is deleted at the source, and no pull brings it back', async () => {
    const { simulator, sql, push, pull, ids, clock, engine } = await begin({ deletes: true });
    const [id = '', gone = ''] = ids();
    await sql(`DELETE FROM clients WHERE id IN ('${id}', '${gone}')`);
    simulator.source.remove(gone);
    simulator.source.update(id, { fico: 400 });
    await pull();
    expect(await sql(`SELECT id FROM clients WHERE id = '${id}'`)).toEqual([]);
    await push();
    expect(simulator.source.get(id)).toBeUndefined();
    expect(await sql('SELECT * FROM mirror_deletes')).toEqual([]);
    clock.advance((engine.options.lookbackSeconds + 1) * 1000);
    simulator.requests.clear();
    await pull();
    expect(simulator.requests.count({ path: `/clients/${id}` })).toBe(0);
    expect(await sql('SELECT * FROM mirror_refetch')).toEqual([]);
  });

  it('comes back where the source refuses, with the edits it had; a retry deletes it', async () => {
    const world = await begin({ deletes: true });
    const { simulator, sql, push, pull, ids, row, warehouse, clock } = world;
    const [id = ''] = ids();
    await sql(`UPDATE clients SET fico = 444 WHERE id = '${id}'`);
    await sql(`DELETE FROM clients WHERE id = '${id}'`);
    simulator.setFaults({ serverError: { times: 1, status: 409, on: ['write'] } });
    await push();
    expect(await row(id)).toMatchObject({ fico: 444 });
    expect(await readStatus(warehouse, clock)).toMatchObject({ deadLetters: 1 });
    simulator.source.update(id, { lastName: 'Changed' });
    await pull();
    await push();
    expect(await row(id)).toMatchObject({ fico: 444, last_name: 'Changed', _base: null });
    expect(simulator.source.get(id)).toMatchObject({ fico: 444 });
    // A pull of a changed client leaves the row that came back alone.
    simulator.source.update(id, { lastName: 'Again' });
    await pull();
    expect(await row(id)).toMatchObject({ last_name: 'Again' });
    await sql(`DELETE FROM clients WHERE id = '${id}'`);
    await push();
    expect(simulator.source.get(id)).toBeUndefined();
    expect(await sql(`SELECT id FROM clients WHERE id = '${id}'`)).toEqual([]);
    expect(await readStatus(warehouse, clock)).toMatchObject({ deadLetters: 0, pending: 0 });
  });
});
