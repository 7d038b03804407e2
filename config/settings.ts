/**
 * THE table of settings: one row a setting. Parsing, defaults, the flags of the command line, completion,
 * redaction, `.env.example` and `docs/settings.md` come from it (`npm run generate` writes the last two), so
 * that adding a setting is one row here.
 */

import { apiUrl, hostAndPort, hostNames, postgresUrl, redisUrl, warehouse } from './addresses.ts';
import { cron } from './cron.ts';
import {
  bearer,
  boolean,
  duration,
  excludedFields,
  file,
  identifier,
  int,
  type Kind,
  oneOf,
  uuid,
} from './kinds.ts';

/** Which part of the program a setting is for. A command names the groups that it reads. */
export type SettingGroup = 'api' | 'warehouse' | 'mirror' | 'queue' | 'worker';

interface Row<T> {
  /** The environment variable, and the key in a file given with --config. */
  readonly env: string;
  readonly group: SettingGroup;
  readonly kind: Kind<T>;
  /** One sentence without a full stop. */
  readonly help: string;
  /** Shown in `.env.example`, where there is no default. */
  readonly example?: string;
  /** whole: the value is a secret (it has no flag: a command line is public); password: it may hold one. */
  readonly secret?: 'whole' | 'password';
  /** An empty text is a value of its own, with this meaning; elsewhere it counts as not set. */
  readonly empty?: string;
}

export interface Setting<K extends string = string, T = unknown> extends Row<T> {
  readonly key: K;
  /** As text; null: none. */
  readonly default: string | null;
}

const DAY = 86_400;

