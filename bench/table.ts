/** What the bench's questions share: a server process, measured runs in turn, medians, a Markdown table. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Client } from 'pg';
import { compile } from './compile.ts';
import type { OneOptions } from './one.ts';

export interface Result {
  readonly rows: number;
  readonly ms: number;
  readonly peakMb: number;
  readonly wholeMs?: number;
  readonly requests?: number;
  /** Over all rows: equal sums, equal contents. */
  readonly sum: string;
}

export interface Server {
  readonly url: string;
  readonly token: string;
  /** Changes so many clients. */
  change(count: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startServer(clients: number, latencyMs = 0): Promise<Server> {
  const args = [await compile('server'), String(clients), String(latencyMs)];
  const child = spawn(process.execPath, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface(child.stdout);
  const nextLine = () => new Promise<string>((resolve) => lines.once('line', resolve));
  const line = await nextLine();
  const { url, token } = JSON.parse(line) as { url: string; token: string };
  return {
    url,
    token,
    async change(count) {
      child.stdin.write(`${count}\n`);
      await nextLine();
    },
    async stop() {
      const ended = new Promise((resolve) => child.once('close', resolve));
      child.stdin.end();
      await ended;
    },
  };
}

const sums = new WeakMap<Server, string>();

/**
 * Runs one measured backfill in its own process, into a fresh warehouse, and holds the result against the source. The
 * first of a server should be a `fetch`: it also warms the server's cache.
 */
export async function measure(
  server: Server,
  run: Pick<OneOptions, 'what' | 'pageSize' | 'concurrency'> & { postgres: string | null },
): Promise<Result> {
  const { postgres, ...rest } = run;
  const { warehouseUrl, remove } = await freshWarehouse(postgres);
  const options = { ...rest, warehouseUrl, url: server.url, token: server.token };
  try {
    const result = (await runOne('one', options)) as Result;
    if (run.what === 'fetch') sums.set(server, result.sum);
    else if (sums.get(server) !== result.sum)
      throw new Error(`${run.what}: ${result.sum} in the table, ${sums.get(server)} at the source`);
    return result;
  } finally {
    remove();
  }
}

/** A warehouse that does not exist yet: in a file of its own, or in a new database of that server. */
export async function freshWarehouse(
  postgres: string | null,
  name = 'clients_mirror_bench',
): Promise<{ warehouseUrl: string; remove(): void }> {
  if (postgres !== null)
    return { warehouseUrl: await freshDatabase(postgres, name), remove: () => undefined };
  const folder = mkdtempSync(join(tmpdir(), 'clients-mirror-bench-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  return { warehouseUrl: `sqlite:${join(folder, 'clients.db')}`, remove };
}

async function freshDatabase(serverUrl: string, name: string): Promise<string> {
  const client = new Client({ connectionString: serverUrl });
  await client.connect();
  await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  await client.query(`CREATE DATABASE ${name}`);
  await client.end();
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

/** Runs one measurement in a process of its own, and reads what it prints. */
export async function runOne(name: string, options: object): Promise<unknown> {
  return JSON.parse(await output([await compile(name), JSON.stringify(options)]));
}

function output(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    child.once('close', (code) =>
      code === 0 ? resolve(text) : reject(new Error(`${args.at(-2)} ended with ${code}`)),
    );
  });
}

export const speed = ({ rows, ms }: Result): number => (rows / ms) * 1000;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** A Markdown table. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

export const perSecond = (value: number): string => `${(value / 1000).toFixed(1)} k/s`;
