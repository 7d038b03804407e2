import { expect, it } from 'vitest';
import { isSyncError } from '../../src/errors.ts';
import { planRequests } from '../../src/push/dryRun.ts';
import { runPush } from '../../src/sync.ts';
import { describeBoth } from './warehouses.ts';

const edit = (id: string, set: string) => `UPDATE clients SET ${set} WHERE id = '${id}'`;

describeBoth('a push over a bad connection', (begin) => {
  it('brings every edit home once, whatever happens to requests and answers', async () => {
    const world = await begin({ simulator: { clients: 120 }, lookbackSeconds: 1 });
    const { simulator, sql, push, ids, clock } = world;
    for (const [n, id] of ids().entries()) await sql(edit(id, `fax = 'fax ${n}', fico = ${300 + n}`));
    await sql(
      `INSERT INTO clients (email, first_name, last_name) VALUES ${Array.from({ length: 10 }, (_, n) => `('n${n}@example.com', 'N', 'L')`).join(', ')}`,
    );
    const some = { probability: 0.05 };
    simulator.setFaults({
      throttle: { ...some, seconds: 1 },
      serverError: some,
      resetBefore: some,
      lostAnswer: some,
      resetAfter: some,
      tornJson: some,
      cutShort: some,
      html: some,
      unauthorized: { probability: 0.02 },
    });
    for (let turn = 0; turn < 8; turn += 1) {
      await push(true).catch((error: unknown) => expect(isSyncError(error), String(error)).toBe(true));
      clock.advance(2000);
      if (world.kind === 'postgres') await sql('UPDATE mirror_pushes SET claimed_ms = claimed_ms - 2000');
    }
    simulator.setFaults({});
    await push(true);
    for (const [n, id] of world.ids().entries()) {
      const client = simulator.source.get(id);
      if (client?.email.startsWith('n')) continue;
      expect(client).toMatchObject({ fico: expect.any(Number) });
      const [row] = await sql(`SELECT fax, fico, _base FROM clients WHERE id = '${id}'`);
      expect(row, `${n}`).toEqual({ fax: client?.fax, fico: client?.fico, _base: null });
    }
    const made = simulator.source.all().filter(({ email }) => /^n\d@/.test(email));
    expect(made.map(({ email }) => email).sort()).toEqual(
      Array.from({ length: 10 }, (_, n) => `n${n}@example.com`),
    );
    expect(await sql('SELECT * FROM mirror_conflicts')).toEqual([]);
    expect(await sql("SELECT * FROM mirror_edits WHERE outcome IN ('refused', 'ignored')")).toEqual([]);
    expect(simulator.source.all().filter(({ fax }) => fax?.startsWith('fax '))).toHaveLength(120);
  });

  it('ends with the error, keeps its state, and goes on at once when it is run again', async () => {
    const { simulator, sql, push, ids } = await begin({ attemptsMax: 2 });
    for (const id of ids()) await sql(edit(id, "fax = 'later'"));
    simulator.setFaults({ unauthorized: { after: 8 } });
    await expect(push()).rejects.toMatchObject({ code: 'AUTH' });
    simulator.setFaults({ serverError: { status: 500, on: ['write'] } });
    await expect(push()).rejects.toMatchObject({ code: 'SERVER' });
    simulator.setFaults({});
    await push();
    expect(simulator.source.all().every(({ fax }) => fax === 'later')).toBe(true);
    expect(await sql('SELECT * FROM mirror_pushes')).toEqual([]);
    expect(await sql('SELECT * FROM mirror_conflicts')).toEqual([]);
  });

  it('is not held up by one client that the source fails on, and tells at the end', async () => {
    const { simulator, sql, push, ids } = await begin({ attemptsMax: 2 });
    const [bad = ''] = ids();
    for (const id of ids()) await sql(edit(id, "fax = 'through'"));
    simulator.setOnRequest(({ method, path }) => {
      if (method === 'PATCH' && path.endsWith(bad)) throw new Error('no answer for this one');
    });
    await expect(push()).rejects.toMatchObject({ code: 'NETWORK' });
    expect(simulator.source.all().filter(({ fax }) => fax === 'through')).toHaveLength(19);
    simulator.setOnRequest(undefined);
    await push();
    expect(simulator.source.get(bad)).toMatchObject({ fax: 'through' });
  });
});

describeBoth('clients that the source fails on each time', (begin) => {
  it('do not keep the others from their turn, however many there are', async () => {
    const { simulator, sql, push, ids } = await begin({ attemptsMax: 1, simulator: { clients: 340 } });
    const bad = new Set(ids().slice(0, 20));
    const list = (some: Iterable<string>) => [...some].map((id) => `'${id}'`).join(', ');
    await sql(`UPDATE clients SET fax = 'bad' WHERE id IN (${list(bad)})`);
    simulator.setOnRequest(({ method, path }) => {
      if (method === 'PATCH' && bad.has(path.slice(-36))) throw new Error('never an answer');
    });
    await expect(push()).rejects.toMatchObject({ code: 'NETWORK' });
    await sql("UPDATE clients SET fax = 'good'");
    for (let turn = 0; turn < 3; turn += 1) await push(true).catch(() => undefined);
    expect(simulator.source.all().filter(({ fax }) => fax === 'good')).toHaveLength(320);
  });
});

