/**
 * One attempt at one request: a slot, the gate, the token, redirects within the origin, and the verdict on
 * what came back. It also keeps the course of the request: whether a write may have taken effect by now.
 */
import type { Clock } from '../clock.ts';
import { SyncError } from '../errors.ts';
import type { Emit } from '../events.ts';
import { type Answer, isRedirect, parseBody, redirectTarget } from './answer.ts';
import type { HttpAnswer, NoAnswer, Sender } from './attempt.ts';
import type { Body, CallOptions } from './endpoints.ts';
import { refusalError, silenceError } from './failure.ts';
import { parseHttpDate } from './httpDate.ts';
import { type Gate, parseRetryAfterMs, tooLongToWait, WAIT_MS_MAX } from './retry.ts';
import type { Slots } from './slots.ts';
import { isHtml, oneLine, serverWords } from './words.ts';

export interface RequestSpec extends CallOptions {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the base URL, encoded, beginning with a slash. Stands in events and errors, so it holds no query. */
  readonly path: string;
  /** Encoded, without the question mark. */
  readonly query?: string;
  readonly body?: Body;
  /** Is it about one client by id? Then a 404 of a GET is an outcome, and of a write GONE. */
  readonly oneClient?: boolean;
  /** What is wrong with the JSON of a success, in words that go behind "answered"; null: nothing. */
  readonly check?: (data: unknown) => string | null;
}

/** What every attempt of the process shares. */
export interface SendContext {
  /** The base URL, without a slash at its end. */
  readonly base: string;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly sender: Sender;
  readonly slots: Slots;
  readonly gate: Gate;
  currentToken(): Promise<string>;
  rereadToken(): Promise<void>;
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly bodyBytesMax: number;
  readonly userAgent: string;
}

/** What has happened to one request so far. */
export interface Course {
  /** `GET host/path`: how messages name the request. */
  readonly where: string;
  attempt: number;
  /** It met a 401, and the token was read again. */
  reauthorized: boolean;
  /** An attempt may have taken effect although we have no answer that says so. */
  lost: boolean;
  /** Its deadline leaves no time for another attempt. */
  tooLate: boolean;
  /** Time it was told to wait by the server. */
  throttledMs: number;
}

const REDIRECTS_MAX = 5;
/** Names of fields whose values must not come back to us in a message. */
const SECRET_NAME = /token|secret|password/i;

/** @throws SyncError by the error table; the signal's reason when it is aborted. */
export async function attempt(context: SendContext, spec: RequestSpec, course: Course): Promise<Answer> {
  course.attempt += 1;
  const release = await context.slots.acquire(spec.signal);
  try {
    for (;;) {
      await passGate(context, spec, course);
      const token = await context.currentToken();
      const sent = await sendFollowing(context, spec, course, token);
      // Once, whether or not the token changed: some servers answer a stray 401.
      if (sent.kind === 'none' || sent.status !== 401 || course.reauthorized) {
        return judge(context, spec, course, { sent, token });
      }
      course.reauthorized = true;
      await context.rereadToken();
    }
  } finally {
    release();
  }
}

/** Where the gate opens only past the deadline there is nothing to wait for. */
async function passGate(context: SendContext, spec: RequestSpec, course: Course): Promise<void> {
  course.tooLate = spec.deadlineMs !== undefined && context.gate.opensAtMs() >= spec.deadlineMs;
  if (course.tooLate) {
    throw new SyncError('TIMEOUT', `${course.where}: its time is up before the API takes requests again`);
  }
  await context.gate.pass(course.where, spec.signal);
}

/** Follows redirects within the origin, for reads only: a redirected write was sent to a wrong address. */
async function sendFollowing(context: SendContext, spec: RequestSpec, course: Course, token: string) {
  let url = new URL(`${context.base}${spec.path}${spec.query ? `?${spec.query}` : ''}`);
  for (let hop = 0; hop <= REDIRECTS_MAX; hop += 1) {
    const sent = await sendOnce(context, spec, course, { url, token });
    if (sent.kind === 'none' || !isRedirect(sent.status)) return sent;
    // 301 to 303 may follow upon a deed; 307 and 308 say that nothing was done.
    course.lost ||= sent.status < 304;
    url = nextHop(spec, course, sent, { from: url, token });
  }
  throw new SyncError('UNLISTED', `${course.where} redirects more than ${REDIRECTS_MAX} times`);
}

function nextHop(
  spec: RequestSpec,
  course: Course,
  answer: HttpAnswer,
  hop: { readonly from: URL; readonly token: string },
): URL {
  const { from, token } = hop;
  const target = redirectTarget(answer, from);
  const { status } = answer;
  if (target !== null && target.origin !== from.origin) {
    // A host is written in small letters, also where it is made of the token.
    const origin = oneLine(target.origin, [token, token.toLowerCase()]);
    const message = `${course.where} answered ${status}, a redirect to another origin, ${origin}`;
    throw new SyncError('FOREIGN_ORIGIN', message, { status });
  }
  if (target !== null && spec.method === 'GET') return target;
  const what = target === null ? 'a redirect to nowhere' : 'a redirect, which is not followed for a write';
  throw new SyncError('UNLISTED', `${course.where} answered ${status}, ${what}`, {
    status,
    hint: 'Set CLIENTS_API_URL to the final address.',
  });
}

