/**
 * Canaries: secrets, values of excluded fields and values of clients that would be known again anywhere. The whole
 * program runs through good and bad times with them, against a source that sends what it was not asked for and
 * quotes each request in its errors. Then every place is searched to which any of them might have got.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Faults } from '../../src/simulator/faults.ts';
import type { RunningCli } from '../support/cli.ts';
import { startHttpServer, type TestServer } from '../support/httpServer.ts';
import { ENGINES, type EngineName, type Mirror, startMirror } from '../support/mirror.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { eventually } from '../support/story.ts';
import { connectToMirror } from '../support/storyUser.ts';

/** No JWTs: what looks like one is masked anyway. With characters that URLs spell otherwise. */
const SECRETS = {
  api: 'canary-api~token/7+f=',
  http: 'canary-http~token/7+f=',
  redis: 'canary-redis-password/7+f',
  warehouse: 'canary-warehouse-password/7+f',
};
const EXCLUDED = { loginToken: 'canary-of-a-login-token', fax: 'canary-of-an-excluded-fax' };
/** Values of clients: they belong into the warehouse, and into what a person asks to see of a client. */
const PERSONAL = {
  lastName: 'canary-of-a-name',
  spoilt: 'canary-of-a-spoilt-value',
  sent: 'canary-of-an-edit',
  refused: 'canary-of-a-refused-edit',
  here: 'canary-of-a-conflict-here',
  there: 'canary-of-a-conflict-there',
};

/** Habits of this source all along. */
const HABITS: Faults = { ignoreSelect: true, echo: true, refuseFields: { homePhone: 422 } };

let mirror: Mirror;
let redis: TestRedis;
let collector: TestServer;
let stranger: TestServer;
let worker: RunningCli | null;

beforeEach(async () => {
  worker = null;
  redis = await startRedis();
  await redis.client.config('SET', 'requirepass', SECRETS.redis);
  collector = await startHttpServer();
  collector.otherwise({ json: {} });
  stranger = await startHttpServer();
  stranger.otherwise({ json: [] });
});
afterEach(async () => {
  worker?.child.kill('SIGKILL');
  await worker?.done;
  await Promise.all([mirror.close(), redis.close(), collector.close(), stranger.close()]);
});

