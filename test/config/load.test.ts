import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadConfig, type Sources } from '../../config/load.ts';
import { createRedactor } from '../../config/redact.ts';
import { flagOf, SETTINGS } from '../../config/settings.ts';
import { SyncError } from '../../src/errors.ts';

function messageOf(sources: Partial<Sources>): string {
  try {
    loadConfig({ env: {}, ...sources });
  } catch (error) {
    expect(error).toBeInstanceOf(SyncError);
    expect((error as SyncError).code).toBe('SETTINGS');
    expect((error as SyncError).exit).toBe(2);
    return (error as SyncError).message;
  }
  return 'nothing was wrong';
}

function fromEnv(name: string, value: string): string {
  return messageOf({ env: { [name]: value } });
}

const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl';

describe('loadConfig', () => {
  it('has the defaults of the contract, frozen', () => {
    const config = loadConfig({ env: {} });
    expect(config).toEqual({
      apiUrl: null,
      apiToken: null,
      apiTokenFile: null,
      warehouse: { kind: 'sqlite', path: 'data/clients.db' },
      schema: 'public',
      redisUrl: 'redis://127.0.0.1:6379',
      pageSize: 1000,
      concurrency: 4,
      lookbackSeconds: 300,
      conflicts: 'remote',
      push: true,
      pushDeletes: false,
      ownerId: null,
      excludeFields: ['loginToken'],
      pullSeconds: 60,
      pushSeconds: 5,
      reconcileCron: '0 3 * * *',
      keepDays: 30,
      listenUrl: null,
      httpAddress: { host: '127.0.0.1', port: 8080 },
      httpHosts: null,
      httpToken: null,
      httpTokenFile: null,
    });
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.excludeFields)).toBe(true);
  });

  it('lets flags win over the environment, and the environment over the file', () => {
    const file = { path: 'a.env', text: 'MIRROR_PAGE_SIZE=10\nMIRROR_CONCURRENCY=2\nMIRROR_KEEP_DAYS=7' };
    const env = { MIRROR_PAGE_SIZE: '20', MIRROR_CONCURRENCY: '3' };
    const config = loadConfig({ env, file, flags: { pageSize: '30' } });
    expect([config.pageSize, config.concurrency, config.keepDays]).toEqual([30, 3, 7]);
  });

  it('takes an empty variable for one that is not set, except where empty has a meaning', () => {
    const config = loadConfig({
      env: {
        MIRROR_OWNER_ID: '',
        MIRROR_PAGE_SIZE: ' ',
        MIRROR_EXCLUDE_FIELDS: '',
        MIRROR_RECONCILE_CRON: '',
      },
    });
    expect(config.ownerId).toBeNull();
    expect(config.pageSize).toBe(1000);
    expect(config.excludeFields).toEqual([]);
    expect(config.reconcileCron).toBeNull();
  });

  it('reads seconds with a unit, uuids and words in any case', () => {
    const config = loadConfig({
      env: {
        MIRROR_LOOKBACK_SECONDS: '10m',
        MIRROR_OWNER_ID: '3F2504E0-4F89-41D3-9A0C-0305E82C3301',
        MIRROR_CONFLICTS: 'Manual',
        MIRROR_PUSH: 'FALSE',
        CLIENTS_API_URL: 'https://api.example.com/homedashboard/',
        HTTP_ADDRESS: '[::1]:0',
        HTTP_HOSTS: 'Mirror.Example.com, mirror.internal,',
      },
    });
    expect(config.lookbackSeconds).toBe(600);
    expect(config.ownerId).toBe('3f2504e0-4f89-41d3-9a0c-0305e82c3301');
    expect(config.conflicts).toBe('manual');
    expect(config.push).toBe(false);
    expect(config.apiUrl).toBe('https://api.example.com/homedashboard');
    expect(config.httpAddress).toEqual({ host: '::1', port: 0 });
    expect(config.httpHosts).toEqual(['mirror.example.com', 'mirror.internal']);
  });

  it.each([
    ['MIRROR_PAGE_SIZE', '1', 'must be a whole number from 2 to 50000; it is "1"'],
    ['MIRROR_PAGE_SIZE', '1e3', 'must be a whole number'],
    ['MIRROR_CONCURRENCY', '-1', 'must be a whole number'],
    ['MIRROR_LOOKBACK_SECONDS', '5 weeks', 'must be seconds'],
    ['MIRROR_CONFLICTS', 'both', 'must be remote, local or manual'],
    ['MIRROR_PUSH', 'maybe', 'must be true or false'],
    ['MIRROR_OWNER_ID', 'me', 'must be a uuid'],
    ['MIRROR_SCHEMA', 'a;drop', 'must be a name'],
    ['MIRROR_SCHEMA', 'pg_mine', 'must be a name'],
    ['MIRROR_SCHEMA', 'a" CASCADE; --', 'must be a name'],
    ['MIRROR_EXCLUDE_FIELDS', 'id', 'cannot leave out id'],
    ['MIRROR_EXCLUDE_FIELDS', 'fico,createdOn', 'cannot leave out createdOn'],
    ['MIRROR_EXCLUDE_FIELDS', "fax') OR true --", 'must hold names of letters'],
    ['MIRROR_EXCLUDE_FIELDS', 'fax" = NULL --', 'must hold names of letters'],
    ['MIRROR_EXCLUDE_FIELDS', 'loginTokn', 'did you mean loginToken?'],
    ['MIRROR_EXCLUDE_FIELDS', 'login_token', 'did you mean loginToken?'],
    ['MIRROR_EXCLUDE_FIELDS', 'email', 'set MIRROR_PUSH=false'],
    ['MIRROR_EXCLUDE_FIELDS', 'externalId', 'set MIRROR_PUSH=false'],
    ['MIRROR_RECONCILE_CRON', '3am', 'must have five fields'],
    ['MIRROR_RECONCILE_CRON', '0 24 * * *', 'has a wrong hour'],
    ['MIRROR_RECONCILE_CRON', '0 3 * * 1-0', 'has a wrong day of week'],
    ['HTTP_HOSTS', 'mirror.example.com:443', 'without scheme, port or path'],
    ['HTTP_HOSTS', '*', 'without scheme, port or path'],
    ['CLIENTS_API_URL', 'api.example.com', 'must be a URL'],
    ['CLIENTS_API_URL', 'ftp://api.example.com', 'must be a URL'],
    ['CLIENTS_API_URL', 'https://api.example.com/?a=1', 'must not hold a query'],
    ['CLIENTS_API_TOKEN', 'Bearer abc', 'leave out the word Bearer'],
    ['CLIENTS_API_TOKEN', 'a b', 'holds a space'],
    ['WAREHOUSE_URL', 'mysql://x/y', 'must be sqlite:PATH or postgres://'],
    ['WAREHOUSE_URL', 'sqlite:', 'must name a file'],
    ['WAREHOUSE_URL', 'sqlite::memory:', 'must name a file'],
    ['WAREHOUSE_URL', 'sqlite://data/x.db', 'without slashes before the path'],
    ['WAREHOUSE_LISTEN_URL', 'postgres://h/d', 'is for Postgres, and WAREHOUSE_URL names SQLite'],
    ['REDIS_URL', 'http://x', 'must be a URL'],
    ['REDIS_URL', 'redis://:100%@127.0.0.1', 'as %2F %3F %23 %40 %25'],
    ['REDIS_URL', 'redis://127.0.0.1/clients', 'must name a database by its number'],
    ['HTTP_ADDRESS', '8080', 'must be HOST:PORT'],
    ['HTTP_ADDRESS', '127.0.0.1:70000', 'must be HOST:PORT'],
    ['HTTP_ADDRESS', '0.0.0.0:8080', 'set HTTP_TOKEN or HTTP_TOKEN_FILE'],
    ['HTTP_ADDRESS', '127.evil.com:80', 'set HTTP_TOKEN or HTTP_TOKEN_FILE'],
    ['MIRROR_PAGE_SZIE', '10', 'is not a setting; did you mean MIRROR_PAGE_SIZE?'],
    ['MIRROR_NONSENSE_AT_ALL', '1', 'is not a setting; docs/settings.md'],
  ])('refuses %s=%s in one line that names it', (name, value, words) => {
    const message = fromEnv(name, value);
    expect(message).toContain(words);
    expect(message).toContain(name);
    expect(message.split('\n')).toHaveLength(1);
  });

  it('allows fields that a push needs to be left out where nothing is pushed', () => {
    const config = loadConfig({ env: { MIRROR_EXCLUDE_FIELDS: 'email, fico', MIRROR_PUSH: 'false' } });
    expect(config.excludeFields).toEqual(['email', 'fico']);
  });

  it('refuses a token and its file together', () => {
    expect(messageOf({ env: { CLIENTS_API_TOKEN: JWT, CLIENTS_API_TOKEN_FILE: '/t' } })).toContain(
      'keep one',
    );
    expect(messageOf({ env: { HTTP_TOKEN: 'abcd', HTTP_TOKEN_FILE: '/t' } })).toContain('keep one');
  });

  it('allows an open address with a token', () => {
    expect(loadConfig({ env: { HTTP_ADDRESS: '0.0.0.0:80', HTTP_TOKEN: 'abcd' } }).httpToken).toBe('abcd');
  });

  it('lists every bad setting at once', () => {
    const message = messageOf({
      env: { MIRROR_PAGE_SIZE: 'x', MIRROR_PSUH: '1', WAREHOUSE_URL: 'x' },
      file: { path: 'my.env', text: 'what\nMIRROR_KEEP_DAYS=0' },
      flags: { concurrency: '0' },
      needs: ['api'],
    });
    expect(message.split('\n').map((line) => line.split(' ')[0])).toEqual(
      expect.arrayContaining([
        'MIRROR_PAGE_SIZE',
        'MIRROR_PSUH',
        'WAREHOUSE_URL',
        'my.env',
        'MIRROR_KEEP_DAYS',
        '--concurrency',
        'CLIENTS_API_URL',
        'CLIENTS_API_TOKEN',
      ]),
    );
  });

  it('requires the URL and a token only of commands that call the API, and says of each once', () => {
    expect(loadConfig({ env: {}, needs: ['warehouse'] }).apiUrl).toBeNull();
    expect(messageOf({ needs: ['api'] }).split('\n')).toHaveLength(2);
    const bad = messageOf({ env: { CLIENTS_API_URL: 'x', CLIENTS_API_TOKEN_FILE: '/t' }, needs: ['api'] });
    expect(bad.split('\n')).toHaveLength(1);
  });

  it('names the line of a file', () => {
    const file = { path: 'my.env', text: '# comment\nMIRROR_PAGE_SIZE=1\n' };
    expect(messageOf({ file })).toContain('MIRROR_PAGE_SIZE (my.env line 2) must be');
  });

  it('refuses a mistyped setting of ours in a file, and leaves what is for others alone', () => {
    const text = 'CLIENT_API_URL=https://a.example.com\nPOSTGRES_PASSWORD=x\nMIRROR_X=1';
    const lines = messageOf({ file: { path: 'f', text } }).split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain('did you mean CLIENTS_API_URL?');
    expect(lines[1]).toContain('MIRROR_X');
  });

  it('shows no secret in any message, whatever is wrong with it', () => {
    const secret = 'hunter2horse';
    fc.assert(
      fc.property(
        fc.constantFrom(...SETTINGS.filter((row) => 'secret' in row || row.group === 'api')),
        fc.constantFrom(
          `postgres://me:${secret}@`,
          `postgres://me:${secret}@h:99999/x`,
          `mysql://me:${secret}@h/x`,
          `https://me:${secret}@h/x`,
          `redis//:${secret}@h`,
          `Bearer ${secret}`,
          `${secret} ${secret}`,
          `sqlite://${secret}`,
        ),
        (row, value) => {
          expect(fromEnv(row.env, value)).not.toContain(secret);
        },
      ),
    );
  });

  it('refuses a password that cuts the URL, for its rest would pass for the path, and be shown', () => {
    for (const cut of ['12/hunter2', '12?hunter2', '12#hunter2', '12?a@b=hunter2']) {
      for (const name of ['WAREHOUSE_URL', 'WAREHOUSE_LISTEN_URL']) {
        const message = fromEnv(name, `postgres://me:${cut}@db.internal/crm`);
        expect(message).toMatch(new RegExp(`^${name} must be a URL .* as %2F %3F %23 %40 %25$`, 'm'));
        expect(message).not.toContain('hunter2');
      }
      expect(fromEnv('REDIS_URL', `redis://me:${cut}@127.0.0.1`)).toContain('as %2F %3F %23 %40 %25');
    }
    const whole = 'postgres://me:p%40ss%2Fword@db.internal/crm?application_name=me@home';
    expect(loadConfig({ env: { WAREHOUSE_URL: whole } }).warehouse).toEqual({ kind: 'postgres', url: whole });
  });

  it('ends in a Config or in a SyncError, whatever it is given', () => {
    const entry = fc.tuple(fc.constantFrom(...SETTINGS.map((row) => row.env)), fc.string());
    fc.assert(
      fc.property(fc.array(entry), fc.string(), (entries, text) => {
        messageOf({ env: Object.fromEntries(entries), file: { path: 'f', text } });
      }),
    );
  });
});

