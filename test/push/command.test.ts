import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { runCli } from '../support/cli.ts';
import { connectAsUser, makeSqlite, type SqliteTestWarehouse } from '../support/sqlite.ts';

describe('clients-mirror push', () => {
  let simulator: Simulator;
  let made: SqliteTestWarehouse;
  const cli = (...args: readonly string[]) =>
    runCli(args, {
      env: {
        CLIENTS_API_URL: simulator.url,
        CLIENTS_API_TOKEN: simulator.token,
        WAREHOUSE_URL: `sqlite:${made.path}`,
      },
    });
  const sql = async (text: string) => {
    const user = connectAsUser(made.path);
    try {
      return await user.run(text);
    } finally {
      await user.close();
    }
  };

  beforeEach(async () => {
    simulator = await startSimulator({ clients: 150 });
    made = await makeSqlite();
    expect((await cli('backfill')).exit).toBe(0);
  });
  afterEach(async () => {
    await simulator.close();
    await made.dispose();
  });

  it('shows with --dry-run what it would send, sends it without, and sync does both halves', async () => {
    const [row] = await sql('SELECT id, email, first_name, last_name FROM clients ORDER BY id LIMIT 1');
    const id = String(row?.id);
    await sql(`UPDATE clients SET fax = 'new' WHERE id = '${id}'`);
    const dry = await cli('push', '--dry-run', '--json');
    expect(dry.exit).toBe(0);
    const body = { email: row?.email, firstName: row?.first_name, lastName: row?.last_name, fax: 'new' };
    expect(JSON.parse(dry.stdout)).toEqual([{ method: 'PATCH', path: `/clients/${id}`, body }]);
    expect(simulator.source.get(id)?.fax).not.toBe('new');
    const pushed = await cli('push');
    expect(pushed).toMatchObject({ exit: 0, stdout: expect.stringContaining('push done') });
    expect(simulator.source.get(id)).toMatchObject({ fax: 'new' });
    simulator.source.update(id, { lastName: 'Theirs' });
    await sql(`UPDATE clients SET fax = 'newer' WHERE id = '${id}'`);
    expect((await cli('sync')).exit).toBe(0);
    expect(simulator.source.get(id)).toMatchObject({ fax: 'newer' });
    expect(await sql(`SELECT fax, last_name FROM clients WHERE id = '${id}'`)).toEqual([
      { fax: 'newer', last_name: 'Theirs' },
    ]);
  });

  it('holds a mass edit back until --allow-mass-edit, and status --check says so', async () => {
    await sql("UPDATE clients SET fax = 'oops'");
    expect((await cli('push')).exit).toBe(0);
    const status = await cli('status', '--check');
    expect(status.exit).toBe(1);
    expect(status.stdout).toContain('150 changed clients are held back');
    expect(simulator.source.all().filter(({ fax }) => fax === 'oops')).toEqual([]);
    expect((await cli('push', '--allow-mass-edit')).exit).toBe(0);
    expect(simulator.source.all().filter(({ fax }) => fax === 'oops')).toHaveLength(150);
    expect((await cli('status', '--check')).exit).toBe(0);
  });
});
