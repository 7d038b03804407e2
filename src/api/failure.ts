/**
 * The rows of the error table that speak of HTTP: an answer, or the lack of one, becomes a SyncError, and
 * nothing else decides what a status means. Pure.
 */
import { type ErrorCode, type ErrorDetails, SyncError } from '../errors.ts';
import type { NoAnswer } from './attempt.ts';

export interface Refusal {
  readonly method: string;
  /** `GET host/path`: how messages name the request. Holds no query. */
  readonly where: string;
  readonly status: number;
  /** Was it a request for one client by id? */
  readonly oneClient: boolean;
  /** The server's own words, already redacted and cut. */
  readonly words: string;
  readonly retryAfterMs: number | null;
}

/**
 * The error for an answer that is neither a success nor an outcome the caller asked for. The message, which ends in
 * logs and queues, has the server's words on a read, which speak of the query; those on a write may quote what was
 * written and stay in `details.body`.
 */
export function refusalError(refusal: Refusal): SyncError {
  const { method, where, status, words, retryAfterMs } = refusal;
  const code = codeOf(refusal);
  const said = words === '' || method !== 'GET' ? '' : `: ${words}`;
  const hint = hintOf(code, method, status);
  const details: ErrorDetails = {
    status,
    ...(words === '' ? {} : { body: words }),
    ...(retryAfterMs === null ? {} : { retryAfterMs }),
    ...(hint === null ? {} : { hint }),
  };
  return new SyncError(code, `${where} answered ${status}${said}`, details);
}

function codeOf({ method, status, oneClient }: Refusal): ErrorCode {
  const isWrite = method !== 'GET';
  if (status === 429) return 'THROTTLED';
  if (status === 408) return 'TIMEOUT';
  if (status === 425 || status >= 500) return 'SERVER';
  if (status === 401) return 'AUTH';
  if (status === 403) return 'DENIED';
  if (status === 405) return 'NOT_SUPPORTED';
  if (status === 404 && oneClient) return 'GONE';
  if (isWrite && [400, 409, 412, 422].includes(status)) return 'REFUSED';
  return 'UNLISTED';
}

function hintOf(code: ErrorCode, method: string, status: number): string | null {
  if (code === 'DENIED' && method !== 'GET') {
    return 'The token lacks the right to change this client: ask for one that has it.';
  }
  if (status === 404 && code === 'UNLISTED')
    return 'Check the path in CLIENTS_API_URL: `/clients` is appended.';
  return null;
}

/** The error for a request that got no answer. */
export function silenceError(where: string, silence: NoAnswer): SyncError {
  const codes = { timeout: 'TIMEOUT', network: 'NETWORK', tooLarge: 'BODY_TOO_LARGE' } as const;
  const details = silence.hint === null ? {} : { hint: silence.hint };
  return new SyncError(codes[silence.why], `${where}: ${silence.reason}`, details);
}

/** The same error, saying also that the write may have happened. */
export function mayHaveTakenEffect(error: SyncError): SyncError {
  return new SyncError(error.code, error.message, { ...error.details, mayHaveTakenEffect: true });
}
