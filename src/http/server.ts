/**
 * The HTTP face of the worker: probes, metrics, the queue board and a status page. It serves from the first moment,
 * before Redis and warehouse answer, so that a probe is told what is away.
 */
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter } from '@bull-board/fastify';
import type { Queue } from 'bullmq';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { HttpAddress } from '../../config/addresses.ts';
import type { Clock } from '../clock.ts';
import { SyncError } from '../errors.ts';
import type { Status } from '../status.ts';
import { hasToken, isKnownHost, isOwnOrigin, isSame, sessionCookie } from './access.ts';
import { keepFor } from './kept.ts';
import { PAGE_POLICY, renderLogin, renderStatusPage } from './page.ts';

const STATUS_AGE_MS = 5_000;
const CHECK_TIMEOUT_MS = 3_000;
const WRONG_TOKEN_WAIT_MS = 500;
const BODY_BYTES_MAX = 100_000;

export interface FaceOptions {
  readonly address: HttpAddress;
  /** Further names by which it is called. */
  readonly hosts: readonly string[];
  /** The bearer token as it is now; null: none, which loopback alone allows. */
  readonly token: (() => Promise<string>) | null;
  readonly clock: Clock;
  /** Does it answer? null: yes; else why not, in words for the log. */
  readonly checkRedis: () => Promise<string | null>;
  readonly checkWarehouse: () => Promise<string | null>;
  /** @throws when the warehouse does not answer. */
  readonly readStatus: () => Promise<Status>;
  /** The metrics as Prometheus reads them; null: the status is not to be had. */
  readonly metrics: (state: FaceState) => Promise<{ readonly type: string; readonly text: string }>;
}

export interface FaceState {
  readonly status: Status | null;
  readonly redisIsUp: boolean;
  readonly warehouseIsUp: boolean;
}

export interface HttpFace {
  /** Where it listens. */
  readonly url: string;
  showQueues(queues: readonly Queue[]): void;
  close(): Promise<void>;
}

/** @throws SyncError SETTINGS when the address cannot be listened on. */
export async function startHttpFace(options: FaceOptions): Promise<HttpFace> {
  const app = Fastify({ logger: false, bodyLimit: BODY_BYTES_MAX, forceCloseConnections: true });
  const serverAdapter = new FastifyAdapter();
  serverAdapter.setBasePath('/queues');
  // Its type and the board's differ in how they spell an optional property.
  const adapter = serverAdapter as unknown as Parameters<typeof createBullBoard>[0]['serverAdapter'];
  const board = createBullBoard({ queues: [], serverAdapter: adapter });
  guard(app, options);
  addProbes(app, options);
  addPages(app, options);
  await app.register(serverAdapter.registerPlugin(), { prefix: '/queues' });
  const { host, port } = options.address;
  try {
    const url = await app.listen({ host, port });
    return {
      url,
      showQueues: (queues) => board.setQueues(queues.map((queue) => new BullMQAdapter(queue))),
      close: () => app.close(),
    };
  } catch (error) {
    const { code = 'no reason given' } = error as NodeJS.ErrnoException;
    const why = code === 'EADDRINUSE' ? 'the port is taken' : code;
    throw new SyncError('SETTINGS', `HTTP_ADDRESS ${host}:${port} cannot be listened on: ${why}`);
  }
}

/** A probe must never be refused, and what it is told is worth nothing to a stranger. */
const PROBES: ReadonlySet<string> = new Set(['/healthz', '/readyz']);

function guard(app: FastifyInstance, { address, hosts, token, clock }: FaceOptions): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
    });
    const path = pathOf(request);
    if (PROBES.has(path)) return;
    if (!isKnownHost(request.headers.host, [address.host, ...hosts])) {
      return reply.code(421).send({ error: 'not a name of this worker; HTTP_HOSTS gives it more' });
    }
    if (!isOwnOrigin(request)) return reply.code(403).send({ error: 'another site may not ask for this' });
    if (token === null || path === '/login' || hasToken(request, await token(), clock.now())) return;
    if (request.method === 'GET' && (request.headers.accept ?? '').includes('text/html')) {
      return reply.redirect('/login', 303);
    }
    return reply
      .code(401)
      .header('www-authenticate', 'Bearer')
      .send({ error: 'the token is missing or wrong' });
  });
}

function addProbes(app: FastifyInstance, options: FaceOptions): void {
  app.get('/healthz', async () => ({ alive: true }));
  app.get('/readyz', async (_, reply) => {
    const [redis, warehouse] = await checkBoth(options);
    const isReady = redis === null && warehouse === null;
    return reply
      .code(isReady ? 200 : 503)
      .send({ ready: isReady, redis: word(redis), warehouse: word(warehouse) });
  });
}

function addPages(app: FastifyInstance, options: FaceOptions): void {
  const { token, clock } = options;
  const readStatus = keepFor(clock, STATUS_AGE_MS, options.readStatus);
  const look = async () => {
    const [redis, warehouse] = await checkBoth(options);
    // A warehouse that does not answer would let who asks wait for its status, and not learn that it is away.
    const status = warehouse === null ? await readStatus().catch(() => null) : null;
    return { redis, warehouse, status };
  };

  app.get('/', async (_, reply) => {
    const { redis, warehouse, status } = await look();
    return html(reply, renderStatusPage({ status, redis: word(redis), warehouse: word(warehouse) }));
  });

  app.get('/metrics', async (_, reply) => {
    const { redis, warehouse, status } = await look();
    const state = { status, redisIsUp: redis === null, warehouseIsUp: warehouse === null };
    const { type, text } = await options.metrics(state);
    return reply.type(type).send(text);
  });

  if (token === null) return;
  const form = { parseAs: 'string' } as const;
  app.addContentTypeParser('application/x-www-form-urlencoded', form, (_, body, done) => {
    done(null, new URLSearchParams(String(body)));
  });
  app.get('/login', async (_, reply) => html(reply, renderLogin(false)));
  app.post('/login', async (request, reply) => {
    const given = request.body instanceof URLSearchParams ? (request.body.get('token') ?? '').trim() : '';
    const right = await token();
    if (!isSame(given, right)) {
      await clock.sleep(WRONG_TOKEN_WAIT_MS);
      return html(reply.code(401), renderLogin(true));
    }
    const isHttps = request.headers['x-forwarded-proto'] === 'https';
    reply.header('set-cookie', sessionCookie(right, clock.now(), isHttps));
    return reply.redirect('/', 303);
  });
}

function html(reply: FastifyReply, text: string): FastifyReply {
  return reply.header('content-security-policy', PAGE_POLICY).type('text/html; charset=utf-8').send(text);
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?')[0] ?? '';
}

function checkBoth({ checkRedis, checkWarehouse, clock }: FaceOptions) {
  return Promise.all([soon(checkRedis, clock), soon(checkWarehouse, clock)]);
}

/** What takes longer than a probe waits is away. */
async function soon(check: () => Promise<string | null>, clock: Clock): Promise<string | null> {
  const done = new AbortController();
  const timeout = clock.sleep(CHECK_TIMEOUT_MS, done.signal).then(
    () => 'no answer',
    () => 'no answer',
  );
  try {
    return await Promise.race([check(), timeout]);
  } catch (error) {
    return (error as Error).message;
  } finally {
    done.abort();
  }
}

/** The reason may name addresses: it is for the log. */
function word(reason: string | null): string {
  return reason === null ? 'ok' : 'away';
}