describe('SETTINGS', () => {
  it('names each key, variable and flag once', () => {
    const flags = SETTINGS.map(flagOf).filter((flag) => flag !== null);
    for (const names of [SETTINGS.map((row) => row.key), SETTINGS.map((row) => row.env), flags]) {
      expect(new Set(names).size).toBe(names.length);
    }
  });

  it('has defaults and examples that are good values', () => {
    for (const row of SETTINGS) {
      const texts = [row.default, 'example' in row && row.key !== 'apiToken' ? row.example : null];
      for (const text of texts) if (text != null) expect(row.kind.parse(text)).not.toHaveProperty('problem');
    }
  });

  it('gives no flag to a secret', () => {
    expect(SETTINGS.filter((row) => flagOf(row) === null).map((row) => row.env)).toEqual([
      'CLIENTS_API_TOKEN',
      'HTTP_TOKEN',
    ]);
  });
});

describe('createRedactor', () => {
  const config = loadConfig({
    env: {
      CLIENTS_API_TOKEN: 'opaque"token',
      WAREHOUSE_URL: 'postgres://me:p%40ss%2Fword@db/crm',
      REDIS_URL: 'redis://:redispass@127.0.0.1',
      WAREHOUSE_LISTEN_URL: 'postgres://me:half^%2Fhalf@db/crm?password=odd%252Fword',
      HTTP_TOKEN: 'browserword',
    },
  });

  it('masks each secret in every spelling', () => {
    const redact = createRedactor(config, ['from-a-file']);
    const text = [
      'opaque"token',
      JSON.stringify({ t: 'opaque"token' }),
      'p%40ss%2Fword',
      'p@ss/word',
      'redispass',
      'odd%252Fword',
      'half^%2Fhalf',
      'browserword',
      'from-a-file',
    ].join(' | ');
    const masked = redact(text);
    for (const secret of [
      'opaque',
      'p%40ss',
      'p@ss',
      'redispass',
      'odd%252F',
      'browserword',
      'from-a-file',
    ]) {
      expect(masked).not.toContain(secret);
    }
  });

  it('masks whatever looks like a JWT, before there is a config too', () => {
    expect(createRedactor(null)(`token ${JWT}!`)).toBe('token [secret]!');
    expect(createRedactor(null)(`token=%22${JWT}%22`)).toBe('token=%22[secret]%22');
  });

  it('leaves everything else as it is', () => {
    expect(createRedactor(config)('me at db/crm')).toBe('me at db/crm');
  });
});