async function sendOnce(
  context: SendContext,
  spec: RequestSpec,
  course: Course,
  how: { readonly url: URL; readonly token: string },
): Promise<HttpAnswer | NoAnswer> {
  const startedMs = context.clock.now();
  const leftMs = (spec.deadlineMs ?? Number.POSITIVE_INFINITY) - startedMs;
  if (leftMs <= 0) throw new SyncError('TIMEOUT', `${course.where}: its time was up before it was sent`);
  const sent = await context.sender.send({
    method: spec.method,
    url: how.url,
    headers: headersOf(spec, how.token, context.userAgent),
    body: spec.body === undefined ? undefined : JSON.stringify(spec.body),
    timeoutMs: Math.min(context.timeoutMs, leftMs),
    connectTimeoutMs: context.connectTimeoutMs,
    bodyBytesMax: context.bodyBytesMax,
    freshSocket: spec.method === 'POST',
    signal: spec.signal,
  });
  context.emit({
    type: 'requestDone',
    method: spec.method,
    path: spec.path,
    status: sent.kind === 'answer' ? sent.status : null,
    durationMs: context.clock.now() - startedMs,
    bodyBytes: sent.bodyBytes,
  });
  return sent;
}

function headersOf(spec: RequestSpec, token: string, userAgent: string): Record<string, string> {
  return {
    Accept: 'application/json',
    Authorization: `Bearer ${token}`,
    'User-Agent': userAgent,
    ...(spec.body === undefined ? {} : { 'Content-Type': 'application/json' }),
    ...(spec.ifMatch === undefined ? {} : { 'If-Match': spec.ifMatch }),
  };
}

/** What came back, and the token that went out for it. */
interface Came<T> {
  readonly sent: T;
  readonly token: string;
}

/** An answer for the caller, or the error that it stands for. */
function judge(
  context: SendContext,
  spec: RequestSpec,
  course: Course,
  came: Came<HttpAnswer | NoAnswer>,
): Answer {
  const { sent, token } = came;
  if (sent.kind === 'none') {
    course.lost ||= sent.reached;
    throw silenceError(course.where, sent);
  }
  const { status, headers } = sent;
  const date = parseHttpDate(headers.date);
  const answer = { status, headers, data: null, date, etag: headers.etag ?? null };
  if (status >= 200 && status < 300) return { ...answer, data: readData(spec, course, { sent, token }) };
  if (status === 404 && spec.oneClient && isOutcome(spec, course, sent)) return answer;
  const { method, oneClient = false } = spec;
  const { where } = course;
  const retryAfterMs = parseRetryAfterMs(headers['retry-after'], date, context.clock.now());
  const words = serverWords(sent.text ?? '', [token, ...secretsOf(spec.body)]);
  const error = refusalError({ method, where, status, oneClient, words, retryAfterMs });
  if (error.retry === 'now') {
    // 429 and 503 say that the request was not taken up; any other may have come after the deed.
    course.lost ||= status !== 429 && status !== 503;
    if (retryAfterMs !== null) context.gate.hold(retryAfterMs);
    if (retryAfterMs !== null && retryAfterMs > WAIT_MS_MAX) {
      throw tooLongToWait(where, context.clock.now(), retryAfterMs);
    }
  }
  throw error;
}

/** Is this 404 on one client what the caller asked to know, or wanted to bring about? */
function isOutcome(spec: RequestSpec, course: Course, sent: HttpAnswer): boolean {
  // The API answers JSON or nothing. An HTML page is a gateway's that knows no such path: it proves nothing.
  if (isHtml(sent.text ?? '')) {
    const message = `${course.where} answered 404 with an HTML page, which says nothing of the client`;
    throw new SyncError('NOT_JSON', message, { status: sent.status });
  }
  // A DELETE sent again finds nothing: the attempt whose answer was lost has done it.
  return spec.method === 'GET' || (spec.method === 'DELETE' && course.lost);
}

function readData(spec: RequestSpec, course: Course, { sent, token }: Came<HttpAnswer>): unknown {
  try {
    const data = parseBody(spec.method, course.where, sent);
    const problem = spec.check?.(data) ?? null;
    if (problem === null) return data;
    const words = oneLine(problem, [token, ...secretsOf(spec.body)]);
    throw new SyncError('NOT_JSON', `${course.where} answered ${words}`, { status: sent.status });
  } catch (error) {
    course.lost = true;
    throw error;
  }
}

function secretsOf(body: Body | undefined): string[] {
  return Object.entries(body ?? {}).flatMap(([name, value]) =>
    SECRET_NAME.test(name) && typeof value === 'string' ? [value] : [],
  );
}
