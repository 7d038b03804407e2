import { describe, expect, it } from 'vitest';
import { redirectTarget } from '../../src/api/answer.ts';

const FROM = new URL('http://api.example.com/base/clients?$top=1');
const leadsTo = (location: string | undefined) =>
  redirectTarget({ kind: 'answer', status: 302, headers: { location }, text: '', bodyBytes: 0 }, FROM)
    ?.href ?? null;

describe('redirectTarget', () => {
  it('is an address of the web, without a user name', () => {
    expect(leadsTo('/login')).toBe('http://api.example.com/login');
    expect(leadsTo('https://me:word@other.example/')).toBe('https://other.example/');
  });

  it('is nowhere where nothing can be asked, whatever its origin is said to be', () => {
    // The origin of the first is the one that we came from.
    expect(leadsTo('blob:http://api.example.com/base/clients')).toBeNull();
    expect(leadsTo('data:application/json,[]')).toBeNull();
    expect(leadsTo('file:///etc/hostname')).toBeNull();
    expect(leadsTo('http://a b')).toBeNull();
    expect(leadsTo(undefined)).toBeNull();
  });
});
