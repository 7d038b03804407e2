import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { isSyncError } from '../../src/errors.ts';
import { readStatus } from '../../src/status.ts';
import { describeBoth } from './warehouses.ts';
import type { World } from './world.ts';

const OWNER = '0a0a0a0a-1111-4222-8333-444444444444';
const NEW = "(email, first_name, last_name) VALUES ('ada@example.com', 'Ada', 'Lovelace')";
const atSource = ({ simulator }: World, email = 'ada@example.com') =>
  simulator.source.all().filter((row) => row.email === email);
/** Lets time pass for claims and lookbacks, whoever's clock they go by. */
const letPass = async (world: World, seconds: number) => {
  world.clock.advance(seconds * 1000);
  await world.sql(
    `UPDATE mirror_pushes SET claimed_ms = claimed_ms - ${world.kind === 'postgres' ? seconds * 1000 : 0}`,
  );
};
const failed = async (work: Promise<unknown>) => {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(isSyncError(error), String(error)).toBe(true);
};

describeBoth('a row inserted here', (begin) => {
  it('is created once, under the id that the source gives', async () => {
    const world = await begin();
    const { simulator, sql, push, pull } = world;
    await sql(`INSERT INTO clients ${NEW}`);
    const [inserted] = await sql("SELECT id, external_id FROM clients WHERE email = 'ada@example.com'");
    await push();
    const [created] = atSource(world);
    expect(created).toMatchObject({ firstName: 'Ada', externalId: inserted?.external_id });
    expect(
      await sql("SELECT id, _create, _base, _edited_at FROM clients WHERE email = 'ada@example.com'"),
    ).toEqual([{ id: created?.id, _create: null, _base: null, _edited_at: null }]);
    expect(await sql('SELECT * FROM mirror_ids')).toEqual([{ local_id: inserted?.id, id: created?.id }]);
    expect(await sql('SELECT outcome FROM mirror_edits ORDER BY id')).toEqual([
      { outcome: 'sent' },
      { outcome: 'arrived' },
    ]);
    await pull();
    await push();
    expect(simulator.requests.count({ method: 'POST' })).toBe(1);
    expect(await sql('SELECT count(*) AS n FROM clients')).toEqual([{ n: 21 }]);
    // An edit of it is an update from now on.
    await sql("UPDATE clients SET fico = 700 WHERE email = 'ada@example.com'");
    await push();
    expect(atSource(world)).toMatchObject([{ fico: 700 }]);
  });

  it('takes the mirrored owner where it has none, and 150 rows of one statement arrive once each', async () => {
    const world = await begin({ ownerId: OWNER });
    const values = Array.from({ length: 150 }, (_, n) => `('same@example.com', 'N${n}', 'L')`).join(', ');
    await world.sql(`INSERT INTO clients (email, first_name, last_name) VALUES ${values}`);
    await world.push();
    const created = atSource(world, 'same@example.com');
    expect(new Set(created.map((row) => row.firstName)).size).toBe(150);
    expect(created).toHaveLength(150);
    expect(created.every((row) => row.ownerId === OWNER)).toBe(true);
    expect(await world.sql('SELECT count(*) AS n FROM clients WHERE _create IS NOT NULL')).toEqual([
      { n: 0 },
    ]);
  });

  it('whose answer was lost is found at once, and not made twice', async () => {
    const world = await begin();
    world.simulator.setFaults({ lostAnswer: { times: 1, on: ['write'] } });
    await world.sql(`INSERT INTO clients ${NEW}`);
    await world.push();
    expect(atSource(world)).toHaveLength(1);
    expect(await world.sql('SELECT count(*) AS n FROM clients WHERE _create IS NOT NULL')).toEqual([
      { n: 0 },
    ]);
  });

  it('whose request was lost is made again, but only after the lookback', async () => {
    const world = await begin();
    const { simulator, sql, push } = world;
    simulator.setFaults({ resetBefore: { times: 1, on: ['write'] } });
    await sql(`INSERT INTO clients ${NEW}`);
    await failed(push());
    await letPass(world, 200);
    await push();
    expect(atSource(world)).toEqual([]);
    await expect(sql("DELETE FROM clients WHERE email = 'ada@example.com'")).rejects.toThrow(/being created/);
    await letPass(world, 200);
    await push();
    expect(atSource(world)).toHaveLength(1);
    expect(await sql("SELECT count(*) AS n FROM clients WHERE email = 'ada@example.com'")).toEqual([
      { n: 1 },
    ]);
  });

  it('that became visible late is found before it would be made again', async () => {
    const world = await begin();
    const { simulator, sql, push } = world;
    simulator.setFaults({ resetBefore: { times: 1, on: ['write'] } });
    await sql(`INSERT INTO clients ${NEW}`);
    await failed(push());
    const [row] = await sql("SELECT external_id FROM clients WHERE email = 'ada@example.com'");
    simulator.source.insert({
      email: 'ada@example.com',
      firstName: 'Ada',
      lastName: 'Lovelace',
      externalId: String(row?.external_id),
    });
    await letPass(world, 400);
    await push();
    expect(atSource(world)).toHaveLength(1);
    expect(simulator.requests.count({ method: 'POST', status: 200 })).toBe(0);
  });

  it('never adopts a stranger who has its externalId', async () => {
    const world = await begin();
    const { simulator, sql, push } = world;
    const stranger = simulator.source.insert({ email: 'stranger@example.com', externalId: 'K-1' });
    simulator.setFaults({ lostAnswer: { times: 1, on: ['write'] } });
    await sql(
      `INSERT INTO clients (email, first_name, last_name, external_id) VALUES ('ada@example.com', 'Ada', 'L', 'K-1')`,
    );
    await push();
    const [created] = atSource(world);
    expect(created?.id).not.toBe(stranger.id);
    expect(await sql("SELECT id FROM clients WHERE email = 'ada@example.com'")).toEqual([
      { id: created?.id },
    ]);
  });

  it('is not inserted by a pull that meets it first, and an edit while its POST is away follows', async () => {
    const world = await begin();
    const { simulator, sql, push, pull } = world;
    await sql(`INSERT INTO clients ${NEW}`);
    simulator.setOnRequest(async ({ method, path }) => {
      if (method !== 'GET' || !/clients\/[0-9a-f-]{36}$/.test(path)) return;
      simulator.setOnRequest(undefined);
      await pull();
      await sql("UPDATE clients SET fico = 650, last_name = 'King' WHERE email = 'ada@example.com'");
    });
    await push();
    expect(await sql("SELECT count(*) AS n FROM clients WHERE email = 'ada@example.com'")).toEqual([
      { n: 1 },
    ]);
    await push();
    await pull();
    expect(atSource(world)).toMatchObject([{ fico: 650, lastName: 'King' }]);
    expect(await sql('SELECT * FROM mirror_refetch')).toEqual([]);
    expect(await sql('SELECT count(*) AS n FROM clients WHERE _base IS NOT NULL')).toEqual([{ n: 0 }]);
  });

  it('that the source refuses is a dead letter, which a further edit revives', async () => {
    const world = await begin();
    const { simulator, sql, push, warehouse, clock } = world;
    // The trigger takes it, the source's longer rules do not.
    await sql("INSERT INTO clients (email, first_name, last_name) VALUES ('ada@example.com', 'Ada', ' L ')");
    simulator.setFaults({ serverError: { times: 1, status: 422, on: ['write'] } });
    await push();
    expect(await readStatus(warehouse, clock)).toMatchObject({ pending: 0, deadLetters: 1 });
    simulator.requests.clear();
    await push();
    expect(simulator.requests.total).toBe(0);
    await sql("UPDATE clients SET fico = 700 WHERE email = 'ada@example.com'");
    await push();
    expect(atSource(world)).toMatchObject([{ fico: 700 }]);
    expect(await readStatus(warehouse, clock)).toMatchObject({ pending: 0, deadLetters: 0 });
  });

  it('waits with its id where a foreign key does not let the row take it', async () => {
    const world = await begin();
    const { sql, push, warehouse, clock, simulator } = world;
    const type = world.kind === 'postgres' ? 'uuid' : 'TEXT';
    await sql(`CREATE TABLE notes (client_id ${type} REFERENCES clients (id))`);
    const id = randomUUID();
    await sql(
      `INSERT INTO clients (id, email, first_name, last_name) VALUES ('${id}', 'ada@example.com', 'Ada', 'L')`,
    );
    await sql(`INSERT INTO notes (client_id) VALUES ('${id}')`);
    await push();
    const [created] = atSource(world);
    const [letter] = await sql("SELECT message FROM mirror_edits WHERE outcome = 'refused'");
    expect(letter?.message).toContain(created?.id);
    expect(await readStatus(warehouse, clock)).toMatchObject({ pending: 0, deadLetters: 1 });
    await sql('DELETE FROM notes');
    await sql("UPDATE clients SET fico = 700 WHERE email = 'ada@example.com'");
    await push();
    await push();
    expect(atSource(world)).toMatchObject([{ fico: 700 }]);
    expect(simulator.requests.count({ method: 'POST' })).toBe(1);
    expect(await sql("SELECT id FROM clients WHERE email = 'ada@example.com'")).toEqual([
      { id: created?.id },
    ]);
  });
});
