/** Whatever goes wrong: a clear line, the right exit code, no stack trace, no secret, and the next run goes on. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Faults } from '../../src/simulator/faults.ts';
import type { CliResult } from '../support/cli.ts';
import { ENGINES, type Mirror, startMirror } from '../support/mirror.ts';

let mirror: Mirror | undefined;
afterEach(async () => {
  await mirror?.close();
  mirror = undefined;
});

function expectClear(result: CliResult, exit: number, words: RegExp): void {
  expect(result, result.stderr).toMatchObject({ exit, signal: null });
  expect(result.stderr).toMatch(words);
  expect(result.stderr).not.toMatch(/\n\s+at /);
  expect(result.stderr + result.stdout).not.toContain(mirror?.simulator.token ?? 'no token');
}

describe('the API', () => {
  const transient: [string, Faults][] = [
    ['429 in seconds', { throttle: { times: 2, retryAfter: 'seconds', seconds: 1 } }],
    ['429 as a date', { throttle: { times: 2, retryAfter: 'date', seconds: 1 } }],
    ['503', { serverError: { times: 3, status: 503 } }],
    ['500', { serverError: { times: 2, status: 500 } }],
    ['408', { serverError: { times: 2, status: 408 } }],
    ['resets', { resetBefore: { times: 2 }, resetAfter: { times: 3 } }],
    ['torn JSON', { tornJson: { times: 2 } }],
    ['a body cut short', { cutShort: { times: 2 } }],
    ['HTML with status 200', { html: { times: 2 } }],
    ['a wrong content type', { wrongType: {} }],
    ['one 401', { unauthorized: { times: 1 } }],
    ['$select refused', { refuseSelect: true }],
    ['an unknown field', { extraField: { name: 'nickName', value: 'Bo' } }],
  ];
  it.each(transient)('gets over %s by itself', async (_, faults) => {
    mirror = await startMirror('sqlite', { clients: 60, faults }, 'here');
    await mirror.ok(['sync']);
    expect(await mirror.differences()).toEqual([]);
  });

  it.each([
    ['a field', ['contactAddress']],
    ['$select itself', true],
  ])('does not ask again for what was refused: %s', async (_, refuseSelect) => {
    mirror = await startMirror('sqlite', { clients: 60 }, 'here');
    const env = { MIRROR_LOOKBACK_SECONDS: '0' };
    await mirror.ok(['sync'], env);
    mirror.simulator.setFaults({ refuseSelect });
    await mirror.ok(['sync'], env);
    const before = mirror.simulator.requests.total;
    const { stderr } = await mirror.ok(['sync'], env);
    expect(mirror.simulator.requests.total - before).toBe(2);
    expect(stderr).not.toContain('refuses');
    await mirror.ok(['reconcile'], env);
    expect(await mirror.differences()).toEqual([]);
  });

  it('misses nobody where the server did not order just when it was asked for the first and the last', async () => {
    mirror = await startMirror('sqlite', { clients: 60 }, 'here');
    const { simulator } = mirror;
    simulator.setOnRequest(({ query }) =>
      simulator.setFaults({ ignoreOrderby: new URLSearchParams(query).get('$top') === '1' }),
    );
    await mirror.ok(['sync']);
    expect(await mirror.differences()).toEqual([]);
  });

  const fatal: [string, Faults, RegExp][] = [
    ['401 for good', { unauthorized: {} }, /401.*\n.*CLIENTS_API_TOKEN/s],
    ['403 on lists', { denyLists: { status: 403 } }, /403/],
    ['404 on lists', { denyLists: { status: 404 } }, /404/],
    ['a redirect to another origin', { redirect: { to: 'http://127.0.0.1:9' } }, /origin/],
    ['an ignored $filter', { ignoreFilter: true }, /\$filter/],
    ['an ignored $orderby', { ignoreOrderby: true }, /\$orderby/],
  ];
  it.each(fatal)('ends clearly on %s, and the next run goes on', async (_, faults, words) => {
    mirror = await startMirror('sqlite', { clients: 60 }, 'here');
    await mirror.ok(['sync']);
    for (const id of mirror.simulator.source.all().map((row) => row.id))
      mirror.simulator.source.update(id, { fax: '2' });
    mirror.simulator.setFaults(faults);
    expectClear(await mirror.run(['sync']), 1, words);
    expect((await mirror.run(['status', '--check'])).exit).toBe(1);
    mirror.simulator.setFaults({});
    await mirror.ok(['sync']);
    expect(await mirror.differences()).toEqual([]);
  });

  it('reads a page that is too large in smaller ones', async () => {
    const hugeBody = { after: 5, times: 1, bytes: 60_000_000, on: ['list'] } as const;
    mirror = await startMirror('sqlite', { clients: 60, faults: { hugeBody } }, 'here');
    await mirror.ok(['sync']);
    expect(await mirror.differences()).toEqual([]);
  });

  it('takes a new token from the file in the middle of a run', async () => {
    mirror = await startMirror('sqlite', { clients: 400, pageCap: 20, latencyMs: 20 });
    const file = join(mirror.folder, 'token');
    writeFileSync(file, `${mirror.simulator.token}\n`);
    const running = mirror.start(['sync'], { CLIENTS_API_TOKEN: '', CLIENTS_API_TOKEN_FILE: file });
    await running.until('backfill begins');
    mirror.simulator.setTokens('header.payload.signature');
    writeFileSync(file, 'header.payload.signature');
    expect(await running.done).toMatchObject({ exit: 0 });
    expect(await mirror.differences()).toEqual([]);
  });

  it('ends clearly where nobody listens', async () => {
    mirror = await startMirror('sqlite', { clients: 1 });
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    await new Promise((resolve) => server.close(resolve));
    // One direct call is not retried for half a minute.
    expectClear(
      await mirror.run(['api', 'list'], { CLIENTS_API_URL: `http://127.0.0.1:${port}` }),
      1,
      /127\.0\.0\.1/,
    );
  }, 120_000);
});

describe.each(ENGINES)('rows that do not fit, on %s', (engine) => {
  it('stand in quarantine with their reason while the others land, and leave it once they are good', async () => {
    mirror = await startMirror(engine, { clients: 40, pageCap: 10 }, 'here');
    const { source } = mirror.simulator;
    const [noId, wrongType, broken] = source.all().map((row) => row.id) as [string, string, string];
    source.spoil(noId, { id: undefined });
    source.spoil(wrongType, { fico: 'seven hundred' });
    source.spoil(broken, { firstName: 7 });
    await mirror.ok(['sync']);
    const { stdout } = await mirror.ok(['quarantine', 'list']);
    expect(stdout).toMatch(/id is missing/);
    expect(stdout).toMatch(/fico is not a whole number/);
    expect(stdout).toMatch(/firstName is not a string/);
    expect(await mirror.read('SELECT count(*) AS count FROM clients')).toEqual([{ count: 37 }]);
    expect((await mirror.run(['status', '--check'])).exit).toBe(1);
    for (const id of [noId, wrongType, broken]) source.spoil(id, null);
    await mirror.ok(['quarantine', 'retry']);
    await mirror.ok(['backfill']);
    expect(await mirror.differences()).toEqual([]);
    expect((await mirror.ok(['quarantine', 'list', '--json'])).stdout).not.toContain(wrongType);
  });

  it('keep U+0000 where it can be kept, else quarantine the row', async () => {
    mirror = await startMirror(engine, { clients: 5 }, 'here');
    const [id = ''] = mirror.simulator.source.all().map((row) => row.id);
    mirror.simulator.source.update(id, { fax: 'a\0b' });
    await mirror.ok(['sync']);
    const { stdout } = await mirror.ok(['status', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ quarantined: engine === 'postgres' ? 1 : 0 });
    if (engine === 'sqlite') expect(await mirror.differences()).toEqual([]);
  });

  it('mirror a stamp of the year 2099, which never becomes the cursor', async () => {
    mirror = await startMirror(engine, { clients: 30 }, 'here');
    const [id = '', other = ''] = mirror.simulator.source.all().map((row) => row.id);
    mirror.simulator.source.update(id, { fax: 'far' }, { updatedOn: '2099-01-01T00:00:00.0000000Z' });
    await mirror.ok(['sync']);
    mirror.simulator.source.update(other, { fax: 'near' }, { updatedOn: new Date().toISOString() });
    await mirror.ok(['sync']);
    expect(await mirror.differences()).toEqual([]);
    const { cursor } = JSON.parse((await mirror.ok(['status', '--json'])).stdout) as { cursor: string };
    expect(cursor < '2099').toBe(true);
  });
});

describe('the warehouse', () => {
  it.skipIf(process.getuid?.() === 0)('ends clearly on a path that cannot be written', async () => {
    mirror = await startMirror('sqlite', { clients: 5 });
    const locked = join(mirror.folder, 'locked');
    mkdirSync(locked);
    chmodSync(locked, 0o500);
    expectClear(await mirror.run(['sync'], { WAREHOUSE_URL: `sqlite:${locked}/clients.db` }), 1, /locked/);
  });

  it('ends clearly on a path below a file, and on a file that is no database', async () => {
    mirror = await startMirror('sqlite', { clients: 5 });
    const file = join(mirror.folder, 'notes.txt');
    writeFileSync(
      file,
      'not a database, only some text that is long enough to be looked at as one'.repeat(20),
    );
    expectClear(await mirror.run(['sync'], { WAREHOUSE_URL: `sqlite:${file}/clients.db` }), 1, /notes\.txt/);
    const result = await mirror.run(['sync'], { WAREHOUSE_URL: `sqlite:${file}` });
    expectClear(result, result.exit ?? 0, /notes\.txt/);
    expect(result.exit).toBeGreaterThan(0);
  });

  it('ends clearly when the disk is full, and goes on when there is room', async (context) => {
    mirror = await startMirror('sqlite', { clients: 8_000 });
    const disk = mkdtempSync(join(tmpdir(), 'clients-mirror-disk-'));
    const mounted = mountSmallDisk(disk);
    if (!mounted) {
      rmSync(disk, { recursive: true });
      context.skip('needs the right to mount a small disk');
    }
    try {
      const env = { WAREHOUSE_URL: `sqlite:${disk}/clients.db` };
      expectClear(await mirror.run(['sync'], env), 1, /full|space/);
      execFileSync('mount', ['-o', 'remount,size=64m', disk]);
      await mirror.ok(['sync'], env);
      const { stdout } = await mirror.ok(['status', '--json'], env);
      expect(JSON.parse(stdout)).toMatchObject({ clients: { live: 8_000 } });
    } finally {
      execFileSync('umount', [disk]);
      rmSync(disk, { recursive: true });
    }
  });

  it('ends clearly when Postgres is away, and never shows its password', async () => {
    mirror = await startMirror('sqlite', { clients: 5 });
    const env = { WAREHOUSE_URL: 'postgres://mirror:hunter2@127.0.0.1:9/clients' };
    const result = await mirror.run(['sync'], env);
    expectClear(result, 1, /127\.0\.0\.1:9/);
    expect(result.stderr + result.stdout).not.toContain('hunter2');
  });

  it.each(ENGINES)('touches nothing of a foreign table clients on %s', async (engine) => {
    mirror = await startMirror(engine, { clients: 5 }, 'here');
    const foreign = await startForeign(engine, mirror);
    expectClear(await mirror.run(['sync']), 2, /clients/);
    expect(await foreign()).toEqual([{ id: 1 }]);
  });
});

function mountSmallDisk(folder: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Makes somebody else's table; the function it returns reads it. */
async function startForeign(engine: (typeof ENGINES)[number], one: Mirror): Promise<() => Promise<unknown>> {
  if (engine === 'sqlite') {
    const { default: Database } = await import('better-sqlite3');
    const path = one.warehouseUrl.slice('sqlite:'.length);
    const db = new Database(path);
    db.exec('CREATE TABLE clients (id INTEGER); INSERT INTO clients VALUES (1)');
    db.close();
    return async () => new Database(path, { readonly: true }).prepare('SELECT * FROM clients').all();
  }
  const { default: pg } = await import('pg');
  const query = async (sql: string) => {
    const client = new pg.Client({ connectionString: one.warehouseUrl });
    await client.connect();
    const { rows } = await client.query(sql);
    await client.end();
    return rows;
  };
  await query('CREATE TABLE clients (id integer)');
  await query('INSERT INTO clients VALUES (1)');
  return () => query('SELECT * FROM clients');
}
