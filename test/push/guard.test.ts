import { expect, it } from 'vitest';
import { needsAttention, readStatus } from '../../src/status.ts';
import { describeBoth } from './warehouses.ts';

describeBoth('the guard against the missing WHERE', (begin) => {
  it('sends no change of a mass edit until a person says so; a new client goes', async () => {
    const { simulator, sql, push, pull, row, ids, warehouse, clock } = await begin({
      simulator: { clients: 200 },
    });
    await sql("UPDATE clients SET fax = '(555) 010-0000'");
    await sql("INSERT INTO clients (email, first_name, last_name) VALUES ('ada@example.com', 'Ada', 'L')");
    await push();
    expect(simulator.requests.count({ method: 'PATCH' })).toBe(0);
    expect(simulator.requests.count({ method: 'POST' })).toBe(1);
    const status = await readStatus(warehouse, clock);
    expect(status).toMatchObject({ massEdit: { changes: 200, deletes: 0 }, pending: 200 });
    expect(needsAttention(status).join()).toContain('push --allow-mass-edit');
    // A change at the source of one of them arrives, and takes nothing along.
    const [id = ''] = ids();
    simulator.source.update(id, { lastName: 'Theirs' });
    await pull();
    await push();
    expect(await row(id)).toMatchObject({ last_name: 'Theirs', fax: '(555) 010-0000' });
    expect(simulator.requests.count({ method: 'PATCH' })).toBe(0);
    await push(true);
    expect(simulator.requests.count({ method: 'PATCH' })).toBe(200);
    expect(needsAttention(await readStatus(warehouse, clock))).toEqual([]);
  });

  it('lets a hundred changes pass, and half of the clients', async () => {
    const { simulator, sql, push, ids } = await begin({ simulator: { clients: 240 } });
    const some = ids()
      .slice(0, 120)
      .map((id) => `'${id}'`)
      .join(', ');
    await sql(`UPDATE clients SET fax = '(555) 010-0000' WHERE id IN (${some})`);
    await push();
    expect(simulator.requests.count({ method: 'PATCH' })).toBe(120);
  });

  it('sends no delete of more than ten and a tenth', async () => {
    const { simulator, sql, push, ids, warehouse, clock } = await begin({
      deletes: true,
      simulator: { clients: 100 },
    });
    const some = ids()
      .slice(0, 11)
      .map((id) => `'${id}'`)
      .join(', ');
    await sql(`DELETE FROM clients WHERE id IN (${some})`);
    await push();
    expect(simulator.requests.count({ method: 'DELETE' })).toBe(0);
    expect(await readStatus(warehouse, clock)).toMatchObject({ massEdit: { changes: 0, deletes: 11 } });
    await push(true);
    expect(simulator.source.size).toBe(89);
    expect(await readStatus(warehouse, clock)).toMatchObject({ massEdit: null, pending: 0 });
  });

  it('also stops a mass edit that is committed while a push goes on', async () => {
    const { simulator, sql, push, ids } = await begin({ simulator: { clients: 700 } });
    const some = ids()
      .slice(0, 301)
      .map((id) => `'${id}'`)
      .join(', ');
    await sql(`UPDATE clients SET fax = 'some' WHERE id IN (${some})`);
    simulator.setOnRequest(async ({ method }) => {
      if (method !== 'GET') return;
      simulator.setOnRequest(undefined);
      await sql("UPDATE clients SET fax = 'all'");
    });
    // What was counted goes; the rest is the next push's, which does not send it.
    await push();
    const sent = simulator.requests.count({ method: 'PATCH' });
    expect(sent).toBeLessThanOrEqual(301);
    await push();
    expect(simulator.requests.count({ method: 'PATCH' })).toBe(sent);
  });
});
