/**
 * A real Redis for a test file: a server of its own on a free port, in a directory of its own, ended with the test.
 * `redis-server` is looked for on PATH, and installed where it is not there and may be (root on Debian).
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freePort } from './freePort.ts';

export interface TestRedis {
  readonly url: string;
  readonly port: number;
  /** A client that a test may use as it likes. */
  readonly client: Redis;
  /** Ends the server, as a crash would. */
  kill(): Promise<void>;
  /** Starts it again, empty, on the same port. */
  start(): Promise<void>;
  close(): Promise<void>;
}

const READY_WITHIN_MS = 10_000;

/** @param options further words for `redis-server`, such as `--maxmemory-policy allkeys-lru`. */
export async function startRedis(options: readonly string[] = []): Promise<TestRedis> {
  ensureRedis();
  const directory = mkdtempSync(join(tmpdir(), 'clients-mirror-redis-'));
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  let server: ChildProcess | null = null;
  const client = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: null });
  client.on('error', () => undefined);

  const end = (): void => {
    server?.kill('SIGKILL');
  };

  async function start(): Promise<void> {
    const fixed = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    server = spawn('redis-server', [...fixed, '--dir', directory, ...options], { stdio: 'ignore' });
    process.once('exit', end);
    const until = Date.now() + READY_WITHIN_MS;
    for (;;) {
      const probe = new Redis(url, { retryStrategy: null, lazyConnect: true });
      probe.on('error', () => undefined);
      try {
        await probe.connect();
        await probe.ping();
        return;
      } catch (error) {
        if (Date.now() > until) throw error;
        await delay(30);
      } finally {
        probe.disconnect();
      }
    }
  }

  async function kill(): Promise<void> {
    const child = server;
    server = null;
    process.off('exit', end);
    if (child === null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  await start();
  return {
    url,
    port,
    client,
    kill,
    start,
    async close() {
      client.disconnect();
      await kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** @throws Error that says what to install. */
function ensureRedis(): void {
  if (hasRedis()) return;
  const mayInstall = process.getuid?.() === 0 && spawnSync('apt-get', ['--version']).status === 0;
  if (mayInstall) {
    try {
      execFileSync('apt-get', ['install', '-y', 'redis-server'], { stdio: 'ignore' });
    } catch {
      execFileSync('apt-get', ['update'], { stdio: 'ignore' });
      execFileSync('apt-get', ['install', '-y', 'redis-server'], { stdio: 'ignore' });
    }
    if (hasRedis()) return;
  }
  throw new Error(
    'no Redis for the tests: install redis-server (`apt-get install redis-server`) so that it is on PATH',
  );
}

function hasRedis(): boolean {
  return spawnSync('redis-server', ['--version']).status === 0;
}
