import { expect, it } from 'vitest';
import { describeBoth } from './warehouses.ts';

describeBoth('push', (begin) => {
  it('carries an UPDATE to the source, and a change made there meanwhile survives', async () => {
    const { simulator, sql, ids, row, push } = await begin();
    const [id = ''] = ids();
    await sql(`UPDATE clients SET first_name = 'Grace', fico = 801 WHERE id = '${id}'`);
    simulator.source.update(id, { lastName: 'Hopper', mobilePhone: '(555) 010-0100' });
    await push();
    expect(simulator.source.get(id)).toMatchObject({
      firstName: 'Grace',
      fico: 801,
      lastName: 'Hopper',
      mobilePhone: '(555) 010-0100',
    });
    expect(await row(id)).toMatchObject({
      first_name: 'Grace',
      fico: 801,
      last_name: 'Hopper',
      mobile_phone: '(555) 010-0100',
      _base: null,
      _parked: null,
      _edited_at: null,
    });
    expect(await sql('SELECT * FROM mirror_pushes')).toEqual([]);
    const outcomes = await sql("SELECT outcome FROM mirror_edits WHERE field = 'firstName' ORDER BY id");
    expect(outcomes).toEqual([{ outcome: 'sent' }, { outcome: 'arrived' }]);
  });

  it('sends what was changed and the required fields, nothing else', async () => {
    const { simulator, sql, ids, push } = await begin();
    const [id = ''] = ids();
    const before = simulator.source.get(id);
    await sql(`UPDATE clients SET fax = '(555) 010-0199' WHERE id = '${id}'`);
    await push();
    const patches = simulator.requests.log.filter(({ method }) => method === 'PATCH');
    expect(patches.map(({ path, body }) => [path, JSON.parse(body ?? '')])).toEqual([
      [
        `/clients/${id}`,
        {
          email: before?.email,
          firstName: before?.firstName,
          lastName: before?.lastName,
          fax: '(555) 010-0199',
        },
      ],
    ]);
  });

  it('costs no request at rest, and its own push is no echo in a pull', async () => {
    const { simulator, sql, ids, push, pull } = await begin();
    const [id = ''] = ids();
    await sql(`UPDATE clients SET total_income = 12345.678 WHERE id = '${id}'`);
    await push();
    const [before] = await sql('SELECT max(_revision) AS r FROM clients');
    await pull();
    expect(await sql('SELECT max(_revision) AS r FROM clients')).toEqual([before]);
    expect(await sql('SELECT * FROM mirror_refetch')).toEqual([]);
    simulator.requests.clear();
    await push();
    await push();
    expect(simulator.requests.total).toBe(0);
    expect(await sql("SELECT count, state FROM mirror_runs WHERE kind = 'push' ORDER BY id")).toEqual([
      { count: 1, state: 'done' },
      { count: 2, state: 'done' },
    ]);
  });
});
