/**
 * One HTTP request, sent once: axios with our own agents, no redirects, no status that throws. What comes
 * back is data: an answer, or why there is none and whether the request can have reached the server.
 *
 * Nothing of axios leaves this file: its errors carry the request's headers, and so the token. Its timers are
 * real ones, not the Clock's: sockets live in real time, and a test that jumps an hour must not cut them. A push
 * sends one request an edit, so what a request costs here is what an edit costs.
 */
import { isUtf8 } from 'node:buffer';
import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { Axios } from 'axios';

/** Idle sockets are given up before servers commonly do (Node after 5 s, nginx after 75): a request must not meet a dying one. */
const IDLE_SOCKET_MS = 4000;
/** What axios sets for every request; where the agent says something else each request costs two system calls. */
const KEEP_ALIVE_MS = 60_000;

export interface Outgoing {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  /** From now to the last byte of the answer. */
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly bodyBytesMax: number;
  /** A socket of its own: a POST must not meet one that the server is just closing. */
  readonly freshSocket: boolean;
  readonly signal: AbortSignal | undefined;
}

export interface HttpAnswer {
  readonly kind: 'answer';
  readonly status: number;
  readonly headers: Readonly<http.IncomingHttpHeaders>;
  /** null: it is not UTF-8. */
  readonly text: string | null;
  readonly bodyBytes: number;
}

export interface NoAnswer {
  readonly kind: 'none';
  readonly why: 'timeout' | 'network' | 'tooLarge';
  /** In words for the user. */
  readonly reason: string;
  readonly hint: string | null;
  /** false: no connection was made, so the server has not seen the request. */
  readonly reached: boolean;
  readonly bodyBytes: number;
}

export interface Sender {
  /** @throws the signal's reason when it is aborted; an Error without any of axios' when there is a bug. */
  send(outgoing: Outgoing): Promise<HttpAnswer | NoAnswer>;
  close(): void;
}

interface Agents {
  readonly httpAgent: http.Agent;
  readonly httpsAgent: https.Agent;
}

/** What is known of one request while it runs. */
interface Flight {
  /** null: it is not made yet. */
  request: http.ClientRequest | null;
  headers: Readonly<http.IncomingHttpHeaders>;
  reached: boolean;
  bodyBytes: number;
  cut: 'timeout' | 'connect' | 'caller' | null;
}

export function createSender(socketsMax: number): Sender {
  const keeping = {
    keepAlive: true,
    keepAliveMsecs: KEEP_ALIVE_MS,
    maxSockets: socketsMax,
    timeout: IDLE_SOCKET_MS,
  };
  const kept = { httpAgent: new http.Agent(keeping), httpsAgent: new https.Agent(keeping) };
  const once = { httpAgent: new http.Agent(), httpsAgent: new https.Agent() };
  const clients = { kept: createClient(kept), once: createClient(once) };

  return {
    async send(outgoing) {
      outgoing.signal?.throwIfAborted();
      const flight: Flight = { request: null, headers: {}, reached: false, bodyBytes: 0, cut: null };
      try {
        return await fly(outgoing, flight, outgoing.freshSocket ? clients.once : clients.kept);
      } catch (error) {
        if (flight.cut === 'caller') outgoing.signal?.throwIfAborted();
        return explain(error, flight, outgoing);
      }
    },
    close() {
      for (const agent of [...Object.values(kept), ...Object.values(once)]) agent.destroy();
    },
  };
}

type Client = () => Promise<Axios>;

/**
 * axios without its defaults. Loaded by the first request: it takes longer than all the rest of the program, which
 * often sends none.
 */
function createClient(agents: Agents): Client {
  let client: Promise<Axios> | undefined;
  const load = async () => {
    const { Axios } = await import('axios');
    return new Axios({
      ...agents,
      adapter: 'http',
      responseType: 'stream',
      maxRedirects: 0,
      validateStatus: null,
    });
  };
  return () => {
    client ??= load();
    return client;
  };
}

/** Waits for the answer, but no longer than the request may take or the caller wants. */
function fly(outgoing: Outgoing, flight: Flight, client: Client): Promise<HttpAnswer | NoAnswer> {
  return new Promise((resolve, reject) => {
    const { signal, timeoutMs, connectTimeoutMs } = outgoing;
    // One timer for both bounds: the nearer one first.
    const firstMs = Math.min(connectTimeoutMs, timeoutMs);
    let timer = setTimeout(() => {
      if (!flight.reached && connectTimeoutMs < timeoutMs) cut('connect');
      else timer = setTimeout(cut, timeoutMs - firstMs, 'timeout');
    }, firstMs);
    const onCallerAbort = () => cut('caller');
    signal?.addEventListener('abort', onCallerAbort, { once: true });
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onCallerAbort);
    };
    const cut = (why: NonNullable<Flight['cut']>) => {
      flight.cut ??= why;
      end();
      // Not left to the request: one that waits for its proxy would tell nobody.
      reject(new Error('cut'));
      flight.request?.destroy();
    };
    exchange(outgoing, flight, client).then(resolve, reject).finally(end);
  });
}

