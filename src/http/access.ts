/**
 * Who may look. Beyond loopback there is a token: a program sends it as a bearer token, a browser gives it once and
 * keeps a cookie that only this face understands. A page elsewhere that points its name at us (DNS rebinding) is
 * known by its Host, one that posts to us by its Origin. Pure but for the token's source.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { isLoopback } from '../../config/addresses.ts';

export const SESSION_SECONDS = 30 * 86_400;
const COOKIE = 'mirror_session';

export interface Asking {
  readonly method: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/**
 * Is the Host one by which this machine may be called? Any address is: rebinding needs a name. `known` are further
 * names, such as the one it listens on.
 */
export function isKnownHost(header: string | undefined, known: readonly string[]): boolean {
  const host = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/@]+))(?::\d{1,5})?$/.exec(header ?? '');
  const name = (host?.[1] ?? host?.[2] ?? '').toLowerCase().replace(/\.$/, '');
  if (name === '') return false;
  if (isIP(name) !== 0 || isLoopback(name)) return true;
  return [hostname(), ...known].some((one) => one.toLowerCase() === name);
}

/** Does a request that may change something come from our own pages, or from no page at all? */
export function isOwnOrigin({ method, headers }: Asking): boolean {
  if (method === 'GET' || method === 'HEAD') return true;
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false;
  const { origin } = headers;
  if (origin === undefined) return true;
  return typeof origin === 'string' && URL.canParse(origin) && new URL(origin).host === headers.host;
}

/** Has the request the token, as bearer or by its cookie? */
export function hasToken({ headers }: Asking, token: string, nowMs: number): boolean {
  const { authorization, cookie } = headers;
  const bearer = typeof authorization === 'string' ? /^Bearer +(\S+)$/i.exec(authorization)?.[1] : undefined;
  if (bearer !== undefined) return isSame(bearer, token);
  const sessions = typeof cookie === 'string' ? cookie.split(/; */) : [];
  return sessions.some((pair) => {
    const [name, value = ''] = pair.split('=');
    return name === COOKIE && isSession(value, token, nowMs);
  });
}

/** The words of a Set-Cookie that lets a browser in; a changed token ends it. */
export function sessionCookie(token: string, nowMs: number, isHttps: boolean): string {
  const until = String(nowMs + SESSION_SECONDS * 1000);
  const value = `${until}.${signatureOf(until, token)}`;
  const secure = isHttps ? '; Secure' : '';
  return `${COOKIE}=${value}; Path=/; Max-Age=${SESSION_SECONDS}; HttpOnly; SameSite=Strict${secure}`;
}

/** Compared in a time that tells nothing about where they differ. */
export function isSame(given: string, token: string): boolean {
  const digest = (text: string) => createHmac('sha256', 'compare').update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}

function isSession(value: string, token: string, nowMs: number): boolean {
  const [until = '', signature = ''] = value.split('.');
  return /^\d+$/.test(until) && isSame(signature, signatureOf(until, token)) && Number(until) > nowMs;
}

function signatureOf(until: string, token: string): string {
  return createHmac('sha256', token).update(`session until ${until}`).digest('base64url');
}
