import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { programArguments, runCli, startCli } from '../support/cli.ts';
import { startHttpServer, type TestServer } from '../support/httpServer.ts';
import { startMirror } from '../support/mirror.ts';

const TOKEN = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl';
const ID = '3f2504e0-4f89-41d3-9a0c-0305e82c3301';
const BODY = { email: 'ann@example.com', firstName: 'Ann', lastName: 'Lee' };
const AUDIT = { id: ID, type: 'Client', createdTimestamp: null, updatedTimestamp: '2026-01-01T00:00:00Z' };

let server: TestServer;
let env: Record<string, string>;
let folder: string;

beforeAll(async () => {
  server = await startHttpServer('/homedashboard');
  env = { CLIENTS_API_URL: server.url, CLIENTS_API_TOKEN: TOKEN };
  folder = mkdtempSync(join(tmpdir(), 'cli-'));
});

afterEach(() => {
  server.seen.length = 0;
});

afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

describe('clients-mirror', () => {
  it('prints help and version on stdout and exits 0', async () => {
    const help = await runCli(['--help']);
    expect(help).toMatchObject({ exit: 0, stderr: '' });
    expect(help.stdout).toContain('Usage: clients-mirror');
    expect(await runCli(['--version'])).toMatchObject({ exit: 0, stdout: `${packageJson.version}\n` });
  });

  it('exits 2 with one line for a command or an option that there is not', async () => {
    expect(await runCli(['doctr'])).toEqual({
      exit: 2,
      signal: null,
      stdout: '',
      stderr: "clients-mirror: unknown command 'doctr'; did you mean doctor?\n",
    });
    expect(await runCli(['api', 'list', '--flter', 'x'])).toMatchObject({
      exit: 2,
      stdout: '',
      stderr: "clients-mirror: unknown option '--flter'; did you mean --filter?\n",
    });
  });

  it('prints the help on stderr and exits 2 without a command', async () => {
    const result = await runCli([]);
    expect(result).toMatchObject({ exit: 2, stdout: '' });
    expect(result.stderr).toContain('Usage: clients-mirror');
  });

  it('exits 2 with one line that names a bad setting', async () => {
    const bad = await runCli(['api', 'list'], { env: { ...env, MIRROR_PAGE_SIZE: 'many' } });
    expect(bad).toMatchObject({ exit: 2, stdout: '' });
    expect(bad.stderr).toBe(
      'clients-mirror: MIRROR_PAGE_SIZE must be a whole number from 2 to 50000; it is "many"\n',
    );
    const unknown = await runCli(['doctor'], { env: { MIRROR_PAGESIZE: '10' } });
    expect(unknown.exit).toBe(2);
    expect(unknown.stderr).toMatch(/^clients-mirror: MIRROR_PAGESIZE .* did you mean MIRROR_PAGE_SIZE\?\n$/);
    expect(server.seen).toHaveLength(0);
  });

  it('reads settings from a file, and says which line is bad', async () => {
    const path = join(folder, 'good.env');
    writeFileSync(path, `export CLIENTS_API_URL="${server.url}" # here\nCLIENTS_API_TOKEN=${TOKEN}\n`);
    server.play({ json: [] });
    expect(await runCli(['api', 'list', '--config', path])).toMatchObject({ exit: 0, stdout: '[]\n' });
    writeFileSync(path, 'what is this\n');
    const bad = await runCli(['--config', path, 'doctor']);
    expect(bad).toMatchObject({ exit: 2, stderr: `clients-mirror: ${path} line 1 is not KEY=VALUE\n` });
    const none = await runCli(['doctor', '--config', join(folder, 'none')]);
    expect(none).toMatchObject({
      exit: 2,
      stderr: `clients-mirror: --config ${folder}/none does not exist\n`,
    });
  });

  it('completes even where a setting is bad', async () => {
    const result = await runCli(['completion', 'bash'], { env: { MIRROR_PUSH: 'perhaps' } });
    expect(result).toMatchObject({ exit: 0, stderr: '' });
    expect(result.stdout).toContain('complete -F _clients_mirror clients-mirror');
  });
});

