/**
 * Local edits and the whole program: users who edit without pause, a transaction that stays open, a token that ends in
 * mid-push, faults over thousands of edits, a server that writes values its own way. Each ends with the accounts.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { Faults } from '../../src/simulator/faults.ts';
import type { UserConnection } from '../contract/warehouse.ts';
import { ENGINES, type EngineName } from '../support/mirror.ts';
import { connectToMirror } from '../support/storyUser.ts';
import { type Story, startStory } from './accounts.ts';

let story: Story | undefined;
const users: UserConnection[] = [];
afterEach(async () => {
  for (const user of users.splice(0)) await user.close();
  await story?.mirror.close();
  story = undefined;
});

async function begin(
  engine: EngineName,
  options: Parameters<typeof startStory>[1] = {},
  settings: Readonly<Record<string, string>> = {},
): Promise<Story> {
  story = await startStory(engine, options, settings);
  await story.mirror.ok(['sync'], { CLIENTS_API_TOKEN: story.mirror.simulator.token });
  return story;
}

async function connect({ mirror }: Story): Promise<UserConnection> {
  const user = await connectToMirror(mirror);
  users.push(user);
  return user;
}

const idsOf = ({ mirror }: Story): string[] =>
  mirror.simulator.source
    .all()
    .map(({ id }) => id)
    .sort();

/** Sets one field of one client, and enters the edit once the database has it. */
async function edit(one: Story, user: UserConnection, id: string, [field, column, value]: readonly string[]) {
  const tick = one.history.tick();
  await user.run(`UPDATE clients SET ${column} = '${value}' WHERE id = '${id}'`);
  one.enter({ tick, id, kind: 'field', field: field ?? '', value: value ?? null });
}

const TEXTS = [
  ['fax', 'fax'],
  ['homePhone', 'home_phone'],
  ['workPhone', 'work_phone'],
  ['mobilePhone', 'mobile_phone'],
  ['source', 'source'],
  ['firstName', 'first_name'],
  ['lastName', 'last_name'],
  ['externalId', 'external_id'],
] as const;

