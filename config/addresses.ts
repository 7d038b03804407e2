/**
 * Kinds of settings that say where something is: the API, the warehouse, Redis, the HTTP face.
 * An address may hold a password, so none of these ever quotes what it was given.
 */
import { isProblem, type Kind, type Problem } from './kinds.ts';

/** Where the mirror is kept. */
export type WarehouseTarget =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'postgres'; readonly url: string };

export interface HttpAddress {
  /** Without brackets, also for IPv6. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
}

/** The base URL of the API; a path is kept, a slash at its end is not. */
export const apiUrl: Kind<string> = {
  words: 'an http or https URL',
  placeholder: 'URL',
  parse(value) {
    const url = readUrl(value, ['https:', 'http:'], 'https://api.example.com');
    if (isProblem(url)) return url;
    if (url.username !== '' || url.password !== '') {
      return { problem: 'must not hold a user or password: put the token into CLIENTS_API_TOKEN' };
    }
    if (url.search !== '' || url.hash !== '') return { problem: 'must not hold a query or fragment' };
    return url.href.replace(/\/+$/, '');
  },
};

/** `sqlite:PATH`, or a Postgres URL. */
export const warehouse: Kind<WarehouseTarget> = {
  words: 'sqlite:PATH or postgres://…',
  placeholder: 'URL',
  parse(value) {
    if (!/^sqlite:/i.test(value)) {
      const url = postgresUrl.parse(value);
      if (!isProblem(url)) return { kind: 'postgres', url };
      return /^postgres/i.test(value)
        ? url
        : { problem: 'must be sqlite:PATH or postgres://user:password@host:5432/database' };
    }
    const path = value.slice('sqlite:'.length).trim();
    if (path.startsWith('//')) {
      return {
        problem: 'must be written sqlite:PATH, without slashes before the path: sqlite:/var/lib/clients.db',
      };
    }
    if (path === '' || path === ':memory:') {
      return { problem: 'must name a file, which outlives the command: sqlite:data/clients.db' };
    }
    return path.includes('\0') ? { problem: 'must name a file' } : { kind: 'sqlite', path };
  },
};

/** A Postgres URL. */
export const postgresUrl: Kind<string> = {
  words: 'postgres://…',
  placeholder: 'URL',
  parse(value) {
    const example = 'postgres://user:password@host:5432/database';
    const url = readLoginUrl(value, ['postgres:', 'postgresql:'], example);
    return isProblem(url) ? url : value;
  },
};

/** A Redis URL. */
export const redisUrl: Kind<string> = {
  words: 'redis://… or rediss://…',
  placeholder: 'URL',
  parse(value) {
    const url = readLoginUrl(value, ['redis:', 'rediss:'], 'redis://127.0.0.1:6379');
    if (isProblem(url)) return url;
    return /^\/?\d{0,5}$/.test(url.pathname)
      ? value
      : { problem: 'must name a database by its number, such as redis://127.0.0.1:6379/0, or none' };
  },
};

/** `HOST:PORT`, an IPv6 host in brackets. */
export const hostAndPort: Kind<HttpAddress> = {
  words: 'HOST:PORT',
  placeholder: 'HOST:PORT',
  parse(value) {
    const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(value);
    const port = Number(parts?.[3]);
    if (parts === null || port > 65_535) return { problem: 'must be HOST:PORT such as 127.0.0.1:8080' };
    return { host: parts[1] ?? parts[2] ?? '', port };
  },
};

/** Names of hosts, without port. */
export const hostNames: Kind<readonly string[]> = {
  words: 'names of hosts, separated by commas',
  placeholder: 'NAMES',
  parse(value) {
    const names = value.split(',').map((name) => name.trim().toLowerCase());
    const given = [...new Set(names.filter((name) => name !== ''))];
    const wrong = given.find(
      (name) => !/^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/.test(name),
    );
    if (wrong === undefined) return given;
    return { problem: `must hold names such as mirror.example.com, without scheme, port or path` };
  },
};

/** Does only this machine reach the address? */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

/** An address as a user may see it: no password, no query (which can hold one). */
export function withoutPassword(address: string): string {
  if (!URL.canParse(address)) return address.replace(/\/\/[^/?#]*@/, '//');
  const url = new URL(address);
  const user = url.username === '' ? '' : `${url.username}@`;
  return `${url.protocol}//${user}${url.host}${url.pathname}`;
}

function readUrl(value: string, protocols: readonly string[], example: string): URL | Problem {
  const problem = `must be a URL such as ${example}`;
  if (/\s/.test(value) || !URL.canParse(value)) return { problem };
  const url = new URL(value);
  return protocols.includes(url.protocol) && url.host !== '' ? url : { problem };
}

/**
 * The address of a service that one logs in to. A password with one of `/ ? # @ %` in it as it is cuts the URL
 * elsewhere than was meant: its first part would pass for a port and the rest for a path, which everybody may see.
 */
function readLoginUrl(value: string, protocols: readonly string[], example: string): URL | Problem {
  const url = readUrl(value, protocols, example);
  if (isProblem(url)) return url;
  const { username, password, pathname, search, hash } = url;
  const isCut = hash !== '' || pathname.includes('@') || /^[^=]*@/.test(search);
  return !isCut && [username, password, pathname].every(isEncoded)
    ? url
    : { problem: `must be a URL such as ${example}, with / ? # @ % in a password as %2F %3F %23 %40 %25` };
}

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