describeBoth('two pushes at once', (begin) => {
  it('send each edit once, while a user edits without pause', async () => {
    const world = await begin({ simulator: { clients: 60 }, realTime: true });
    const { simulator, sql, ids, warehouse } = world;
    const all = ids();
    for (const id of all) await sql(edit(id, "fax = '0'"));
    let edits = 0;
    simulator.setOnRequest(async ({ method }, source) => {
      if (method === 'GET' || edits >= 200) return;
      edits += 1;
      const id = all[(edits * 7) % all.length] ?? '';
      await sql(edit(id, `fax = '${edits}'`));
      if (edits % 5 === 0) source.update(id, { mobilePhone: `m${edits}` });
    });
    const other = world.another({});
    for (let turn = 0; turn < 6; turn += 1) {
      await Promise.all([
        runPush(world.engine, { allowMassEdit: true }),
        runPush(other, { allowMassEdit: true }),
        world.pull(),
      ]);
    }
    simulator.setOnRequest(undefined);
    await world.sync();
    await world.sync();
    for (const id of all) {
      const client = simulator.source.get(id);
      const [row] = await sql(`SELECT fax, mobile_phone, _base FROM clients WHERE id = '${id}'`);
      expect(row).toEqual({ fax: client?.fax, mobile_phone: client?.mobilePhone, _base: null });
    }
    expect(edits).toBe(200);
    expect(await sql("SELECT * FROM mirror_conflicts WHERE field = 'fax'")).toEqual([]);
    expect(await sql("SELECT * FROM mirror_edits WHERE outcome IN ('refused', 'ignored')")).toEqual([]);
    expect(await warehouse.read({ sql: 'SELECT * FROM mirror_pushes', params: [] })).toEqual([]);
  });
});

describeBoth('a mirror that sends nothing', (begin) => {
  it('merges what the source changed into rows that were edited before, by pull alone', async () => {
    const world = await begin();
    const { simulator, sql, row, ids } = world;
    const [id = ''] = ids();
    await sql(edit(id, "fax = 'mine'"));
    await sql("UPDATE mirror_settings SET value = 'false' WHERE name = 'push'");
    simulator.source.update(id, { lastName: 'Theirs' });
    simulator.requests.clear();
    const silent = world.another({ push: { sends: false } });
    const { runPull, runSync } = await import('../../src/sync.ts');
    await runPull(silent);
    expect(await row(id)).toMatchObject({ fax: 'mine', last_name: 'Theirs' });
    await runSync(silent);
    expect(simulator.requests.log.filter(({ method }) => method !== 'GET')).toEqual([]);
    expect(simulator.source.get(id)?.fax).not.toBe('mine');
    // Switched on again it goes.
    await world.push();
    expect(simulator.source.get(id)).toMatchObject({ fax: 'mine', lastName: 'Theirs' });
  });
});

describeBoth('a look at what would be sent', (begin) => {
  it('shows the exact requests of the push that follows, and sends and writes nothing', async () => {
    const world = await begin({ deletes: true });
    const { simulator, sql, ids, engine, push } = world;
    const [one = '', two = '', three = ''] = ids();
    await sql(edit(one, 'total_income = 12.5, is_archived = NOT is_archived'));
    await sql(edit(two, "first_name = 'Two'"));
    await sql("INSERT INTO clients (email, first_name, last_name) VALUES ('ada@example.com', 'Ada', 'L')");
    await sql(`DELETE FROM clients WHERE id = '${three}'`);
    const [before] = await sql('SELECT max(_revision) AS r FROM clients');
    const planned = [];
    for await (const request of planRequests(engine)) planned.push(request);
    expect(simulator.requests.log.every(({ method }) => method === 'GET')).toBe(true);
    expect(await sql('SELECT max(_revision) AS r FROM clients')).toEqual([before]);
    expect(await sql('SELECT * FROM mirror_edits')).toEqual([]);
    simulator.requests.clear();
    await push();
    const sent = simulator.requests.log
      .filter(({ method }) => method !== 'GET')
      .map(({ method, path, body }) => ({
        method,
        path,
        body: body === undefined ? null : JSON.parse(body),
      }));
    const sorted = (list: readonly object[]) => list.map((entry) => JSON.stringify(entry)).sort();
    expect(sorted(sent)).toEqual(sorted(planned));
  });
});