describe.each(ENGINES)('local edits on %s', (engine) => {
  it('of eight connections that never pause survive pulls, pushes and remote changes', {
    timeout: 120_000,
  }, async () => {
    const one = await begin(engine, { clients: 60, latencyMs: 2 });
    const ids = idsOf(one);
    const { source } = one.mirror.simulator;
    let isOver = false;
    const people = TEXTS.map(async ([field, column], person) => {
      const user = await connect(one);
      for (let n = 0; !isOver; n += 1) {
        // Each has a field of their own, so that it is known whose edit was the last.
        await edit(one, user, ids[(n * 7 + person) % 40] ?? '', [field, column, `${person} wrote ${n}`]);
        await delay(12);
      }
    });
    const others = (async () => {
      for (let n = 0; !isOver; n += 1) {
        const [field] = TEXTS[n % TEXTS.length] ?? ['fax'];
        source.update(ids[(n * 11) % ids.length] ?? '', { [field]: `there ${n}` });
        await delay(15);
      }
    })();
    for (let n = 0; n < 3; n += 1) {
      const runs = [one.mirror.start(['sync']), one.mirror.start(['push'])];
      for (const { done } of runs) expect(await done).toMatchObject({ exit: 0 });
    }
    isOver = true;
    await Promise.all([...people, others]);
    expect(one.edits.length).toBeGreaterThan(300);
    expect(await one.findings()).toEqual([]);
  });

  it('arrive in spite of 5 % faults of all kinds over 2,000 edits', { timeout: 300_000 }, async () => {
    const one = await begin(engine, { clients: 2_000 });
    const user = await connect(one);
    const tick = one.history.tick();
    await user.run("UPDATE clients SET fax = 'bulk ' || id");
    for (const id of idsOf(one)) one.enter({ tick, id, kind: 'field', field: 'fax', value: `bulk ${id}` });
    one.mirror.simulator.setFaults(FIVE_PERCENT);
    for (let n = 0; n < 20; n += 1) {
      const { exit } = await one.mirror.run(['push', '--allow-mass-edit'], { MIRROR_CONCURRENCY: '16' });
      expect([0, 1]).toContain(exit);
      if ((await user.run('SELECT id FROM clients WHERE _base IS NOT NULL')).length === 0) break;
    }
    one.mirror.simulator.setFaults({});
    expect(await one.findings()).toEqual([]);
    expect(await one.mirror.differences()).toEqual([]);
  });

  it('go on with the new token of the file after a 401 in mid-push', async () => {
    const file = join(process.env.TMPDIR ?? '/tmp', `clients-mirror-token-${process.pid}-${engine}`);
    const one = await begin(engine, { clients: 300 });
    const { simulator } = one.mirror;
    writeFileSync(file, simulator.token);
    const user = await connect(one);
    const ids = idsOf(one).slice(0, 100);
    for (const id of ids) await edit(one, user, id, ['fax', 'fax', `one of ${id}`]);
    let writes = 0;
    simulator.setOnRequest((request) => {
      if (request.method === 'PATCH') writes += 1;
      if (writes !== 30) return;
      simulator.setTokens('a-new-token');
      writeFileSync(file, 'a-new-token');
    });
    const env = { CLIENTS_API_TOKEN: '', CLIENTS_API_TOKEN_FILE: file };
    const { exit, stderr } = await one.mirror.run(['push'], env);
    expect({ exit, stderr }).toMatchObject({ exit: 0 });
    simulator.setOnRequest(undefined);
    simulator.setTokens(simulator.token);
    expect(await one.findings()).toEqual([]);
    for (const id of ids) expect(simulator.source.get(id)?.fax).toBe(`one of ${id}`);
  });

  it('of 150 rows in one INSERT, two with the same email, each become one client', async () => {
    const one = await begin(engine, { clients: 50 });
    const user = await connect(one);
    const rows = Array.from({ length: 150 }, (_, n) => `('new${n % 149}@example.com', 'New', 'Client ${n}')`);
    const tick = one.history.tick();
    const inserted = await user.run(
      `INSERT INTO clients (email, first_name, last_name) VALUES ${rows.join(', ')} RETURNING id`,
    );
    for (const { id } of inserted)
      one.enter({ tick, id: String(id), kind: 'insert', field: '', value: null });
    one.mirror.simulator.setFaults({ lostAnswer: { probability: 0.05, on: ['write'] } });
    for (let n = 0; n < 6; n += 1) {
      await one.mirror.run(['push']);
      if ((await user.run('SELECT id FROM clients WHERE _create IS NOT NULL')).length === 0) break;
      await delay(1_000);
    }
    one.mirror.simulator.setFaults({});
    expect(await one.findings()).toEqual([]);
    const names = one.mirror.simulator.source
      .all()
      .flatMap(({ lastName }) => lastName.match(/^Client \d+$/) ?? []);
    expect(names).toHaveLength(150);
    expect(new Set(names).size).toBe(150);
    expect(await one.mirror.differences()).toEqual([]);
  });

  it('meet a server that trims, lowercases, rounds and ignores, and come to rest on record', async () => {
    const normalise = {
      lastName: 'trim',
      email: 'lower',
      totalIncome: 'round',
      mobilePhone: 'keep',
    } as const;
    const one = await begin(engine, { clients: 50, faults: { normalise } });
    const user = await connect(one);
    const id = one.mirror.simulator.source.all().find(({ mobilePhone }) => mobilePhone !== null)?.id ?? '';
    await edit(one, user, id, ['email', 'email', 'Anna.Upper@Example.com']);
    await edit(one, user, id, ['lastName', 'last_name', '  Spaced  ']);
    const tick = one.history.tick();
    await user.run(`UPDATE clients SET total_income = 1234.56789, mobile_phone = NULL WHERE id = '${id}'`);
    one.enter({ tick, id, kind: 'field', field: 'totalIncome', value: 1_234.567_89 });
    one.enter({ tick, id, kind: 'field', field: 'mobilePhone', value: null });
    await one.mirror.ok(['push']);
    const [row] = await user.run(
      `SELECT email, last_name, total_income, mobile_phone FROM clients WHERE id = '${id}'`,
    );
    expect(row).toEqual({
      email: 'anna.upper@example.com',
      last_name: 'Spaced',
      total_income: 1_234.57,
      mobile_phone: null,
    });
    expect(JSON.parse((await one.mirror.ok(['edits', 'list', '--json'])).stdout)).toMatchObject([
      { field: 'mobilePhone', state: 'refused', value: null },
    ]);
    expect(await one.findings()).toEqual([]);
  });
});

