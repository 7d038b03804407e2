import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../config/load.ts';
import { openApi, openMirror } from '../../src/app.ts';
import { instantFromMs } from '../../src/clients/instant.ts';
import { systemClock } from '../../src/clock.ts';
import { checkClock } from '../../src/doctor/clockSkew.ts';
import { examine } from '../../src/doctor/doctor.ts';
import type { Finding, Verdict } from '../../src/doctor/finding.ts';
import { checkRedis } from '../../src/doctor/redis.ts';
import { checkSettings } from '../../src/doctor/settings.ts';
import { checkToken } from '../../src/doctor/token.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../src/simulator/simulator.ts';
import { runCli } from '../support/cli.ts';
import { closedPort, startHttpServer, type TestServer } from '../support/httpServer.ts';

const closers: (() => Promise<unknown> | unknown)[] = [];
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'doctor-'));
  closers.push(() => rmSync(folder, { recursive: true, force: true }));
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function simulated(options: SimulatorOptions): Promise<Simulator> {
  const simulator = await startSimulator(options);
  closers.push(() => simulator.close());
  return simulator;
}

async function served(): Promise<TestServer> {
  const server = await startHttpServer();
  closers.push(() => server.close());
  return server;
}

async function findingsOf(env: Record<string, string>, signal = new AbortController().signal) {
  const config = loadConfig({ env: { WAREHOUSE_URL: `sqlite:${folder}/new/clients.db`, ...env } });
  const clock = systemClock;
  const findings: Finding[] = [];
  const open = {
    openApi: () => openApi({ config, clock, emit: () => undefined }),
    openWarehouse: () => openMirror({ config, clock }),
  };
  for await (const finding of examine({ config, clock, signal, ...open })) findings.push(finding);
  return findings;
}

function verdicts(findings: readonly Finding[]): Record<string, Verdict> {
  return Object.fromEntries(findings.map((finding) => [finding.check, finding.verdict]));
}

function find(findings: readonly Finding[], check: string): Finding {
  return findings.find((finding) => finding.check === check) ?? expect.fail(`no check ${check}`);
}

function access(simulator: Simulator): Record<string, string> {
  return { CLIENTS_API_URL: simulator.url, CLIENTS_API_TOKEN: simulator.token };
}