describe.each(ENGINES)('no canary gets where it does not belong: %s', (engine) => {
  it('in good times and bad', { timeout: 120_000 }, async () => {
    mirror = await startMirror(engine, { clients: 20, pageCap: 10, token: SECRETS.api, faults: HABITS });
    const { simulator } = mirror;
    const ids = simulator.source.all().map(({ id }) => id);
    for (const id of ids) simulator.source.update(id, { ...EXCLUDED, lastName: PERSONAL.lastName });
    const [sent = '', refused = '', both = '', spoilt = ''] = ids;
    simulator.source.spoil(spoilt, { fico: PERSONAL.spoilt });
    const env = { ...settings(engine), MIRROR_EXCLUDE_FIELDS: 'loginToken,fax' };
    const outputs = new Map<string, string>();
    const run = async (
      args: readonly string[],
      exit: number,
      more: Readonly<Record<string, string>> = {},
    ) => {
      const result = await mirror.run(args, { ...env, ...more });
      outputs.set(`${args.join(' ')} ${JSON.stringify(Object.keys(more))}`, result.stdout + result.stderr);
      expect(result, `${args.join(' ')}: ${result.stderr}`).toMatchObject({ exit });
      return result;
    };
    const logs: string[] = [];
    const runLogged = async (
      args: readonly string[],
      exit = 0,
      more: Readonly<Record<string, string>> = {},
    ) => logs.push((await run([...args, '--log-level', 'debug'], exit, more)).stderr);

    // The fields were mirrored once, and are excluded now.
    await mirror.ok(['sync'], { ...env, MIRROR_EXCLUDE_FIELDS: '' });
    expect(await warehouseText(engine)).toContain(EXCLUDED.fax);
    await runLogged(['backfill']);

    const user = await connectToMirror({ warehouseUrl: env.WAREHOUSE_URL });
    await user.run(`UPDATE clients SET work_phone = '${PERSONAL.sent}' WHERE id = '${sent}'`);
    await user.run(`UPDATE clients SET home_phone = '${PERSONAL.refused}' WHERE id = '${refused}'`);
    await user.run(`UPDATE clients SET work_phone = '${PERSONAL.here}' WHERE id = '${both}'`);
    simulator.source.update(both, { workPhone: PERSONAL.there });
    simulator.setFaults({ ...HABITS, serverError: { times: 4 } });
    await runLogged(['sync', '--log-format', 'json']);
    for (const command of ['edits list', 'conflicts list', 'quarantine list', 'tombstones list', 'status']) {
      await run(command.split(' '), 0);
      await run([...command.split(' '), '--json'], 0);
    }
    for (const id of [refused, both]) await run(['explain', id, '--json'], 0);
    await run(['doctor', '--json'], 0, { REDIS_URL: redisUrl() });

    // Everything that can fail, fails.
    simulator.setFaults({ ...HABITS, redirect: { to: stranger.origin } });
    await runLogged(['pull'], 1);
    expect(stranger.seen).toEqual([]);
    simulator.setFaults({ ...HABITS, unauthorized: {} });
    await runLogged(['sync'], 1);
    simulator.setFaults({ ...HABITS, denyLists: { status: 403 } });
    await runLogged(['reconcile'], 1);
    simulator.setFaults(HABITS);
    await run(['status'], engine === 'postgres' ? 1 : 2, { WAREHOUSE_URL: brokenUrl(engine) });
    await run(['sync'], 2, { CLIENTS_API_URL: `http://user:${encodeURIComponent(SECRETS.api)}@127.0.0.1:1` });
    await run(['backfill', '--enqueue'], 1, { REDIS_URL: redisUrl().replace(/:\d+$/, ':1') });
    await run(['sync'], 2, { WAREHOUSE_URL: `postgres://mirror:${SECRETS.warehouse}@[db/crm` });

    // The worker, first while lists are denied.
    simulator.setFaults({ ...HABITS, denyLists: { status: 403 } });
    worker = mirror.start(['worker', '--log-level', 'debug', '--log-format', 'json'], {
      ...env,
      REDIS_URL: redisUrl(),
      HTTP_ADDRESS: '127.0.0.1:0',
      HTTP_TOKEN: SECRETS.http,
      MIRROR_PULL_SECONDS: '1',
      MIRROR_PUSH_SECONDS: '1',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.origin,
      OTEL_BSP_SCHEDULE_DELAY: '100',
    });
    await eventually(async () => (await redisText(redis.client)).includes('DENIED') || 'no failed job');
    simulator.setFaults({ ...HABITS, serverError: { times: 3 } });
    await user.run(`UPDATE clients SET work_phone = '${PERSONAL.sent} 2' WHERE id = '${sent}'`);
    await user.run(`UPDATE clients SET home_phone = '${PERSONAL.refused} 2' WHERE id = '${refused}'`);
    await eventually(async () => simulator.source.get(sent)?.workPhone === `${PERSONAL.sent} 2`);
    const letters = `SELECT id FROM mirror_edits WHERE outcome = 'refused' AND value LIKE '%${PERSONAL.refused} 2%'`;
    await eventually(async () => (await user.run(letters)).length === 1);
    await eventually(async () => collector.seen.length > 0);
    await user.close();
    const processes = readFileSync(`/proc/${worker.child.pid}/cmdline`, 'utf8');
    const pages = await readPages(/HTTP face at ([^\s"]+)/.exec(worker.output().stderr)?.[1] ?? '');
    const queues = await redisText(redis.client);
    worker.child.kill('SIGTERM');
    const { stdout, stderr, exit } = await worker.done;
    expect(exit).toBe(0);
    logs.push(stderr + stdout);

    const traces = collector.seen.map(({ url, headers, body }) => JSON.stringify({ url, headers, body }));
    const shown = { log: logs.join('\n'), queues, pages, processes, traces: traces.join('\n') };
    const stored = { warehouse: await warehouseText(engine), files: filesText(mirror.folder) };
    const printed = [...outputs.values()].join('\n');
    // What is searched holds what it should hold: nothing is proved by an empty place.
    expect(stored.warehouse).toContain(PERSONAL.lastName);
    expect(stored.warehouse).toContain(PERSONAL.refused);
    expect(stored.warehouse).toContain('[secret]');
    expect(printed).toContain(PERSONAL.spoilt);
    expect(printed).toContain(PERSONAL.there);
    for (const word of ['trying again', 'the source refused', 'cannot be mirrored', '[secret]']) {
      expect(shown.log).toContain(word);
    }
    expect(shown.pages).toContain('mirror_clients{state="live"}');
    expect(shown.pages).toContain('bull');
    expect(shown.traces).toContain('PATCH /clients/{id}');
    expect(shown.processes).toContain('worker');

    const nowhere = [...Object.values(SECRETS).flatMap(spellings), ...Object.values(EXCLUDED)];
    expect(found({ ...shown, ...stored, ...Object.fromEntries(outputs) }, nowhere)).toEqual([]);
    expect(found(shown, Object.values(PERSONAL))).toEqual([]);
  });
});

function settings(engine: EngineName): Readonly<Record<string, string>> & { readonly WAREHOUSE_URL: string } {
  if (engine === 'sqlite') return { WAREHOUSE_URL: mirror.warehouseUrl };
  // The server lets everybody in from loopback, whatever the password.
  const url = new URL(mirror.warehouseUrl);
  url.password = encodeURIComponent(SECRETS.warehouse);
  return { WAREHOUSE_URL: url.href };
}

function redisUrl(): string {
  return `redis://:${encodeURIComponent(SECRETS.redis)}@127.0.0.1:${redis.port}`;
}

/** One that names a database which is not there. */
function brokenUrl(engine: EngineName): string {
  if (engine === 'sqlite') return `mysql://mirror:${SECRETS.warehouse}@127.0.0.1/crm`;
  const url = new URL(settings(engine).WAREHOUSE_URL);
  url.pathname = '/nowhere';
  return url.href;
}

/** A secret as it may stand in a URL, in a header or in JSON. */
function spellings(secret: string): readonly string[] {
  const base64 = Buffer.from(secret).toString('base64').replace(/.?=*$/, '');
  return [secret, encodeURIComponent(secret), base64, JSON.stringify(secret).slice(1, -1)];
}

/** Each canary that was found, with the place and what stands around it. */
function found(places: Readonly<Record<string, string>>, canaries: readonly string[]): readonly string[] {
  return Object.entries(places).flatMap(([place, text]) =>
    [...new Set(canaries)].flatMap((canary) => {
      const at = text.indexOf(canary);
      return at < 0 ? [] : [`${canary} in ${place}: …${text.slice(Math.max(0, at - 120), at + 60)}…`];
    }),
  );
}

/** All rows of all tables; of a SQLite file its very bytes, freed pages included. */
async function warehouseText(engine: EngineName): Promise<string> {
  if (engine === 'sqlite') return filesText(mirror.folder);
  const tables = await mirror.read(
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`,
  );
  const texts = await Promise.all(
    tables.map(({ name }) => mirror.read(`SELECT t::text AS row FROM "${name}" t`)),
  );
  return texts
    .flat()
    .map(({ row }) => row)
    .join('\n');
}

function filesText(folder: string): string {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile());
  return files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1')).join('\n');
}

/** Everything that Redis holds. */
async function redisText(client: Redis): Promise<string> {
  const read: Readonly<Record<string, (key: string) => Promise<unknown>>> = {
    string: (key) => client.get(key),
    hash: (key) => client.hgetall(key),
    list: (key) => client.lrange(key, 0, -1),
    set: (key) => client.smembers(key),
    zset: (key) => client.zrange(key, '0', '-1'),
    stream: (key) => client.xrange(key, '-', '+'),
  };
  const keys = await client.keys('*');
  const values = keys.map(async (key) => [key, await read[await client.type(key)]?.(key)]);
  return JSON.stringify([await Promise.all(values), await client.client('LIST')]);
}

/** The pages of the HTTP face, and what the board of queues reads. */
async function readPages(face: string): Promise<string> {
  const headers = { authorization: `Bearer ${SECRETS.http}` };
  const boards = ['pull', 'push', 'window'].map(
    (name) => `/queues/api/queues?activeQueue=${name}&jobsPerPage=50`,
  );
  const paths = ['/', '/metrics', '/readyz', '/login', '/queues/', ...boards];
  const texts = await Promise.all(
    paths.map(async (path) => {
      const answer = await fetch(face + path, { headers });
      expect(answer.status, path).toBe(200);
      return `${JSON.stringify([...answer.headers])} ${await answer.text()}`;
    }),
  );
  return texts.join('\n');
}
