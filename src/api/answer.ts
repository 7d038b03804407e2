/**
 * What an HTTP answer says: the JSON in it, where it redirects to, when it was given. Pure, and deaf to
 * content types: servers label JSON as they like, and a login page may be labelled JSON.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Instant } from '../clients/instant.ts';
import { SyncError } from '../errors.ts';
import type { HttpAnswer } from './attempt.ts';
import { isHtml } from './words.ts';

/** An answer that the caller asked for: a success, or a status that it takes as an outcome. */
export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<IncomingHttpHeaders>;
  /** The parsed body; null when it is empty, or the answer is an outcome and not a success. */
  readonly data: unknown;
  /** The `Date` header, to the second. */
  readonly date: Instant | null;
  readonly etag: string | null;
}

const REDIRECTS = [301, 302, 303, 307, 308];

export function isRedirect(status: number): boolean {
  return REDIRECTS.includes(status);
}

/** Where on the web a redirect leads, without any user name in it; null when it does not say, or says nonsense. */
export function redirectTarget(answer: HttpAnswer, from: URL): URL | null {
  const location = answer.headers.location;
  if (location === undefined || !URL.canParse(location, from.href)) return null;
  const target = new URL(location, from);
  // The origin of a `blob:` URL is that of the URL in it, so by its origin it could pass for one of ours.
  if (target.protocol !== 'https:' && target.protocol !== 'http:') return null;
  target.username = '';
  target.password = '';
  return target;
}

/**
 * The JSON of a successful answer. Only a read must have a body; of a DELETE's answer any text will do.
 * @throws SyncError NOT_JSON, which never quotes the body.
 */
export function parseBody(method: string, where: string, answer: HttpAnswer): unknown {
  const text = answer.text?.replace(/^\uFEFF/, '').trim();
  if (text === '' && method !== 'GET') return null;
  if (text !== undefined && text !== '') {
    try {
      return JSON.parse(text);
    } catch {
      if (method === 'DELETE' && !isHtml(text)) return null;
    }
  }
  throw new SyncError('NOT_JSON', `${where} answered ${answer.status} with ${describe(text)}`, {
    status: answer.status,
  });
}

function describe(text: string | undefined): string {
  if (text === undefined) return 'bytes that are not UTF-8 text';
  if (text === '') return 'an empty body';
  if (isHtml(text)) return 'an HTML page instead of JSON';
  return /^[[{]/.test(text) ? 'JSON that breaks off or is damaged' : 'text that is not JSON';
}
