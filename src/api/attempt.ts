/**
 * One HTTP request, sent once: axios with our own agents, no redirects, no status that throws. What comes
 * back is data: an answer, or why there is none and whether the request can have reached the server.
 *
 * Nothing of axios leaves this file: its errors carry the request's headers, and so the token. Its timers are
 * real ones, not the Clock's: sockets live in real time, and a test that jumps an hour must not cut them.
 */
import { isUtf8 } from 'node:buffer';
import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';

/** Idle sockets are given up before servers commonly do (Node after 5 s, nginx after 75): a request must not meet a dying one. */
const IDLE_SOCKET_MS = 4000;

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
  /** Names in lower case; of repeated ones the joined text. */
  readonly headers: Readonly<Record<string, string>>;
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

/** What is known of one request while it runs. */
interface Flight {
  reached: boolean;
  bodyBytes: number;
  cut: 'timeout' | 'connect' | 'caller' | null;
}

export function createSender(socketsMax: number): Sender {
  const kept = { keepAlive: true, maxSockets: socketsMax, timeout: IDLE_SOCKET_MS };
  const agents = { httpAgent: new http.Agent(kept), httpsAgent: new https.Agent(kept) };
  const once = { httpAgent: new http.Agent(), httpsAgent: new https.Agent() };

  return {
    async send(outgoing) {
      const { signal } = outgoing;
      signal?.throwIfAborted();
      const flight: Flight = { reached: false, bodyBytes: 0, cut: null };
      const controller = new AbortController();
      const cut = (why: NonNullable<Flight['cut']>) => {
        flight.cut ??= why;
        controller.abort();
      };
      const onCallerAbort = () => cut('caller');
      signal?.addEventListener('abort', onCallerAbort, { once: true });
      const wholeTimer = setTimeout(cut, outgoing.timeoutMs, 'timeout');
      const connectTimer = setTimeout(() => {
        if (!flight.reached) cut('connect');
      }, outgoing.connectTimeoutMs);
      try {
        const used = outgoing.freshSocket ? once : agents;
        return await exchange(outgoing, flight, used, controller.signal);
      } catch (error) {
        if (flight.cut === 'caller') signal?.throwIfAborted();
        return explain(error, flight, outgoing);
      } finally {
        clearTimeout(wholeTimer);
        clearTimeout(connectTimer);
        signal?.removeEventListener('abort', onCallerAbort);
      }
    },
    close() {
      for (const agent of [...Object.values(agents), ...Object.values(once)]) agent.destroy();
    },
  };
}

let axiosModule: Promise<typeof import('axios')> | undefined;

/** Loaded by the first request: it takes longer than all the rest of the program, which often sends none. */
async function loadAxios() {
  axiosModule ??= import('axios');
  return (await axiosModule).default;
}

async function exchange(
  outgoing: Outgoing,
  flight: Flight,
  agents: { readonly httpAgent: http.Agent; readonly httpsAgent: https.Agent },
  signal: AbortSignal,
): Promise<HttpAnswer | NoAnswer> {
  const axios = await loadAxios();
  const secure = outgoing.url.protocol === 'https:';
  const response = await axios.request<Readable>({
    ...agents,
    method: outgoing.method,
    url: outgoing.url.href,
    headers: outgoing.headers,
    data: outgoing.body,
    signal,
    // A proxy of the environment sees only a tunnel of an https request; a plain one it would read, token and all.
    ...(secure ? {} : { proxy: false }),
    responseType: 'stream',
    maxRedirects: 0,
    maxBodyLength: Number.POSITIVE_INFINITY,
    validateStatus: null,
    transformRequest: [],
    transformResponse: [],
    transport: watched(secure, flight),
  });
  const declared = Number(response.headers['content-length'] ?? 0);
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
    headers: plainHeaders(response.headers as Readonly<Record<string, unknown>>),
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
      const outgoing = request(options, onResponse);
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
    stream.on('close', () => reject(Object.assign(new Error('closed'), { code: 'ECONNRESET' })));
  });
}

function plainHeaders(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  const entries = Object.entries(headers).map(
    ([name, value]) => [name.toLowerCase(), String(value)] as const,
  );
  return Object.fromEntries(entries);
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
