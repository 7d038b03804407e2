/**
 * Turns environment, file and flags into one frozen Config, or into one SyncError SETTINGS that lists every
 * bad setting at once, a line each: the variable, what is wrong, what would be right. Pure: whoever calls it
 * reads the environment and the file. Flags win over the environment, the environment over the file.
 */
import { SyncError } from '../src/errors.ts';
import { isLoopback } from './addresses.ts';
import { parseSettingsFile, type SettingsFile } from './file.ts';
import { isProblem, neededForPush } from './kinds.ts';
import { nearest } from './nearest.ts';
import {
  type Config,
  flagOf,
  SETTINGS,
  type Setting,
  type SettingGroup,
  type SettingKey,
} from './settings.ts';

export interface Sources {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly file?: SettingsFile | undefined;
  /** Values given on the command line, by key. */
  readonly flags?: Partial<Readonly<Record<SettingKey, string>>> | undefined;
  /** What the command reads: `api` makes the URL and a token required. Every setting is checked all the same. */
  readonly needs?: readonly SettingGroup[] | undefined;
}

/** A text and where it was given, as a message names it. */
interface Given {
  readonly text: string;
  readonly where: string;
}

/** @throws SyncError SETTINGS with a line for each bad setting. */
export function loadConfig(sources: Sources): Config {
  const file = sources.file === undefined ? undefined : parseSettingsFile(sources.file);
  const problems: string[] = [...(file?.problems ?? [])];
  const entries = new Map(file?.entries);
  const values: Partial<Record<SettingKey, unknown>> = {};
  const given = new Set<SettingKey>();
  for (const row of SETTINGS) {
    const flag = sources.flags?.[row.key];
    const found =
      readGiven(row, flag, `--${flagOf(row)}`) ??
      readGiven(row, sources.env[row.env], row.env) ??
      readGiven(row, entries.get(row.env)?.text, `${row.env} (${entries.get(row.env)?.where})`);
    if (found !== undefined) given.add(row.key);
    values[row.key] = readValue(row, found, problems);
  }
  problems.push(...unknownVariables(sources.env, entries));
  const config = Object.freeze(values) as Config;
  problems.push(...contradictions(config), ...missing(given, sources.needs ?? []));
  if (problems.length > 0) throw new SyncError('SETTINGS', problems.join('\n'), { hint: '' });
  return config;
}

function readGiven(row: Setting, raw: string | undefined, where: string): Given | undefined {
  const text = raw?.trim();
  return text === undefined || (text === '' && row.empty === undefined) ? undefined : { text, where };
}

function readValue(row: Setting, given: Given | undefined, problems: string[]): unknown {
  if (given === undefined && row.default === null) return null;
  const value = row.kind.parse(given?.text ?? row.default ?? '');
  if (!isProblem(value)) return typeof value === 'object' ? Object.freeze(value) : value;
  problems.push(`${given?.where ?? row.env} ${value.problem}${quote(row, given?.text ?? '')}`);
  // The checks that follow look at a config without holes: what was refused counts as not set.
  return row.default === null ? null : row.kind.parse(row.default);
}

/** What was given, unless it may be a secret. */
function quote(row: Setting, text: string): string {
  if (row.secret !== undefined || row.group === 'api') return '';
  const cut = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  return `; it is ${JSON.stringify(cut)}`;
}

const VARIABLES: readonly string[] = SETTINGS.map((row) => row.env);

function unknownVariables(
  env: Sources['env'],
  entries: ReadonlyMap<string, { readonly where: string }>,
): readonly string[] {
  const inEnv = Object.keys(env)
    .filter((name) => name.startsWith('MIRROR_'))
    .map((name) => ({ name, where: 'in the environment', sure: true }));
  // A file may serve other programs too, so that only what looks like a setting of ours is refused there.
  const inFile = [...entries].map(([name, { where }]) => ({ name, where, sure: name.startsWith('MIRROR_') }));
  return [...inEnv, ...inFile]
    .filter(({ name }) => !VARIABLES.includes(name))
    .flatMap(({ name, where, sure }) => {
      const meant = nearest(name, VARIABLES);
      if (meant !== undefined) return [`${name} (${where}) is not a setting; did you mean ${meant}?`];
      return sure ? [`${name} (${where}) is not a setting; docs/settings.md lists them all`] : [];
    });
}

/** Settings that are good alone and not together. */
function contradictions(config: Config): readonly string[] {
  const problems: string[] = [];
  if (config.apiToken !== null && config.apiTokenFile !== null) {
    problems.push('CLIENTS_API_TOKEN and CLIENTS_API_TOKEN_FILE are both set: keep one of them');
  }
  if (config.httpToken !== null && config.httpTokenFile !== null) {
    problems.push('HTTP_TOKEN and HTTP_TOKEN_FILE are both set: keep one of them');
  }
  const open = config.httpToken === null && config.httpTokenFile === null;
  if (open && !isLoopback(config.httpAddress.host)) {
    problems.push(
      'HTTP_ADDRESS can be reached from other machines: set HTTP_TOKEN or HTTP_TOKEN_FILE, or listen on 127.0.0.1',
    );
  }
  const needed = neededForPush(config.excludeFields);
  if (config.push && needed.length > 0) {
    problems.push(
      `MIRROR_EXCLUDE_FIELDS leaves out ${needed.join(', ')}, which a push must send: set MIRROR_PUSH=false, or keep them`,
    );
  }
  if (config.ownerId !== null && config.excludeFields.includes('ownerId')) {
    problems.push(
      'MIRROR_EXCLUDE_FIELDS leaves out ownerId, by which MIRROR_OWNER_ID picks clients: keep it',
    );
  }
  if (config.listenUrl !== null && config.warehouse.kind === 'sqlite') {
    problems.push('WAREHOUSE_LISTEN_URL is for Postgres, and WAREHOUSE_URL names SQLite: leave it out');
  }
  return problems;
}

function missing(given: ReadonlySet<SettingKey>, needs: readonly SettingGroup[]): readonly string[] {
  const problems: string[] = [];
  if (!needs.includes('api')) return problems;
  if (!given.has('apiUrl')) {
    problems.push('CLIENTS_API_URL is not set: give the base URL of the Clients API');
  }
  if (!given.has('apiToken') && !given.has('apiTokenFile')) {
    problems.push('CLIENTS_API_TOKEN is not set: give the token, or its file with CLIENTS_API_TOKEN_FILE');
  }
  return problems;
}