export const SETTINGS = [
  optional('apiUrl', {
    env: 'CLIENTS_API_URL',
    group: 'api',
    kind: apiUrl,
    help: 'base URL of the Clients API; /clients is appended',
    example: 'https://api.example.com/homedashboard',
  }),
  optional('apiToken', {
    env: 'CLIENTS_API_TOKEN',
    group: 'api',
    kind: bearer,
    help: 'the JWT that the API asks for',
    example: 'eyJhbGciOi…',
    secret: 'whole',
  }),
  optional('apiTokenFile', {
    env: 'CLIENTS_API_TOKEN_FILE',
    group: 'api',
    kind: file,
    help: 'a file that holds the JWT instead; read again when it changes and after a 401',
    example: '/run/secrets/clients-api-token',
  }),
  setting('warehouse', 'sqlite:data/clients.db', {
    env: 'WAREHOUSE_URL',
    group: 'warehouse',
    kind: warehouse,
    help: 'where the mirror is: sqlite:PATH (one machine; created for its owner alone) or postgres://… (several containers)',
    secret: 'password',
  }),
  setting('schema', 'public', {
    env: 'MIRROR_SCHEMA',
    group: 'warehouse',
    kind: identifier,
    help: 'Postgres schema that holds the tables',
  }),
  setting('redisUrl', 'redis://127.0.0.1:6379', {
    env: 'REDIS_URL',
    group: 'queue',
    kind: redisUrl,
    help: 'needed by worker and backfill --enqueue only',
    secret: 'password',
  }),
  // A page holds the seam and at least one row behind it.
  setting('pageSize', '1000', {
    env: 'MIRROR_PAGE_SIZE',
    group: 'mirror',
    kind: int(2, 50_000),
    help: 'rows asked for in one request ($top); a smaller cap of the server is found out and kept',
  }),
  setting('concurrency', '4', {
    env: 'MIRROR_CONCURRENCY',
    group: 'mirror',
    kind: int(1, 64),
    help: 'requests in flight at the most, per process',
  }),
  setting('lookbackSeconds', '300', {
    env: 'MIRROR_LOOKBACK_SECONDS',
    group: 'mirror',
    kind: duration(0, 30 * DAY),
    help: 'how far each pull reaches back for commits that became visible late',
  }),
  setting('conflicts', 'remote', {
    env: 'MIRROR_CONFLICTS',
    group: 'mirror',
    kind: oneOf('remote', 'local', 'manual'),
    help: 'who wins a field that was changed on both sides',
  }),
  setting('push', 'true', {
    env: 'MIRROR_PUSH',
    group: 'mirror',
    kind: boolean,
    help: 'false makes the mirror read-only: an edit fails in its statement',
  }),
  setting('pushDeletes', 'false', {
    env: 'MIRROR_PUSH_DELETES',
    group: 'mirror',
    kind: boolean,
    help: 'whether a row deleted locally is deleted at the source',
  }),
  optional('ownerId', {
    env: 'MIRROR_OWNER_ID',
    group: 'mirror',
    kind: uuid,
    help: "mirror one owner's clients only",
    example: '3f2504e0-4f89-41d3-9a0c-0305e82c3301',
  }),
  setting('excludeFields', 'loginToken', {
    env: 'MIRROR_EXCLUDE_FIELDS',
    group: 'mirror',
    kind: excludedFields,
    help: 'fields never asked for, never stored, never logged',
    empty: 'none',
  }),
  setting('pullSeconds', '60', {
    env: 'MIRROR_PULL_SECONDS',
    group: 'worker',
    kind: duration(1, DAY),
    help: 'time between two pulls',
  }),
  setting('pushSeconds', '5', {
    env: 'MIRROR_PUSH_SECONDS',
    group: 'worker',
    kind: duration(1, DAY),
    help: 'time between two looks for local edits (Postgres also tells at once)',
  }),
  setting('reconcileCron', '0 3 * * *', {
    env: 'MIRROR_RECONCILE_CRON',
    group: 'worker',
    kind: cron,
    help: 'when to reconcile, UTC',
    empty: 'never',
  }),
  setting('keepDays', '30', {
    env: 'MIRROR_KEEP_DAYS',
    group: 'mirror',
    kind: int(1, 36_500),
    help: 'how long runs, resolved conflicts and sent edits are remembered, in days',
  }),
  optional('listenUrl', {
    env: 'WAREHOUSE_LISTEN_URL',
    group: 'worker',
    kind: postgresUrl,
    help: 'Postgres behind a transaction pooler: a direct URL for LISTEN (else WAREHOUSE_URL)',
    example: 'postgres://mirror:secret@db.internal:5432/crm',
    secret: 'password',
  }),
  setting('httpAddress', '127.0.0.1:8080', {
    env: 'HTTP_ADDRESS',
    group: 'worker',
    kind: hostAndPort,
    help: 'where the HTTP face listens; port 0 takes any free one',
  }),
  optional('httpHosts', {
    env: 'HTTP_HOSTS',
    group: 'worker',
    kind: hostNames,
    help: 'names by which an ingress or a proxy calls the HTTP face, beside addresses and the name of the machine',
    example: 'mirror.example.com',
  }),
  optional('httpToken', {
    env: 'HTTP_TOKEN',
    group: 'worker',
    kind: bearer,
    help: 'bearer token of the HTTP face; without one only loopback is allowed',
    example: 'a-long-random-word',
    secret: 'whole',
  }),
  optional('httpTokenFile', {
    env: 'HTTP_TOKEN_FILE',
    group: 'worker',
    kind: file,
    help: 'a file that holds that token instead',
    example: '/run/secrets/http-token',
  }),
] as const;

type AnySetting = (typeof SETTINGS)[number];
export type SettingKey = AnySetting['key'];

/** What the settings come to. A setting without a default is null where it is not set. */
export type Config = {
  readonly [S in AnySetting as S['key']]: S extends Setting<string, infer T> ? T : never;
};

/** `MIRROR_PAGE_SIZE` → `page-size`; null where a flag would show a secret to everyone on the machine. */
export function flagOf(row: Setting): string | null {
  return row.secret === 'whole'
    ? null
    : row.env
        .replace(/^MIRROR_/, '')
        .toLowerCase()
        .replaceAll('_', '-');
}

function setting<const K extends string, T>(key: K, fallback: string, row: Row<T>): Setting<K, T> {
  return { ...row, key, default: fallback };
}

function optional<const K extends string, T>(key: K, row: Row<T>): Setting<K, T | null> {
  return { ...row, key, default: null };
}
