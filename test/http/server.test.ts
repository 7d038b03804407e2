/** The HTTP face over real sockets, with a real warehouse behind it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { instantFromMs } from '../../src/clients/instant.ts';
import { systemClock } from '../../src/clock.ts';
import { type FaceOptions, type HttpFace, startHttpFace } from '../../src/http/server.ts';
import { readStatus, type Status } from '../../src/status.ts';
import { openWarehouse } from '../../src/warehouse/open.ts';
import { createFakeClock } from '../support/fakeClock.ts';

let status: Status;
beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'clients-mirror-http-'));
  const url = `sqlite:${join(folder, 'clients.db')}`;
  const warehouse = await openWarehouse({ url, schema: 'public', clock: systemClock });
  const run = { id: 1, kind: 'pull', state: 'failed', rows: 0, written: 0, requests: 1, count: 1 } as const;
  const startedAt = instantFromMs(0);
  status = {
    ...(await readStatus(warehouse, systemClock)),
    clients: { live: 12_345, deleted: 6 },
    deadLetters: 2,
    lastRuns: [{ ...run, startedAt, finishedAt: null, error: '<script>alert("x")</script>' }],
  };
  await warehouse.close();
  rmSync(folder, { recursive: true });
});

let face: HttpFace | undefined;
afterEach(() => face?.close());

async function start(options: Partial<FaceOptions> = {}): Promise<HttpFace> {
  face = await startHttpFace({
    address: { host: '127.0.0.1', port: 0 },
    hosts: [],
    token: null,
    clock: systemClock,
    checkRedis: async () => null,
    checkWarehouse: async () => null,
    readStatus: async () => status,
    metrics: async (state) => ({
      type: 'text/plain',
      text: `live ${state.status?.clients.live ?? 'unknown'}\n`,
    }),
    ...options,
  });
  return face;
}

interface Got {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

function ask(one: HttpFace, path: string, headers: Record<string, string> = {}, body?: string): Promise<Got> {
  return new Promise((resolve, reject) => {
    const sent = request(
      `${one.url}${path}`,
      { method: body === undefined ? 'GET' : 'POST', headers },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, body: text, headers: answer.headers }),
        );
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

describe('startHttpFace', () => {
  it('shows status, metrics and the queue board on loopback without a token', async () => {
    const one = await start();
    const page = await ask(one, '/');
    expect(page).toMatchObject({ status: 200 });
    expect(page.body).toContain('12,345');
    expect(page.body).toContain('2 dead letters');
    expect(await ask(one, '/metrics')).toMatchObject({ status: 200, body: 'live 12345\n' });
    expect(await ask(one, '/queues')).toMatchObject({ status: 200 });
  });

  it('lets no text of the source become a script', async () => {
    const { body, headers } = await ask(await start(), '/');
    expect(body).not.toContain('<script');
    expect(body).toContain('&lt;script&gt;');
    expect(headers['content-security-policy']).toContain("default-src 'none'");
  });

  it('refuses a name that is not its own, and another site that posts', async () => {
    const one = await start();
    for (const path of ['/', '/metrics', '/queues', '/queues/api/queues']) {
      expect(await ask(one, path, { host: 'evil.example' })).toMatchObject({ status: 421 });
    }
    const headers = { origin: 'http://evil.example', 'content-type': 'application/json' };
    expect(await ask(one, '/queues/api/queues/pull/pause', headers, '{}')).toMatchObject({ status: 403 });
  });

  it('answers to the names that an ingress calls it by', async () => {
    const one = await start({ hosts: ['mirror.example.com'] });
    for (const host of ['mirror.example.com', 'Mirror.Example.com:443']) {
      expect(await ask(one, '/metrics', { host })).toMatchObject({ status: 200 });
    }
    const own = { host: 'mirror.example.com', origin: 'https://mirror.example.com' };
    expect((await ask(one, '/queues/api/queues/pull/pause', own, '')).status).not.toBe(403);
    expect(await ask(one, '/metrics', { host: 'example.com' })).toMatchObject({ status: 421 });
  });

  it('asks for the token everywhere but at the probes', async () => {
    const one = await start({ token: async () => 'secret-token' });
    for (const path of ['/', '/metrics', '/queues', '/queues/api/queues', '/nothing']) {
      expect(await ask(one, path)).toMatchObject({ status: 401 });
    }
    for (const path of ['/healthz', '/readyz']) {
      expect(await ask(one, path, { host: 'balancer.example' })).toMatchObject({ status: 200 });
    }
    const bearer = { authorization: 'Bearer secret-token' };
    expect(await ask(one, '/metrics', bearer)).toMatchObject({ status: 200 });
    expect(await ask(one, '/metrics', { authorization: 'Bearer wrong' })).toMatchObject({ status: 401 });
  });

  it('lets a browser log in once', async () => {
    const one = await start({ token: async () => 'secret-token' });
    const sent = await ask(one, '/', { accept: 'text/html' });
    expect(sent).toMatchObject({ status: 303, headers: { location: '/login' } });
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const wrong = await ask(one, '/login', form, 'token=guess');
    expect(wrong).toMatchObject({ status: 401 });
    expect(wrong.headers['set-cookie']).toBeUndefined();
    const right = await ask(one, '/login', form, 'token=secret-token');
    expect(right).toMatchObject({ status: 303, headers: { location: '/' } });
    const [cookie = ''] = right.headers['set-cookie'] as string[];
    expect(cookie).toMatch(/HttpOnly.*SameSite=Strict/);
    expect(await ask(one, '/', { cookie: cookie.split(';')[0] ?? '' })).toMatchObject({ status: 200 });
  });

  it('says 503 while something is away, without telling a stranger why', async () => {
    const one = await start({ checkRedis: async () => 'connect ECONNREFUSED 10.1.2.3:6379' });
    const { status, body } = await ask(one, '/readyz');
    expect(status).toBe(503);
    expect(JSON.parse(body)).toEqual({ ready: false, redis: 'away', warehouse: 'ok' });
    expect(await ask(one, '/healthz')).toMatchObject({ status: 200 });
  });

  it('serves a page and metrics while the warehouse is away', async () => {
    const readStatus = () => Promise.reject(new Error('away'));
    const one = await start({ readStatus, checkWarehouse: () => Promise.reject(new Error('away')) });
    expect((await ask(one, '/')).body).toContain('does not answer');
    expect(await ask(one, '/metrics')).toMatchObject({ status: 200, body: 'live unknown\n' });
  });

  it('serves them also while the warehouse says nothing at all', async () => {
    const silent = () => new Promise<never>(() => undefined);
    const one = await start({ readStatus: silent, checkWarehouse: silent, clock: createFakeClock() });
    expect((await ask(one, '/')).body).toContain('does not answer');
    expect(await ask(one, '/metrics')).toMatchObject({ status: 200, body: 'live unknown\n' });
  });

  it('says that a port is taken', async () => {
    const one = await start();
    const port = Number(new URL(one.url).port);
    await expect(
      startHttpFace({ ...({} as FaceOptions), address: { host: '127.0.0.1', port }, token: null }),
    ).rejects.toMatchObject({ code: 'SETTINGS' });
  });
});