async function exchange(outgoing: Outgoing, flight: Flight, client: Client): Promise<HttpAnswer | NoAnswer> {
  const axios = await client();
  if (flight.cut !== null) throw new Error('cut');
  const { method, url, headers, body: data } = outgoing;
  const secure = url.protocol === 'https:';
  const response = await axios.request<Readable>({
    method,
    url: url.href,
    headers,
    data,
    transport: watched(secure, flight),
    // A proxy of the environment sees only a tunnel of an https request; a plain one it would read, token and all.
    ...(secure ? {} : { proxy: false }),
  });
  const declared = Number(flight.headers['content-length'] ?? 0);
  const body =
    declared > outgoing.bodyBytesMax
      ? tooLarge(response.data)
      : await readBody(response.data, flight, outgoing);
  if (body === null) {
    return {
      kind: 'none',
      why: 'tooLarge',
      reason: `the answer is larger than ${outgoing.bodyBytesMax} bytes`,
      hint: null,
      reached: true,
      bodyBytes: flight.bodyBytes,
    };
  }
  return {
    kind: 'answer',
    status: response.status,
    headers: flight.headers,
    // toString would put U+FFFD in the place of broken bytes, and a broken name would be mirrored as if it were one.
    text: isUtf8(body) ? body.toString('utf8') : null,
    bodyBytes: body.length,
  };
}

/** The transport that axios would use, with an eye on the socket: only it knows whether a connection was made. */
function watched(secure: boolean, flight: Flight) {
  const { request } = secure ? https : http;
  return {
    request(options: http.RequestOptions, onResponse: (response: http.IncomingMessage) => void) {
      const outgoing = request(options, (response) => {
        flight.headers = response.headers;
        onResponse(response);
      });
      flight.request = outgoing;
      outgoing.once('socket', (socket: Socket) => {
        const reach = () => {
          flight.reached = true;
        };
        if (socket.connecting) socket.once(secure ? 'secureConnect' : 'connect', reach);
        else reach();
      });
      return outgoing;
    },
  };
}

function tooLarge(stream: Readable): null {
  // Destroying may itself report an error, which nobody waits for any more.
  stream.on('error', () => undefined).destroy();
  return null;
}

/** All bytes of the answer, or null when there are more than the bound. */
function readBody(stream: Readable, flight: Flight, outgoing: Outgoing): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => {
      flight.bodyBytes += chunk.length;
      if (flight.bodyBytes > outgoing.bodyBytesMax) resolve(tooLarge(stream));
      else chunks.push(chunk);
    });
    stream.on('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    stream.on('error', reject);
    stream.on('close', () => {
      if (!stream.readableEnded) reject(Object.assign(new Error('closed'), { code: 'ECONNRESET' }));
    });
  });
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection closed by the other side',
  EPIPE: 'connection closed by the other side',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name server does not answer',
  EHOSTUNREACH: 'host not reachable',
  ENETUNREACH: 'network not reachable',
  ETIMEDOUT: 'the connection timed out',
};

const UNTRUSTED = /CERT|SELF_SIGNED|ALTNAME|UNABLE_TO/;
/** What axios and Node say when the request itself is wrong: a bug of ours, to be heard and not repeated. */
const BUG =
  /^ERR_(?:BAD_OPTION|BAD_OPTION_VALUE|BAD_REQUEST|INVALID_|NOT_SUPPORT|UNESCAPED|HTTP_INVALID|OUT_OF_RANGE)/;

function explain(error: unknown, flight: Flight, outgoing: Outgoing): NoAnswer {
  const common = { kind: 'none', hint: null, reached: flight.reached, bodyBytes: flight.bodyBytes } as const;
  if (flight.cut === 'connect') {
    return { ...common, why: 'timeout', reason: `no connection within ${outgoing.connectTimeoutMs} ms` };
  }
  if (flight.cut === 'timeout') {
    return { ...common, why: 'timeout', reason: `no whole answer within ${outgoing.timeoutMs} ms` };
  }
  const { code, message } = readFailure(error);
  if (code === null || BUG.test(code)) throw new Error(`the request could not be made: ${code ?? message}`);
  const untrusted = UNTRUSTED.test(code);
  return {
    ...common,
    why: 'network',
    reason: untrusted ? `the server's certificate is not trusted (${code})` : (REASONS[code] ?? code),
    hint: untrusted ? 'Name the authority that signed it in NODE_EXTRA_CA_CERTS, or renew it.' : null,
  };
}

function readFailure(error: unknown): { readonly code: string | null; readonly message: string } {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  return {
    code: typeof code === 'string' && code !== '' ? code : null,
    message: typeof message === 'string' ? message.slice(0, 200) : 'unknown error',
  };
}
