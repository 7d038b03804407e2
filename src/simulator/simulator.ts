/**
 * A real HTTP server of the Clients API, as strict as the real one: what it does not know is a 400. It serves
 * the demo, the tests and the bench; `source` is the same table without HTTP, and `setFaults` what goes wrong.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type Answer, echoedAnswer, HttpProblem, problemAnswer } from './answer.ts';
import { type Auth, createAuth, makeToken } from './auth.ts';
import { cut, deliver } from './delivery.ts';
import { applyDrift } from './drift.ts';
import { createFaultSwitch, type FaultSwitch, type Faults } from './faults.ts';
import { answerAtGate } from './gate.ts';
import { createPopulation, type Shape } from './generate.ts';
import type { IdOrder } from './ids.ts';
import { createPages } from './pages.ts';
import { createRandom, type Random } from './random.ts';
import { createRequestRecorder, type RequestLog, type RequestRecorder } from './requests.ts';
import { type RouteOptions, rowShape } from './routeList.ts';
import { type ApiRequest, createRoutes, kindOf, type Routes } from './routes.ts';
import { createSource, type Source } from './source.ts';
import { createStore, type OnChange, type Store } from './store.ts';

export interface SimulatorOptions {
  /** 0, the default: any free port. */
  readonly port?: number;
  /** 127.0.0.1 by default. */
  readonly host?: string;
  /** Comes before `/clients`, e.g. `/homedashboard`; empty by default. */
  readonly basePath?: string;
  /** How many clients there are to begin with; 0 by default. */
  readonly clients?: number;
  /** The same seed gives the same clients, ids and faults; 1 by default. */
  readonly seed?: number;
  /** How the stamps of these clients lie. */
  readonly shape?: Shape;
  /** No stamp of these clients is later; milliseconds since 1970, by default the start of 2026. */
  readonly untilMs?: number;
  /** A page has at most this many rows, whatever `$top` says; 10,000 by default. */
  readonly pageCap?: number;
  /** A larger `$top` is refused with 400; by default it is cut to `pageCap`. */
  readonly topMax?: number;
  /** How the server orders ids; `text` by default. */
  readonly idOrder?: IdOrder;
  /** Wait before each answer, in milliseconds; the same as the fault `latency`. */
  readonly latencyMs?: number;
  /** The accepted bearer token; by default a made-up JWT that lasts a day. */
  readonly token?: string;
  readonly faults?: Faults;
  /** Milliseconds since 1970: for stamps, `Date`, expiry and late commits. Waits use real time. */
  readonly clock?: () => number;
  /** false: no `Date` header. */
  readonly dateHeader?: boolean;
  /** Added to the clock in the `Date` header. */
  readonly dateSkewMs?: number;
  /** Lists answer `{"value": […]}`, with `@odata.nextLink` where the page was cut. */
  readonly envelope?: boolean;
  /** `trimmed`: stamps without trailing zeros, as .NET's JSON writes them; `seven` digits by default. */
  readonly stamps?: 'seven' | 'trimmed';
  /** Documented fields that this server does not have, e.g. `contactAddress`. */
  readonly absentFields?: readonly string[];
  /** Content type of good answers; `application/json; charset=utf-8` by default. */
  readonly jsonType?: string;
  /** Largest `$filter`, counted as ASP.NET counts; 100 nodes by default. */
  readonly filterNodesMax?: number;
  /** Entries kept in the request log; 10,000 by default, 0: none. */
  readonly logMax?: number;
  /** Bytes of serialised rows kept for the next reader; 128 MB by default. */
  readonly cacheBytesMax?: number;
  /** Runs before each request is looked at. */
  readonly onRequest?: (request: ApiRequest, source: Source) => void | Promise<void>;
  /** Hears of each change of a client when it has been made, whoever made it. */
  readonly onChange?: OnChange;
}

