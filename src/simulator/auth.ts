/** Bearer tokens: which are accepted, and whether one has run out. The signature is nobody's business here. */
import { problem } from './answer.ts';

export interface Auth {
  accept(tokens: readonly string[]): void;
  /** @throws HttpProblem 401 */
  check(authorization: string | undefined): void;
}

export function createAuth(tokens: readonly string[], clock: () => number): Auth {
  let accepted = new Set(tokens);
  return {
    accept(next) {
      accepted = new Set(next);
    },
    check(authorization) {
      const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
      if (token === undefined) throw problem(401, { 'www-authenticate': 'Bearer' });
      if (!accepted.has(token)) {
        const why = 'error="invalid_token", error_description="The signature is invalid"';
        throw problem(401, { 'www-authenticate': `Bearer ${why}` });
      }
      const expiresMs = readExpiry(token);
      if (expiresMs !== null && expiresMs <= clock()) {
        const why = 'error="invalid_token", error_description="The token is expired"';
        throw problem(401, { 'www-authenticate': `Bearer ${why}` });
      }
    },
  };
}

/** A well-formed JWT that nobody signed. @param expiresMs milliseconds since 1970 */
export function makeToken(subject: string, expiresMs: number): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const payload = { sub: subject, iss: 'clients-mirror simulator', exp: Math.floor(expiresMs / 1000) };
  return `${part({ alg: 'none', typ: 'JWT' })}.${part(payload)}.${Buffer.from('unsigned').toString('base64url')}`;
}

/** Milliseconds since 1970; null for a token that is no JWT or never runs out. */
function readExpiry(token: string): number | null {
  const payload = token.split('.')[1];
  if (payload === undefined) return null;
  try {
    const { exp } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { exp?: unknown };
    return typeof exp === 'number' ? exp * 1000 : null;
  } catch {
    return null;
  }
}
