/**
 * Runs the program as a user does: a process of its own, its streams, its exit code. The build is made anew
 * before the suite wherever it is older than the sources (global.ts).
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BUILT = join(ROOT, 'dist/clients-mirror.js');

export interface CliOptions {
  /** Variables besides PATH and HOME: none of the developer's own settings reaches the program. */
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly cwd?: string;
  /** Another build than that of the suite. */
  readonly program?: string | undefined;
}

export interface CliResult {
  /** null when a signal ended it. */
  readonly exit: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCli {
  readonly child: ChildProcessWithoutNullStreams;
  readonly done: Promise<CliResult>;
  /** What it has written so far. */
  output(): { readonly stdout: string; readonly stderr: string };
  /** Waits until the text stands in stdout or stderr. */
  until(text: string): Promise<void>;
}

/** Runs `clients-mirror …args` to its end. */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return await startCli(args, options).done;
}

/** Starts it and lets the test go on: for servers and signals. */
export function startCli(args: readonly string[], options: CliOptions = {}): RunningCli {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, [...programArguments(options.program), ...args], {
    cwd: options.cwd ?? ROOT,
    env: { PATH, HOME, ...options.env },
  });
  const output = { stdout: '', stderr: '' };
  const watchers = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => {
      output[name] += chunk;
      for (const watcher of watchers) watcher();
    });
  }
  // A program that does not read its input closes the pipe early.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.stdin ?? '');
  const done = new Promise<CliResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exit, signal) => resolve({ exit, signal, ...output }));
  });
  return {
    child,
    done,
    output: () => ({ ...output }),
    until: (text) => waitFor(text, output, watchers, done),
  };
}

function waitFor(
  text: string,
  output: { readonly stdout: string; readonly stderr: string },
  watchers: Set<() => void>,
  done: Promise<CliResult>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      if (!output.stdout.includes(text) && !output.stderr.includes(text)) return;
      watchers.delete(look);
      resolve();
    };
    watchers.add(look);
    void done.then((result) =>
      reject(new Error(`ended (${result.exit}) without "${text}": ${result.stdout}${result.stderr}`)),
    );
    look();
  });
}

/** What node is given to run the program. */
export function programArguments(program: string = BUILT): readonly string[] {
  return [program];
}
