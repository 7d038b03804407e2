/**
 * A real HTTP server that plays a script: each request takes the next reply, and when the script is over,
 * `otherwise`. It can answer, reset, stall, tear an answer in two, and keeps what it saw.
 */
import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export interface Seen {
  readonly method: string;
  /** Path and query as they came over the wire. */
  readonly url: string;
  /** Path alone. */
  readonly path: string;
  /** Decoded. */
  readonly query: URLSearchParams;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
  readonly token: string | null;
}

export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly json?: unknown;
  readonly text?: string | Buffer;
  /** false: no `Date` header. */
  readonly date?: boolean;
  /** reset: the socket is cut without an answer. stall: nothing comes. tear: the body stops in the middle. drip: a byte now and then. */
  readonly fault?: 'reset' | 'stall' | 'tear' | 'drip';
}

export type Step = Reply | ((seen: Seen) => Reply | Promise<Reply>);

export interface TestServer {
  readonly url: string;
  readonly origin: string;
  readonly seen: Seen[];
  /** Connections made so far. */
  readonly connections: () => number;
  /** Requests being answered at once at the most so far. */
  readonly inFlightMax: () => number;
  play(...steps: readonly Step[]): void;
  otherwise(step: Step): void;
  close(): Promise<void>;
}

/** @param path what the base URL carries behind the host, e.g. `/homedashboard` */
export async function startHttpServer(path = ''): Promise<TestServer> {
  const script: Step[] = [];
  const seen: Seen[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  let inFlight = 0;
  let inFlightMax = 0;
  let otherwise: Step = { status: 500, json: { title: 'the script is over' } };

  const server = http.createServer(async (request, response) => {
    inFlight += 1;
    inFlightMax = Math.max(inFlightMax, inFlight);
    response.on('close', () => {
      inFlight -= 1;
    });
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? '/', 'http://localhost');
    const one: Seen = {
      method: request.method ?? '',
      url: request.url ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: Buffer.concat(chunks).toString('utf8'),
      token: request.headers.authorization?.replace(/^Bearer /, '') ?? null,
    };
    seen.push(one);
    const step = script.shift() ?? otherwise;
    perform(typeof step === 'function' ? await step(one) : step, request, response);
  });
  server.on('connection', (socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    url: `${origin}${path}`,
    origin,
    seen,
    connections: () => connections,
    inFlightMax: () => inFlightMax,
    play: (...steps) => void script.push(...steps),
    otherwise(step) {
      otherwise = step;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function perform(reply: Reply, request: http.IncomingMessage, response: http.ServerResponse): void {
  if (reply.fault === 'stall') return;
  if (reply.fault === 'reset') return void request.socket.resetAndDestroy();
  const body = reply.text ?? (reply.json === undefined ? '' : JSON.stringify(reply.json));
  response.sendDate = reply.date !== false;
  response.writeHead(reply.status ?? 200, {
    ...(reply.json === undefined ? {} : { 'content-type': 'application/json;odata.metadata=minimal' }),
    ...(reply.fault === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
    ...reply.headers,
  });
  if (reply.fault === 'tear') {
    response.write(Buffer.from(body).subarray(0, Math.floor(body.length / 2)), () =>
      request.socket.destroy(),
    );
    return;
  }
  if (reply.fault === 'drip') {
    const timer = setInterval(() => response.write(' '), 5);
    response.on('close', () => clearInterval(timer));
    return;
  }
  response.end(body);
}

/** An address on which nobody listens. */
export async function closedPort(): Promise<string> {
  const server = await startHttpServer();
  await server.close();
  return server.origin;
}