export interface Simulator {
  /** What `CLIENTS_API_URL` should be, base path included. */
  readonly url: string;
  /** An accepted token. */
  readonly token: string;
  readonly source: Source;
  readonly requests: RequestLog;
  /** How often each fault has struck so far. */
  readonly struck: ReadonlyMap<string, number>;
  /** Replaces all faults; `{}` ends them. Counts begin anew. */
  setFaults(faults: Faults): void;
  /** Replaces the accepted tokens. */
  setTokens(...tokens: string[]): void;
  /** Replaces the hook that runs before each request. */
  setOnRequest(hook: SimulatorOptions['onRequest']): void;
  /**
   * Serialises every client in order of createdOn, so that a bench measures its reader and not this server's
   * first look at its rows. Give it the `$select` (null: none) that will be asked for, and `cacheBytesMax` room.
   */
  warm(select: readonly string[] | null): void;
  /** Stops listening and ends every connection. */
  close(): Promise<void>;
}

const DAY_MS = 86_400_000;
const POPULATION_UNTIL_MS = Date.UTC(2026, 0, 1);
const BODY_BYTES_MAX = 30_000_000;

/** Starts a simulator; rejects when the port cannot be had. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const world = createWorld(options);
  const { auth, faultSwitch, recorder, source, token } = world;
  const basePath = (options.basePath ?? '').replace(/\/+$/, '');
  let hook = options.onRequest;
  let url = '';
  const routeOptions: RouteOptions = {
    topDefault: 50,
    pageCap: options.pageCap ?? 10_000,
    topMax: options.topMax ?? null,
    filterNodesMax: options.filterNodesMax ?? 100,
    envelope: options.envelope ?? false,
    trimsStamps: options.stamps === 'trimmed',
    absentFields: options.absentFields ?? [],
    jsonType: options.jsonType ?? 'application/json; charset=utf-8',
    baseUrl: () => url,
  };
  const routes = createRoutes(world, faultSwitch, routeOptions);
  const server = createServer((request, response) => {
    void serve({ ...world, routes, basePath, hook: () => hook }, request, response);
  });
  await listen(server, options.port ?? 0, options.host ?? '127.0.0.1');
  const address = server.address() as AddressInfo;
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  url = `http://${host}:${address.port}${basePath}`;
  return {
    url,
    token,
    source,
    requests: recorder,
    struck: faultSwitch.struck,
    setFaults: (faults) => faultSwitch.set(faults),
    setTokens: (...tokens) => auth.accept(tokens),
    setOnRequest(next) {
      hook = next;
    },
    warm(select) {
      const index = world.store.index('createdOn');
      world.pages.warm(index.slices(0, index.size), rowShape(select, faultSwitch, routeOptions));
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

interface World {
  readonly options: SimulatorOptions;
  readonly clock: () => number;
  readonly store: Store;
  readonly source: Source;
  readonly pages: ReturnType<typeof createPages>;
  readonly auth: Auth;
  readonly faultSwitch: FaultSwitch;
  readonly recorder: RequestRecorder;
  readonly random: Random;
  readonly token: string;
}

function createWorld(options: SimulatorOptions): World {
  const { clients = 0, seed = 1, clock = () => Date.now() } = options;
  const untilMs = options.untilMs ?? Math.min(POPULATION_UNTIL_MS, clock());
  const population = createPopulation(clients, seed, untilMs, options.shape);
  const store = createStore(population, options.idOrder ?? 'text', clock, options.onChange);
  const random = createRandom(seed ^ 0x5eed);
  const latency = options.latencyMs ? { latency: { ms: options.latencyMs } } : {};
  const faultSwitch = createFaultSwitch({ ...latency, ...options.faults }, createRandom(seed ^ 0xfa17));
  const lateMs = (): number => {
    const late = faultSwitch.faults.lateCommits;
    return late !== undefined && random.next() < (late.probability ?? 1) ? random.next() * late.maxMs : 0;
  };
  const token = options.token ?? makeToken(`seed ${seed}`, clock() + DAY_MS);
  return {
    options,
    clock,
    store,
    source: createSource(store, { seed, clock, random, lateMs }),
    pages: createPages(store, options.cacheBytesMax ?? 128 * 1024 * 1024),
    auth: createAuth([token], clock),
    faultSwitch,
    recorder: createRequestRecorder(options.logMax ?? 10_000),
    random,
    token,
  };
}

interface Serving extends World {
  readonly routes: Routes;
  readonly basePath: string;
  hook(): SimulatorOptions['onRequest'];
}

async function serve(world: Serving, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { recorder, faultSwitch, options } = world;
  recorder.begin();
  const asked = readRequest(request, world.basePath);
  const kind = kindOf(asked.method, asked.path);
  let body: Buffer = Buffer.alloc(0);
  let status: number | null = null;
  try {
    const read = await readBody(request);
    body = read ?? body;
    const plain =
      read === null ? problemAnswer(413) : await answerOf(world, { ...asked, body }, request.url ?? '/');
    const echoes = faultSwitch.faults.echo === true && plain !== null;
    const answer = echoes ? echoedAnswer(plain, { ...asked, body }) : plain;
    const value = (): string | null =>
      options.dateHeader === false ? null : new Date(world.clock() + (options.dateSkewMs ?? 0)).toUTCString();
    if (answer === null) cut(response);
    else status = await deliver(response, answer, faultSwitch, { kind, date: { value } });
  } catch {
    // The other side went away, or the simulator has a fault of its own: either way there is no answer.
    response.destroy();
  } finally {
    recorder.end({ ...asked, body: body.length > 0 ? body.toString() : undefined, status });
  }
}

/** null: the connection is to be cut before anything was done. */
async function answerOf(world: Serving, request: ApiRequest, target: string): Promise<Answer | null> {
  const { faultSwitch, store, source, random, clock } = world;
  const kind = kindOf(request.method, request.path);
  await world.hook()?.(request, source);
  const latency = faultSwitch.strikes('latency', kind);
  if (latency !== null) await delay(latency.ms + random.next() * (latency.jitterMs ?? 0));
  store.settle();
  const drift = faultSwitch.strikes('drift', kind);
  if (drift !== null) applyDrift(source, random, drift);
  if (faultSwitch.strikes('resetBefore', kind) !== null) return null;
  const gate = answerAtGate({ kind, path: request.path, target }, faultSwitch, clock());
  if (gate !== null) return gate;
  try {
    world.auth.check(request.headers.authorization);
    const isRead = kind === 'list' || kind === 'get';
    const stale = isRead ? faultSwitch.strikes('stale', kind) : null;
    if (stale === null) return world.routes(request);
    return store.asOf(clock() - random.next() * stale.maxMs, () => world.routes(request));
  } catch (error) {
    if (error instanceof HttpProblem) return error.answer;
    throw error;
  }
}

function readRequest(request: IncomingMessage, basePath: string): ApiRequest {
  const target = request.url ?? '/';
  const cutAt = target.indexOf('?');
  const path = cutAt < 0 ? target : target.slice(0, cutAt);
  return {
    method: request.method ?? 'GET',
    // Outside the base path nothing is known.
    path: path.startsWith(`${basePath}/`) ? path.slice(basePath.length) : `/..${path}`,
    query: cutAt < 0 ? '' : target.slice(cutAt + 1),
    headers: request.headers as Record<string, string | undefined>,
    body: Buffer.alloc(0),
  };
}

/** null: there is more of it than the server takes. */
async function readBody(request: IncomingMessage): Promise<Buffer | null> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += (part as Buffer).length;
    if (bytes <= BODY_BYTES_MAX) parts.push(part as Buffer);
  }
  return bytes > BODY_BYTES_MAX ? null : Buffer.concat(parts);
}

async function listen(server: Server, port: number, host: string): Promise<void> {
  server.listen(port, host);
  // Rejects with the error when it comes first.
  await once(server, 'listening');
}