const share = { probability: 0.005 } as const;
const FIVE_PERCENT: Faults = {
  lostAnswer: share,
  resetBefore: share,
  resetAfter: share,
  tornJson: share,
  cutShort: share,
  html: share,
  wrongType: share,
  serverError: { ...share, status: 503 },
  throttle: { ...share, retryAfter: 'none' },
  latency: { ...share, ms: 50 },
};

describe('a transaction of a user that stays open', () => {
  it('for longer than lease and lock timeout holds up no other row of Postgres', {
    timeout: 120_000,
  }, async () => {
    const one = await begin('postgres', { clients: 100 });
    const [sleeper, user] = [await connect(one), await connect(one)];
    const [held = '', ...others] = idsOf(one);
    const { source } = one.mirror.simulator;
    const beganMs = Date.now();
    await sleeper.run('BEGIN');
    await sleeper.run(`UPDATE clients SET fax = 'slept' WHERE id = '${held}'`);
    source.update(held, { homePhone: 'there' });
    for (let n = 0; Date.now() - beganMs < 32_000; n += 1) {
      const id = others[n] ?? '';
      await edit(one, user, id, ['fax', 'fax', `awake ${n}`]);
      source.update(others.at(-1 - n) ?? '', { fax: `there ${n}` });
      const startedMs = Date.now();
      await one.mirror.ok(['sync']);
      expect(Date.now() - startedMs).toBeLessThan(15_000);
      expect(source.get(id)?.fax).toBe(`awake ${n}`);
      const found = await user.run(`SELECT fax FROM clients WHERE id = '${others.at(-1 - n)}'`);
      expect(found).toEqual([{ fax: `there ${n}` }]);
      await delay(4_000);
    }
    const tick = one.history.tick();
    await sleeper.run('COMMIT');
    one.enter({ tick, id: held, kind: 'field', field: 'fax', value: 'slept' });
    await one.mirror.ok(['sync']);
    expect(source.get(held)).toMatchObject({ fax: 'slept', homePhone: 'there' });
    expect(await one.findings()).toEqual([]);
    expect(await one.mirror.differences()).toEqual([]);
  });

  it('holds up a sync of SQLite, which says so and keeps its state', { timeout: 120_000 }, async () => {
    const one = await begin('sqlite', { clients: 100 });
    const [sleeper, user] = [await connect(one), await connect(one)];
    const [held = '', other = ''] = idsOf(one);
    await edit(one, user, other, ['fax', 'fax', 'before']);
    await sleeper.run('BEGIN IMMEDIATE');
    await sleeper.run(`UPDATE clients SET fax = 'slept' WHERE id = '${held}'`);
    const { exit, stderr } = await one.mirror.run(['sync']);
    expect({ exit, stderr }).toEqual({
      exit: 1,
      stderr: expect.stringContaining('locked by another connection'),
    });
    expect(stderr).toContain('Nothing is lost');
    const tick = one.history.tick();
    await sleeper.run('COMMIT');
    one.enter({ tick, id: held, kind: 'field', field: 'fax', value: 'slept' });
    await one.mirror.ok(['sync']);
    expect(one.mirror.simulator.source.get(held)?.fax).toBe('slept');
    expect(one.mirror.simulator.source.get(other)?.fax).toBe('before');
    expect(await one.findings()).toEqual([]);
  });
});
