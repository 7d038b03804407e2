/** Who may look at the HTTP face. */
import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { hasToken, isKnownHost, isOwnOrigin, SESSION_SECONDS, sessionCookie } from '../../src/http/access.ts';

describe('isKnownHost', () => {
  it.each([
    '127.0.0.1:8080',
    'localhost',
    'LOCALHOST:80',
    '[::1]:8080',
    '10.0.0.7:8080',
    hostname(),
    'mirror.internal:1',
  ])('takes %s', (host) => {
    expect(isKnownHost(host, ['mirror.internal'])).toBe(true);
  });

  it.each([
    undefined,
    '',
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example:80',
    'a@localhost',
  ])('refuses %s', (host) => {
    expect(isKnownHost(host, ['mirror.internal'])).toBe(false);
  });
});

describe('isOwnOrigin', () => {
  const post = (headers: Record<string, string>) => isOwnOrigin({ method: 'POST', headers });

  it('lets programs and our own pages change things, and no other site', () => {
    expect(post({ host: '127.0.0.1:8080' })).toBe(true);
    expect(post({ host: '127.0.0.1:8080', origin: 'http://127.0.0.1:8080' })).toBe(true);
    expect(post({ host: '127.0.0.1:8080', origin: 'http://evil.example' })).toBe(false);
    expect(post({ host: '127.0.0.1:8080', origin: 'null' })).toBe(false);
    expect(post({ host: '127.0.0.1:8080', 'sec-fetch-site': 'cross-site' })).toBe(false);
  });
});

describe('hasToken', () => {
  const asks = (headers: Record<string, string>) => ({ method: 'GET', headers });
  const nowMs = 1_700_000_000_000;
  const cookie = sessionCookie('secret-token', nowMs, false).split(';')[0] ?? '';

  it('takes the bearer token, whatever its case, and no other', () => {
    expect(hasToken(asks({ authorization: 'bearer secret-token' }), 'secret-token', nowMs)).toBe(true);
    expect(hasToken(asks({ authorization: 'Bearer secret-tokem' }), 'secret-token', nowMs)).toBe(false);
    expect(hasToken(asks({}), 'secret-token', nowMs)).toBe(false);
  });

  it('takes the cookie until it ends, or the token changes', () => {
    const beside = asks({ cookie: `other=1; ${cookie}` });
    expect(hasToken(beside, 'secret-token', nowMs)).toBe(true);
    expect(hasToken(beside, 'another-token', nowMs)).toBe(false);
    expect(hasToken(beside, 'secret-token', nowMs + SESSION_SECONDS * 1000)).toBe(false);
    const later = cookie.replace(/=\d/, '=9');
    expect(hasToken(asks({ cookie: later }), 'secret-token', nowMs)).toBe(false);
  });

  it('keeps the cookie from scripts and other sites, and the token out of it', () => {
    const words = sessionCookie('secret-token', nowMs, true);
    expect(words).toContain('HttpOnly; SameSite=Strict; Secure');
    expect(words).not.toContain('secret-token');
  });
});