describe('examine', () => {
  it('finds nothing at fault with a good API', async () => {
    const simulator = await simulated({ clients: 300, pageCap: 100 });
    const findings = await findingsOf(access(simulator));
    expect(verdicts(findings)).toEqual({
      settings: 'ok',
      token: 'ok',
      api: 'ok',
      clock: 'ok',
      $top: 'ok',
      $skip: 'ok',
      $orderby: 'ok',
      $filter: 'ok',
      createdOn: 'ok',
      updatedOn: 'ok',
      $select: 'ok',
      'excluded fields': 'ok',
      'page size': 'ok',
      'one client': 'ok',
      warehouse: 'ok',
      redis: 'skipped',
    });
    expect(find(findings, 'page size').message).toContain('caps a page at 100; 1000 are asked for');
  });

  it('changes nothing, and leaves no database where there was none', async () => {
    const simulator = await simulated({ clients: 10 });
    await findingsOf(access(simulator));
    expect(existsSync(join(folder, 'new'))).toBe(false);
    expect(simulator.requests.count({ method: 'GET' })).toBe(simulator.requests.total);
  });

  it.each([
    [{ ignoreFilter: true }, ['$filter', 'createdOn', 'updatedOn']],
    [{ ignoreOrderby: true }, ['$orderby']],
    [{ ignoreSkip: true }, ['$skip']],
  ])('calls %j a fault', async (faults, checks) => {
    const simulator = await simulated({ clients: 300, faults });
    const findings = await findingsOf(access(simulator));
    for (const check of checks) {
      expect(find(findings, check).verdict).toBe('fault');
      expect(find(findings, check).remedy).toBeTruthy();
    }
  });

  it.each([
    [{ ignoreSelect: true }, ['$select', 'excluded fields']],
    [{ refuseSelect: true }, ['$select', 'excluded fields']],
  ])('warns of %j: excluded fields travel', async (faults, checks) => {
    const simulator = await simulated({ clients: 20, faults });
    const findings = await findingsOf(access(simulator));
    for (const check of checks) expect(find(findings, check).verdict).toBe('warning');
    expect(findings.some((finding) => finding.verdict === 'fault')).toBe(false);
  });

  it('takes a fault that passes for none', async () => {
    const simulator = await simulated({ clients: 20, faults: { serverError: { times: 1, after: 3 } } });
    expect(Object.values(verdicts(await findingsOf(access(simulator))))).not.toContain('fault');
  });

  it('warns of an API that shows no client, and checks what can be checked', async () => {
    const simulator = await simulated({ clients: 0 });
    const found = verdicts(await findingsOf(access(simulator)));
    expect(found).toMatchObject({ api: 'warning', createdOn: 'skipped', warehouse: 'ok' });
    expect(Object.values(found)).not.toContain('fault');
  });

  it('finds a server that rounds the stamps of a filter', async () => {
    const server = await served();
    const stamp = '2024-05-05T05:05:05.1234567Z';
    const row = { id: '3f2504e0-4f89-41d3-9a0c-0305e82c3301', createdOn: stamp, updatedOn: stamp };
    server.otherwise((seen) => {
      const filter = seen.query.get('$filter') ?? '';
      const loses = filter.includes(stamp) && !filter.startsWith('createdOn lt');
      return { json: loses ? [] : [row] };
    });
    const findings = await findingsOf({ CLIENTS_API_URL: server.url, CLIENTS_API_TOKEN: 'abcd' });
    for (const key of ['createdOn', 'updatedOn']) {
      expect(find(findings, key)).toMatchObject({
        verdict: 'fault',
        message: `the client stamped ${stamp} is not found by its own ${key}`,
      });
    }
  });

  it('says what is missing when nothing is set, and goes on', async () => {
    const found = verdicts(await findingsOf({}));
    expect(found).toEqual({ settings: 'fault', token: 'fault', warehouse: 'ok', redis: 'skipped' });
  });

  it.each([
    ['html', { text: '<html>sign in</html>' }],
    ['an error', { status: 500, json: { title: 'oh' } }],
    ['denied', { status: 403 }],
    ['bad token', { status: 401 }],
    ['an object', { json: { hello: 1 } }],
    ['nothing', { text: '' }],
    ['resets', { fault: 'reset' as const }],
    ['torn', { json: [{ id: 1 }], fault: 'tear' as const }],
    ['rubbish rows', { json: [null, 1, 'x', { id: 5 }] }],
  ])('survives an API that answers %s', async (_, reply) => {
    const server = await served();
    server.otherwise(reply);
    const findings = await findingsOf({ CLIENTS_API_URL: server.url, CLIENTS_API_TOKEN: 'abcd' });
    expect(findings.some((finding) => finding.verdict === 'fault')).toBe(true);
    for (const finding of findings) {
      expect(finding.message).not.toMatch(/\n|undefined|\[object/);
      if (finding.verdict === 'fault' || finding.verdict === 'warning') expect(finding.remedy).toBeTruthy();
      expect(finding.remedy ?? '').not.toContain('This is a bug');
    }
    expect(find(findings, 'warehouse').verdict).toBe('ok');
  });

  it('survives an API that is away', async () => {
    const url = await closedPort();
    const findings = await findingsOf({ CLIENTS_API_URL: url, CLIENTS_API_TOKEN: 'abcd' });
    expect(verdicts(findings)).toMatchObject({ api: 'fault', warehouse: 'ok' });
  });

  it('ends at once when it is stopped', async () => {
    const simulator = await simulated({ clients: 10 });
    const reason = new Error('stopped');
    await expect(findingsOf(access(simulator), AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  it('opens a warehouse that is there, and tells its schema', async () => {
    const path = join(folder, 'clients.db');
    const env = { WAREHOUSE_URL: `sqlite:${path}` };
    await (await openMirror({ config: loadConfig({ env }), clock: systemClock })).close();
    expect(find(await findingsOf(env), 'warehouse').message).toMatch(/opens and can be written, schema \d+/);
  });

  it('says so when the file is no database', async () => {
    const path = join(folder, 'clients.db');
    writeFileSync(
      path,
      'this is a text, and long enough not to be taken for an empty database file'.repeat(20),
    );
    expect(find(await findingsOf({ WAREHOUSE_URL: `sqlite:${path}` }), 'warehouse').verdict).toBe('fault');
  });

  it.skipIf(process.getuid?.() === 0)('says so when the folder cannot be written', async () => {
    const shut = join(folder, 'shut');
    mkdirSync(shut);
    chmodSync(shut, 0o500);
    const found = find(await findingsOf({ WAREHOUSE_URL: `sqlite:${shut}/x/clients.db` }), 'warehouse');
    expect(found).toMatchObject({ verdict: 'fault', message: expect.stringContaining(shut) });
  });

  it('says so when Postgres is away, and shows no password', async () => {
    const { port } = new URL(await closedPort());
    const env = { WAREHOUSE_URL: `postgres://me:hunter2@127.0.0.1:${port}/crm` };
    const found = find(await findingsOf(env), 'warehouse');
    expect(found.verdict).toBe('fault');
    expect(JSON.stringify(found)).not.toContain('hunter2');
  });
});

function jwt(claims: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none' })}.${part(claims)}.c2ln`;
}

describe('checkToken', () => {
  const nowMs = Date.UTC(2026, 0, 1);
  const check = (token: string) => checkToken(loadConfig({ env: { CLIENTS_API_TOKEN: token } }), nowMs);

  it.each([
    [{ exp: nowMs / 1000 + 90_000 }, 'ok', 'good for 25 h'],
    [{ exp: nowMs / 1000 + 10 * 86_400 }, 'ok', 'good for 10 days'],
    [{ exp: nowMs / 1000 + 1800 }, 'warning', 'expires in 30 min'],
    [{ exp: nowMs / 1000 - 7200 }, 'fault', 'expired 2 h ago'],
    [{ exp: 1e300 }, 'ok', 'good for an age'],
    [{ nbf: nowMs / 1000 + 600, exp: nowMs / 1000 + 90_000 }, 'warning', 'not valid yet'],
    [{}, 'ok', 'without an end'],
  ])('reads %j', async (claims, verdict, words) => {
    const token = jwt(claims);
    const outcome = await check(token);
    expect(outcome).toMatchObject({ verdict, message: expect.stringContaining(words) });
    expect(JSON.stringify(outcome)).not.toContain(token.split('.')[1]);
  });

  it.each(['opaque', 'a.b.c', 'a.bnVsbA.c', '..'])('warns that %s is no JWT', async (token) => {
    expect(await check(token)).toMatchObject({
      verdict: 'warning',
      message: 'CLIENTS_API_TOKEN holds no JWT',
    });
  });

  it('reads the token from its file, and says when it cannot', async () => {
    const path = join(folder, 'token');
    const config = loadConfig({ env: { CLIENTS_API_TOKEN_FILE: path } });
    expect(await checkToken(config, nowMs)).toMatchObject({
      verdict: 'fault',
      message: expect.stringContaining('ENOENT'),
    });
    writeFileSync(path, '\n');
    expect(await checkToken(config, nowMs)).toMatchObject({
      verdict: 'fault',
      message: `the file ${path} is empty`,
    });
    writeFileSync(path, `${jwt({})}\n`);
    expect(await checkToken(config, nowMs)).toMatchObject({ verdict: 'ok' });
  });
});

describe('checkSettings', () => {
  const check = (url: string) => checkSettings(loadConfig({ env: { CLIENTS_API_URL: url } }));

  it('warns of an address that probably means another', () => {
    expect(check('https://api.example.com/clients')).toMatchObject({ verdict: 'warning' });
    expect(check('http://api.example.com')).toMatchObject({ verdict: 'warning' });
    expect(check('http://127.0.0.1:80')).toMatchObject({ verdict: 'ok' });
    expect(check('http://[::1]:80')).toMatchObject({ verdict: 'ok' });
  });
});

describe('checkClock', () => {
  const nowMs = Date.UTC(2026, 0, 1);

  it('warns of a clock that is off, either way, and of none', () => {
    expect(checkClock(instantFromMs(nowMs + 30_000), nowMs).verdict).toBe('ok');
    expect(checkClock(instantFromMs(nowMs + 7_200_000), nowMs).message).toContain(
      "2:00:00 ahead of this machine's",
    );
    expect(checkClock(instantFromMs(nowMs - 120_000), nowMs).message).toContain("2:00 behind this machine's");
    expect(checkClock(null, nowMs).verdict).toBe('warning');
  });
});

describe('checkRedis', () => {
  const signal = new AbortController().signal;

  /** Answers each chunk with the next text; closes after the last. */
  async function speaking(...answers: string[]): Promise<{ url: string; heard: string[] }> {
    const heard: string[] = [];
    const server = net.createServer((socket) => {
      socket.on('data', (chunk) => {
        heard.push(chunk.toString());
        const answer = answers.shift();
        if (answer === undefined) socket.destroy();
        else socket.write(answer);
      });
      socket.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => server.close());
    return { url: `127.0.0.1:${(server.address() as net.AddressInfo).port}`, heard };
  }

  it('pings, with the password where there is one', async () => {
    const { url, heard } = await speaking('+OK\r\n+PONG\r\n');
    const outcome = await checkRedis(`redis://me:hunter%202@${url}`, false, signal);
    expect(outcome).toMatchObject({ verdict: 'ok', message: `redis://me@${url} answers` });
    expect(heard.join('')).toBe('*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$8\r\nhunter 2\r\n*1\r\n$4\r\nPING\r\n');
  });

  it.each([
    [['-NOAUTH Authentication required.\r\n'], 'NOAUTH'],
    [['HTTP/1.1 400 Bad Request\r\n'.repeat(400)], 'no Redis'],
    [[], 'closed the connection'],
  ])('calls %j a fault', async (answers, words) => {
    const { url } = await speaking(...answers);
    const outcome = await checkRedis(`redis://:hunter2@${url}`, false, signal);
    expect(outcome).toMatchObject({ verdict: 'fault', message: expect.stringContaining(words) });
    expect(JSON.stringify(outcome)).not.toContain('hunter2');
  });

  it('is content without one where nobody asked for it', async () => {
    const url = `redis://${new URL(await closedPort()).host}`;
    expect(await checkRedis(url, true, signal)).toMatchObject({ verdict: 'skipped' });
    expect(await checkRedis(url, false, signal)).toMatchObject({
      verdict: 'fault',
      message: `${url}: ECONNREFUSED`,
    });
  });
});

describe('clients-mirror doctor', () => {
  it('prints each check, exits 0 when all is well and 1 when something is at fault', async () => {
    const simulator = await simulated({ clients: 50 });
    const env = { ...access(simulator), WAREHOUSE_URL: `sqlite:${folder}/clients.db` };
    const well = await runCli(['doctor'], { env });
    expect(well).toMatchObject({ exit: 0, stderr: '' });
    expect(well.stdout).toMatch(/^ok {7}settings/);
    expect(well.stdout).toMatch(/\n0 faults, 0 warnings\n$/);
    simulator.setFaults({ ignoreFilter: true });
    const ill = await runCli(['doctor', '--json'], { env });
    expect(ill).toMatchObject({ exit: 1, stderr: '' });
    const report = JSON.parse(ill.stdout);
    expect(report).toMatchObject({ healthy: false, faults: 3 });
    expect(report.findings).toContainEqual(expect.objectContaining({ check: '$filter', verdict: 'fault' }));
  });

  it('prints no secret, even one that a broken server sends back', async () => {
    const server = await served();
    const token = 'opaque-token-of-mine';
    const path = join(folder, 'token');
    writeFileSync(path, token);
    server.otherwise((seen) => ({ status: 400, json: { title: `you sent ${seen.headers.authorization}` } }));
    const env = {
      CLIENTS_API_URL: server.url,
      CLIENTS_API_TOKEN_FILE: path,
      WAREHOUSE_URL: `sqlite:${folder}/a.db`,
    };
    for (const args of [['doctor'], ['doctor', '--json', '--log-level', 'debug']]) {
      const result = await runCli(args, { env });
      expect(result.exit).toBe(1);
      expect(result.stdout + result.stderr).not.toContain(token);
    }
  });
});
