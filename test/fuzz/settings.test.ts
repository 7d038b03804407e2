/**
 * Whatever stands in environment and settings file: there is a config that the program can work with, or a SyncError
 * whose every line says where to look. And wherever a secret was put, and however badly, no message shows it.
 */

import fc from 'fast-check';
import { Redis } from 'ioredis';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { withoutPassword } from '../../config/addresses.ts';
import { parseSettingsFile } from '../../config/file.ts';
import { loadConfig, type Sources } from '../../config/load.ts';
import { createRedactor } from '../../config/redact.ts';
import { type Config, SETTINGS } from '../../config/settings.ts';
import { isSyncError } from '../../src/errors.ts';
import { FUZZ_TIMEOUT_MS, fuzzRuns } from './runs.ts';

const VARIABLES: readonly string[] = SETTINGS.map((row) => row.env);
const SECRET = 'c4nary';

function load(sources: Sources): { readonly config: Config } | { readonly lines: readonly string[] } {
  try {
    return { config: loadConfig(sources) };
  } catch (error) {
    if (!isSyncError(error, 'SETTINGS')) throw error;
    return { lines: error.message.split('\n') };
  }
}

/** In double quotes; what can be written without them is, now and then. */
function written(name: string, value: string, how: number): string {
  const isBare = /^[^\s'"#][^\s#]*$/.test(value);
  if (how % 3 === 0 && isBare) return `${name}=${value}`;
  if (how % 3 === 1 && !/['\n]/.test(value)) return `${name} = '${value}' # '"`;
  return `export ${name}="${value.replace(/[\\"$]/g, '\\$&').replaceAll('\n', '\\n')}"`;
}

/** A password with anything in it, and the canary at its end, where a parser may have lost the thread. */
const password = fc
  .string({
    unit: fc.constantFrom('1', '2', 'p', '/', '?', '#', '@', ':', '%', '%2F', '%ff', '&', '=', '+', '^', '"'),
    maxLength: 5,
  })
  .map((odd) => `${odd}${SECRET}`);
const host = fc.constantFrom('db.internal', '127.0.0.1:6379', '[::1]', '', 'h:99999', 'h h', 'ü.example');
const address = fc
  .tuple(
    fc.constantFrom(
      'postgres://',
      'postgresql://',
      'redis://',
      'rediss://',
      'mysql://',
      'https://',
      'postgres:',
      'sqlite://',
      '',
    ),
    fc.constantFrom('me:', ':', 'me:x@y:'),
    password,
    fc.constantFrom('@', '@', '@', ' @'),
    host,
    fc.constantFrom('/crm', '/0', '', '/crm?sslmode=require', '/x/y', '#'),
  )
  .map((parts) => parts.join(''));
const inQuery = fc
  .tuple(fc.constantFrom('postgres://db/crm', 'redis://127.0.0.1/0'), fc.constantFrom('password'), password)
  .map(([base, name, word]) => `${base}?${name}=${encodeURIComponent(word)}`);
const secret = fc.oneof(
  { weight: 4, arbitrary: address },
  inQuery,
  password,
  password.map((word) => `Bearer ${word}`),
);
const SECRET_VARIABLES = SETTINGS.filter((row) => 'secret' in row || row.group === 'api').map(
  (row) => row.env,
);

/** Values that fit here and there, so that more than refusals are seen. */
const value = fc.oneof(
  fc.constantFrom(
    'true',
    'off',
    '7',
    '5m',
    'local',
    '0.0.0.0:80',
    '[::1]:0',
    '*/5 * * * *',
    'loginToken,fax',
    '3F2504E0-4F89-41D3-9A0C-0305E82C3301',
    'sqlite:data/x y.db',
    'postgres://me:p%40ss@db/crm',
    'redis://:word@127.0.0.1/0',
    'mirror',
    'a.example,b.example',
    'https://api.example.com/base/',
  ),
  fc.string(),
  fc.string({
    unit: fc.constantFrom(' ', '#', "'", '"', '\\', '$', '\n', '\r', '\t', '\u2028', '\uFEFF', 'n', '='),
  }),
  fc.string({ unit: 'grapheme' }),
);
const values = fc.dictionary(
  fc.constantFrom(...VARIABLES),
  value.map((text) => text.replaceAll('\r', '')),
  { maxKeys: 6 },
);

describe('settings', () => {
  it(
    'are the same from a file as from the environment',
    () => {
      let good = 0;
      const property = fc.property(values, fc.infiniteStream(fc.nat(2)), (env, how) => {
        const lines = Object.entries(env).map(([name, text]) =>
          written(name, text, Number(how.next().value)),
        );
        const file = { path: 'f', text: `\uFEFF# mine\r\n\n${lines.join('\r\n')}` };
        const parsed = parseSettingsFile(file);
        expect(parsed.problems).toEqual([]);
        expect(Object.fromEntries([...parsed.entries].map(([name, { text }]) => [name, text]))).toEqual(env);
        const [fromEnv, fromFile] = [load({ env }), load({ env: {}, file })];
        if ('config' in fromEnv) {
          good += 1;
          expect(fromFile).toEqual(fromEnv);
        } else {
          const bare = (line: string) => line.replace(/ \(f line \d+\)/, '');
          expect('lines' in fromFile && fromFile.lines.map(bare)).toEqual(fromEnv.lines);
        }
      });
      fc.assert(property, fuzzRuns(500));
      expect(good).toBeGreaterThan(20);
    },
    FUZZ_TIMEOUT_MS,
  );

  it(
    'of any file are a config, or lines that each name a variable or a line of the file',
    () => {
      const unit = fc.constantFrom(
        'A',
        '=',
        '"',
        "'",
        '#',
        ' ',
        '\\',
        'export ',
        '\r',
        '\u2028',
        '\0',
        '\uFEFF',
        '\ud800',
      );
      const line = fc.oneof(
        fc.string({ unit }),
        fc
          .tuple(
            fc.constantFrom(...VARIABLES, 'MIRROR_PAGE_SZIE', 'MIRROR_', 'PATH', '__proto__'),
            fc.string({ unit }),
          )
          .map((pair) => pair.join('=')),
        fc.tuple(fc.constantFrom(...VARIABLES), value).map((pair) => pair.join('=')),
      );
      const property = fc.property(
        fc.array(line),
        fc.constantFrom('\n', '\r\n'),
        values,
        (lines, end, env) => {
          const outcome = load({ env, file: { path: 'f', text: lines.join(end) }, needs: ['api'] });
          if (!('lines' in outcome)) return;
          for (const problem of outcome.lines) {
            expect(problem).toMatch(/^(?:(?:CLIENTS_API|WAREHOUSE|MIRROR|REDIS|HTTP)_\w*|f line \d+)\b/);
            // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
            expect(problem).not.toMatch(/[\u0000-\u001f]/);
          }
        },
      );
      fc.assert(property, fuzzRuns(500));
    },
    FUZZ_TIMEOUT_MS,
  );

  it(
    'show no secret, neither where they are refused nor where they are taken',
    () => {
      const met = { refused: 0, taken: 0 };
      const property = fc.property(
        fc.constantFrom(...SECRET_VARIABLES),
        secret,
        fc.constantFrom('env', 'bare', 'quoted', 'open', 'twice', 'wrapped'),
        (name, text, how) => {
          const own = `${name}=${text}`;
          const inFile: Readonly<Record<string, string>> = {
            bare: own,
            quoted: written(name, text, 2),
            open: `${name}="${text.replaceAll('"', '')}`,
            twice: `${own}\n${own}`,
            wrapped: `${name}="\n${text}"`,
          };
          const sources =
            how === 'env'
              ? { env: { [name]: text } }
              : { env: {}, file: { path: 'f', text: inFile[how] ?? '' } };
          const outcome = load(sources);
          if ('lines' in outcome) {
            met.refused += 1;
            expect(outcome.lines.join('\n')).not.toContain(SECRET);
            return;
          }
          met.taken += 1;
          const { config } = outcome;
          const redact = createRedactor(config);
          const { warehouse } = config;
          const addresses = [
            warehouse.kind === 'postgres' ? warehouse.url : '',
            config.redisUrl,
            config.listenUrl ?? '',
          ].filter((one) => one !== '');
          for (const one of addresses) {
            expect(withoutPassword(one)).not.toContain(SECRET);
            expect(new URL(one).username).not.toContain(SECRET);
          }
          const tokens = [config.apiToken, config.httpToken].filter((one) => one !== null);
          for (const one of [...tokens, ...addresses].flatMap((one) => [one, JSON.stringify(one)])) {
            expect(redact(`cannot reach ${one}`)).not.toContain(SECRET);
          }
        },
      );
      fc.assert(property, fuzzRuns(2_000));
      expect(met.refused).toBeGreaterThan(100);
      expect(met.taken).toBeGreaterThan(100);
    },
    FUZZ_TIMEOUT_MS,
  );

  it(
    'that are taken can be read by those they are for, to the letter',
    () => {
      const taken = { redis: 0, postgres: 0 };
      const property = fc.property(address, (text) => {
        const redis = load({ env: { REDIS_URL: text } });
        if ('config' in redis) {
          taken.redis += 1;
          const client = new Redis(redis.config.redisUrl, { lazyConnect: true });
          const { password: word, db } = client.options;
          client.disconnect();
          expect(word ?? '').toBe(decodeURIComponent(new URL(text).password));
          expect(db).toBeGreaterThanOrEqual(0);
        }
        const postgres = load({ env: { WAREHOUSE_LISTEN_URL: text, WAREHOUSE_URL: text } });
        if ('config' in postgres && postgres.config.listenUrl !== null) {
          taken.postgres += 1;
          const client = new pg.Client({ connectionString: postgres.config.listenUrl });
          expect(client.password ?? '').toBe(decodeURIComponent(new URL(text).password));
          expect(`${client.database} ${client.host} ${client.user}`).not.toContain(SECRET);
        }
      });
      fc.assert(property, fuzzRuns(1_000));
      expect(taken.redis).toBeGreaterThan(20);
      expect(taken.postgres).toBeGreaterThan(20);
    },
    FUZZ_TIMEOUT_MS,
  );
});