describe('clients-mirror api', () => {
  it('calls each endpoint once and prints what it answers', async () => {
    const data = JSON.stringify(BODY);
    const file = join(folder, 'body.json');
    writeFileSync(file, data);
    const calls: readonly (readonly [readonly string[], unknown, string, string])[] = [
      [['list'], [{ id: ID }], 'GET', '/homedashboard/clients'],
      [['get', ID], { id: ID }, 'GET', `/homedashboard/clients/${ID}`],
      [['create', '--data', data], AUDIT, 'POST', '/homedashboard/clients'],
      [['replace', ID, '--data', `@${file}`], AUDIT, 'PUT', `/homedashboard/clients/${ID}`],
      [['update', ID, '--data', '-'], AUDIT, 'PATCH', `/homedashboard/clients/${ID}`],
      [['delete', ID], undefined, 'DELETE', `/homedashboard/clients/${ID}`],
    ];
    for (const [args, answer, method, path] of calls) {
      server.play(answer === undefined ? { status: 204 } : { json: answer });
      const result = await runCli(['api', ...args, '--json'], { env, stdin: data });
      expect(result).toMatchObject({ exit: 0, stderr: '' });
      expect(JSON.parse(result.stdout)).toEqual(answer ?? { deleted: ID });
      const seen = server.seen.at(-1);
      expect([seen?.method, seen?.path, seen?.token]).toEqual([method, path, TOKEN]);
      if (seen?.body !== '') expect(JSON.parse(seen?.body ?? '')).toEqual(BODY);
    }
    expect(server.seen).toHaveLength(calls.length);
  });

  it('sends every documented parameter of a list, and no other', async () => {
    server.play({ json: [] });
    const given = {
      '--owner-id': ID,
      '--search-text': 'a b+c',
      '--filter': "email eq 'a'",
      '--select': 'id, email',
      '--orderby': 'updatedOn desc,id',
      '--skip': '0',
      '--top': '5',
    };
    expect(await runCli(['api', 'list', ...Object.entries(given).flat()], { env })).toMatchObject({
      exit: 0,
    });
    expect(Object.fromEntries(server.seen[0]?.query ?? [])).toEqual({
      ownerId: ID,
      searchText: 'a b+c',
      $filter: "email eq 'a'",
      $select: 'id,email',
      $orderby: 'updatedOn desc,id',
      $skip: '0',
      $top: '5',
    });
    expect(server.seen[0]?.url).not.toContain('+');
  });

  it('says clearly that DELETE /clients is not supported', async () => {
    server.play({ status: 405 });
    const result = await runCli(['api', 'delete', '--all'], { env });
    expect(result).toMatchObject({ exit: 1, stdout: '' });
    expect(result.stderr).toContain('does not support');
    expect(server.seen[0]).toMatchObject({ method: 'DELETE', path: '/homedashboard/clients' });
  });

  it.each([[['delete']], [['delete', ID, '--all']]])('sends nothing for a doubtful %j', async (args) => {
    expect(await runCli(['api', ...args], { env })).toMatchObject({ exit: 2, stdout: '' });
    expect(server.seen).toHaveLength(0);
  });

  it.each([
    [[], '--data is missing'],
    [['--data', '{"email": "hunter2"'], '--data is not JSON'],
    [['--data', '[1]'], 'must be a JSON object'],
    [['--data', '@/nowhere/at/all'], 'cannot be read (ENOENT)'],
    [['--data', '-'], 'standard input is not JSON'],
  ])('refuses a body given as %j without quoting it', async (args, words) => {
    const result = await runCli(['api', 'create', ...args], { env, stdin: 'hunter2' });
    expect(result.exit).toBe(2);
    expect(result.stderr).toContain(words);
    expect(result.stderr).not.toContain('hunter2');
    expect(result.stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(server.seen).toHaveLength(0);
  });

  it('exits 1 with the message and its remedy when the client is not there', async () => {
    server.play({ status: 404, json: { title: 'Not Found' } });
    const result = await runCli(['api', 'get', ID], { env });
    expect(result).toMatchObject({ exit: 1, stdout: '' });
    expect(result.stderr).toBe(
      `clients-mirror: the API has no client ${ID}\n  The client does not exist at the source.\n`,
    );
  });

  it('never shows the token, whatever the server says, at any log level', async () => {
    server.play({ status: 400, json: { title: `bad token ${TOKEN}` } });
    const result = await runCli(['api', 'list', '--log-level', 'debug', '--log-format', 'json'], { env });
    expect(result.exit).toBe(1);
    expect(result.stdout + result.stderr).not.toContain(TOKEN);
    expect(result.stderr).not.toContain('Bearer');
  });

  it('shows a stack only with --log-level debug', async () => {
    server.play({ status: 403 }, { status: 403 });
    expect((await runCli(['api', 'list'], { env })).stderr).not.toMatch(/^\s+at /m);
    expect((await runCli(['api', 'list', '--log-level', 'debug'], { env })).stderr).toMatch(/^\s+at /m);
  });

  it('logs a retry on stderr, as JSON on request, and keeps stdout clean', async () => {
    const mirror = await startMirror('sqlite', {
      clients: 3,
      faults: { serverError: { times: 1, status: 503 } },
    });
    try {
      const { stdout, stderr } = await mirror.ok(['sync', '--json', '--log-format', 'json']);
      expect(JSON.parse(stdout)).toMatchObject({ written: 3 });
      const lines = stderr
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      const warnings = lines.filter(({ level }) => level === 40);
      expect(warnings).toEqual([expect.objectContaining({ msg: expect.stringContaining('trying again') })]);
    } finally {
      await mirror.close();
    }
  });
});

describe('the streams', () => {
  it('survive a reader that goes away', async () => {
    const rows = Array.from({ length: 20_000 }, (_, index) => ({ id: ID, index }));
    server.play({ json: rows });
    const running = startCli(['api', 'list'], { env });
    running.child.stdout.destroy();
    expect(await running.done).toMatchObject({ exit: 0, stderr: '' });
  });

  it.runIf(process.platform === 'linux')('report a result that could not be written', async () => {
    server.play({ json: [{ id: ID }] });
    const child = spawn(process.execPath, [...programArguments(), 'api', 'list'], {
      env: { PATH: process.env.PATH ?? '', ...env },
      stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'],
    });
    let stderr = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const exit = await new Promise((resolve) => child.once('close', resolve));
    expect(exit).toBe(1);
    expect(stderr).toContain('the output could not be written');
  });
});

describe('signals', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('%s ends a command: exit 1, state kept, no stack', async (name) => {
    server.play({ fault: 'stall' });
    const running = startCli(['api', 'list'], { env });
    while (server.seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    running.child.kill(name);
    expect(await running.done).toEqual({
      exit: 1,
      signal: null,
      stdout: '',
      stderr: `clients-mirror: stopped by ${name}, state kept\n  The state is kept: run again to go on.\n`,
    });
  });

  it('a second one kills what does not listen to the first', async () => {
    const stopping = new URL('../../src/cli/stopping.ts', import.meta.url).href;
    const script = `
      const { createStopping } = await import('${stopping}');
      createStopping().signal.addEventListener('abort', () => console.log('asked'));
      setInterval(() => {}, 1000);
      console.log('ready');`;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script]);
    const said = (): Promise<string> =>
      new Promise((resolve) => child.stdout.once('data', (one) => resolve(`${one}`)));
    expect(await said()).toBe('ready\n');
    child.kill('SIGTERM');
    expect(await said()).toBe('asked\n');
    child.kill('SIGTERM');
    const signal = await new Promise((resolve) => child.once('exit', (_, name) => resolve(name)));
    expect(signal).toBe('SIGTERM');
  });
});

describe('starting up', () => {
  it('loads nothing heavy to show help, to refuse a word, or to complete', () => {
    const trace = new URL('../support/traceImports.mjs', import.meta.url).href;
    for (const args of [['--help'], ['snyc'], ['completion', 'bash'], ['api', 'list', '--top', 'x']]) {
      const loaded = loadedBy(trace, args);
      expect(loaded).toContain('commander');
      for (const heavy of ['axios', 'better-sqlite3', 'pg', 'pino', 'pino-pretty', 'p-retry']) {
        expect(loaded).not.toContain(heavy);
      }
    }
  });
});

/** Names of the packages that a run of the program has loaded by its end. */
function loadedBy(trace: string, args: readonly string[]): readonly string[] {
  const program = programArguments();
  const run = [...program.slice(0, -1), '--import', trace, program.at(-1) ?? '', ...args];
  const { stdout } = spawnSync(process.execPath, run, { encoding: 'utf8' });
  return /^packages: (.*)$/m.exec(stdout)?.[1]?.split(' ') ?? [];
}
