/** The file: who may read it, what happens where it cannot be had, and processes that start at once. */
import { execFile, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { newHolder } from '../../../src/warehouse/holder.ts';
import { openWarehouse } from '../../../src/warehouse/open.ts';
import { statement, type Warehouse } from '../../../src/warehouse/warehouse.ts';
import { client, rowsWrite } from '../../contract/warehouse.ts';

const ROOT = join(import.meta.dirname, '../../..');
const run = promisify(execFile);

describe('openSqlite', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'clients-mirror-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const open = (path: string, more: { lockTimeoutMs?: number; holder?: string } = {}): Promise<Warehouse> =>
    openWarehouse({ url: `sqlite:${path}`, schema: 'public', clock: systemClock, ...more });

  /** A program of its own over the same sources. */
  const child = (code: string) =>
    run(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', code], { cwd: ROOT });
  const opening = (path: string): string => `
    import { openWarehouse } from './src/warehouse/open.ts';
    import { systemClock } from './src/clock.ts';
    const open = () => openWarehouse({ url: 'sqlite:${path}', schema: 'public', clock: systemClock });`;

  it('creates the file for its owner alone, with the directories on the way', async () => {
    const path = join(directory, 'a/b/clients.db');
    const warehouse = await open(path);
    await warehouse.commit([rowsWrite([client()])]);
    for (const file of [path, `${path}-wal`]) expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(directory, 'a')).mode & 0o077).toBe(0);
    await warehouse.close();
  });

  it('is at home in WAL, where a reader does not hold up the writer', async () => {
    const path = join(directory, 'clients.db');
    const warehouse = await open(path);
    const reader = new Database(path, { readonly: true });
    reader.exec('BEGIN');
    expect(reader.prepare('SELECT count(*) AS count FROM clients').get()).toEqual({ count: 0 });
    await warehouse.commit([rowsWrite([client()])]);
    expect(reader.prepare('SELECT count(*) AS count FROM clients').get()).toEqual({ count: 0 });
    reader.close();
    await warehouse.close();
  });

  it('says so where it cannot write', async () => {
    writeFileSync(join(directory, 'file'), '');
    for (const path of [join(directory, 'file/clients.db'), directory, '/proc/nowhere/clients.db']) {
      await expect(open(path), path).rejects.toMatchObject({ code: 'WAREHOUSE_UNWRITABLE', exit: 1 });
    }
    await expect(open('')).rejects.toMatchObject({ code: 'SETTINGS' });
  });

  it.skipIf(process.getuid?.() === 0)('says so where the user lacks the right', async () => {
    mkdirSync(join(directory, 'closed'), { mode: 0o500 });
    await expect(open(join(directory, 'closed/clients.db'))).rejects.toMatchObject({
      code: 'WAREHOUSE_UNWRITABLE',
    });
    const path = join(directory, 'clients.db');
    await (await open(path)).close();
    chmodSync(path, 0o400);
    await expect(open(path)).rejects.toMatchObject({ code: 'WAREHOUSE_UNWRITABLE' });
  });

  it('leaves a file alone that is no database, and a database that is not the mirror’s', async () => {
    const text = join(directory, 'notes.txt');
    writeFileSync(text, 'x'.repeat(5000));
    await expect(open(text)).rejects.toMatchObject({ code: 'WAREHOUSE_FOREIGN', exit: 2 });
    const foreign = join(directory, 'crm.db');
    new Database(foreign).exec('CREATE TABLE clients (name TEXT)').close();
    const before = readFileSync(foreign);
    await expect(open(foreign)).rejects.toMatchObject({ code: 'WAREHOUSE_FOREIGN', exit: 2 });
    expect(readFileSync(foreign).equals(before)).toBe(true);
    expect(existsSync(`${foreign}-wal`)).toBe(false);
  });

  it('shares a database with tables of other names', async () => {
    const path = join(directory, 'crm.db');
    new Database(path).exec('CREATE TABLE orders (id)').close();
    await (await open(path)).close();
  });

  it('waits for a user’s transaction, and tells when it lasts too long', async () => {
    const path = join(directory, 'clients.db');
    const warehouse = await open(path, { lockTimeoutMs: 300 });
    const user = new Database(path);
    user.exec('BEGIN IMMEDIATE');
    await expect(warehouse.commit([rowsWrite([client()])])).rejects.toMatchObject({
      code: 'WAREHOUSE_BUSY',
    });
    expect(await warehouse.read({ sql: 'SELECT count(*) AS count FROM clients', params: [] })).toEqual([
      { count: 0 },
    ]);
    await warehouse.close();
    const patient = await open(path);
    const waiting = patient.commit([rowsWrite([client()])]);
    // The process is not blocked meanwhile: this timer of the same process ends the transaction.
    setTimeout(() => user.exec('COMMIT'), 120);
    expect(await waiting).toMatchObject([{ inserted: 1 }]);
    user.close();
    await patient.close();
  });

  it('tells of a statement that SQLite refuses, without a stack of SQL', async () => {
    const warehouse = await open(join(directory, 'clients.db'));
    await expect(warehouse.read({ sql: 'SELECT nothing', params: [] })).rejects.toMatchObject({
      name: 'SyncError',
      code: 'WAREHOUSE_FAILED',
    });
    await expect(warehouse.commit([statement('SELECT ?', [])])).rejects.toMatchObject({ name: 'SyncError' });
    await warehouse.close();
  });

  it('loses nothing when the disk is full, and goes on when there is room again', async (context) => {
    const disk = join(directory, 'disk');
    mkdirSync(disk);
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk]);
    context.skip(mounted.status !== 0, 'no right to mount a small disk');
    try {
      const warehouse = await open(join(disk, 'clients.db'));
      const page = Array.from({ length: 500 }, () => client());
      let landed = 0;
      const fill = async (): Promise<void> => {
        for (let count = 0; count < 30; count += 1) {
          await warehouse.commit([rowsWrite(page.map((row) => client({ fax: row.id })))]);
          landed += page.length;
        }
      };
      await expect(fill()).rejects.toMatchObject({ code: 'WAREHOUSE_FULL', exit: 1 });
      const count = { sql: 'SELECT count(*) AS count FROM clients', params: [] };
      expect(await warehouse.read(count)).toEqual([{ count: landed }]);
      expect(spawnSync('mount', ['-o', 'remount,size=64m', disk]).status).toBe(0);
      await warehouse.commit([rowsWrite(page)]);
      expect(await warehouse.read(count)).toEqual([{ count: landed + page.length }]);
      await warehouse.close();
    } finally {
      spawnSync('umount', [disk]);
    }
  });

  it('creates the schema once for many processes that start at once', async () => {
    const path = join(directory, 'clients.db');
    const code = `${opening(path)}
      const opened = await Promise.all([open(), open(), open(), open(), open()]);
      await Promise.all(opened.map((warehouse) => warehouse.close()));
      console.log('ok');`;
    const ended = await Promise.all(Array.from({ length: 4 }, () => child(code)));
    expect(ended.map(({ stdout }) => stdout.trim())).toEqual(['ok', 'ok', 'ok', 'ok']);
    const db = new Database(path, { readonly: true });
    expect(db.prepare('SELECT count(*) AS count FROM mirror_revision').get()).toEqual({ count: 1 });
    db.close();
  });

  it('gives the lease of a killed process away at once, and of a living one not', async () => {
    const path = join(directory, 'clients.db');
    const code = `${opening(path)}
      const warehouse = await open();
      console.log(JSON.stringify(await warehouse.acquireLease('pull', 3_600_000)));
      process.kill(process.pid, 'SIGKILL');`;
    const died = (await child(code).catch((error: { stdout: string }) => error)) as { stdout: string };
    expect(JSON.parse(died.stdout)).toMatchObject({ fence: 1 });
    const warehouse = await open(path);
    expect(await warehouse.acquireLease('pull', 1000)).toMatchObject({ fence: 2 });
    const second = await open(path, { holder: newHolder() });
    expect(await second.acquireLease('pull', 1000)).toBeNull();
    await Promise.all([warehouse.close(), second.close()]);
  });
});
