import { describe, expect, it } from 'vitest';
import { serverWords } from '../../src/api/words.ts';

const words = (body: unknown) => serverWords(typeof body === 'string' ? body : JSON.stringify(body), []);

describe('serverWords', () => {
  it('reads ProblemDetails with its field errors', () => {
    const problem = {
      type: 'https://tools.ietf.org/html/rfc9110#section-15.5.1',
      title: 'One or more validation errors occurred.',
      status: 400,
      detail: 'See errors.',
      errors: { Email: ['The Email field is required.', 'It is not valid.'], fico: ['Too high.'] },
    };
    expect(words(problem)).toBe(
      'One or more validation errors occurred. · See errors. · Email: The Email field is required. It is not valid. · fico: Too high.',
    );
  });

  it('reads an OData error with its details', () => {
    const error = {
      code: '',
      message: 'The query is not valid.',
      details: [{ message: 'No such property.' }],
    };
    expect(words({ error })).toBe('The query is not valid. · No such property.');
  });

  it('reads the plain messages of other servers', () => {
    expect(words({ Message: 'Denied' })).toBe('Denied');
    expect(words({ error: 'invalid_token' })).toBe('invalid_token');
    expect(words('"just a string"')).toBe('just a string');
    expect(words('Too many requests')).toBe('Too many requests');
    expect(words({ errors: ['one', { message: 'two' }] })).toBe('one · two');
    expect(words({ unexpected: 1, email: 'ann@example.com' })).toBe('a JSON object with unexpected, email');
    expect(words([{ email: 'ann@example.com' }])).toBe('a JSON array');
    expect(words('')).toBe('');
  });

  it('tells a page by its title alone', () => {
    expect(words('<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head>…')).toBe(
      'an HTML page: 502 Bad Gateway',
    );
    expect(words('<html><body>x</body></html>')).toBe('an HTML page');
  });

  it('keeps to one line of 500 characters without control characters', () => {
    expect(words('a\r\n\u001b[31mred\u0000')).toBe('a [31mred');
    expect(words('x'.repeat(2000))).toHaveLength(500);
    expect(words(`${'x'.repeat(498)}😀😀`).isWellFormed()).toBe(true);
  });

  it('takes out known secrets and anything like a JWT', () => {
    const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln';
    expect(serverWords(`bad token s3cret-token and ${jwt}`, ['s3cret-token'])).toBe(
      'bad token [secret] and [secret]',
    );
  });

  it('shows no secret that the server spells in another way', () => {
    const secret = 's3cret+to/ken<';
    for (const spelt of [
      's3cret\\u002Bto/ken\\u003c',
      's3cret+to\\/ken<',
      's3cret%2Bto%2fken%3C',
      's3cret+to/ken&lt;',
      's3cret&#43;to&#x2F;ken&lt;',
    ]) {
      expect(serverWords(`token: ${spelt}`, [secret])).toBe('[secret]');
    }
    expect(serverWords('token: s3cret\\u002Bto', [secret])).toContain('s3cret');
  });

  it('shows no half of a secret that lies across the end of what is looked at', () => {
    expect(serverWords(`${' '.repeat(19_995)}s3cret-token`, ['s3cret-token'])).toBe('[secret]');
    expect(serverWords(`no${'\0'.repeat(19_995)}s3cret-token`, ['s3cret-token'])).toBe('no [secret]');
  });

  it('knows a JWT behind an encoded quote', () => {
    expect(words('token=%22eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0%22')).toBe('token=%22[secret]%22');
  });

  it('is always well-formed text', () => {
    expect(words('"\\ud800 half a letter"').isWellFormed()).toBe(true);
  });
});
