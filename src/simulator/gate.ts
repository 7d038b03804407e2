/** The faults that answer before the request is looked at: throttled, failing, refused, sent elsewhere. */
import { type Answer, emptyAnswer, problemAnswer } from './answer.ts';
import type { FaultSwitch, RequestKind } from './faults.ts';
import { clientIdOf } from './routes.ts';

export interface GateRequest {
  readonly kind: RequestKind;
  readonly path: string;
  /** Path and query as they came, base path included. */
  readonly target: string;
}

/** The answer of the fault that strikes; null lets the request through. */
export function answerAtGate(request: GateRequest, faultSwitch: FaultSwitch, nowMs: number): Answer | null {
  const { kind } = request;
  const redirect = faultSwitch.strikes('redirect', kind);
  if (redirect !== null) return emptyAnswer(307, { location: `${redirect.to}${request.target}` });
  const throttle = faultSwitch.strikes('throttle', kind);
  if (throttle !== null) {
    const { retryAfter = 'seconds', seconds = 1 } = throttle;
    if (retryAfter === 'none') return problemAnswer(429);
    const date = new Date(nowMs + seconds * 1000).toUTCString();
    return problemAnswer(429, { 'retry-after': retryAfter === 'date' ? date : String(seconds) });
  }
  const error = faultSwitch.strikes('serverError', kind);
  if (error !== null) {
    const wait: Record<string, string> =
      error.seconds === undefined ? {} : { 'retry-after': String(error.seconds) };
    return problemAnswer(error.status ?? 500, wait);
  }
  if (faultSwitch.strikes('unauthorized', kind) !== null) {
    return problemAnswer(401, { 'www-authenticate': 'Bearer error="invalid_token"' });
  }
  const denied = kind === 'list' ? faultSwitch.strikes('denyLists', kind) : null;
  if (denied !== null) return problemAnswer(denied.status ?? 403);
  const id = clientIdOf(request.path);
  return id !== undefined && faultSwitch.faults.denyClients?.includes(id) ? problemAnswer(403) : null;
}
