/**
 * One command, run: its settings loaded, its context made, what it threw told in a line. Everything that a
 * command could leave behind in the terminal or in the process is taken back here.
 */
import { readFileSync } from 'node:fs';
import type { SettingsFile } from '../../config/file.ts';
import { loadConfig } from '../../config/load.ts';
import { createRedactor } from '../../config/redact.ts';
import type { Config } from '../../config/settings.ts';
import { systemClock } from '../clock.ts';
import { isSyncError, SyncError } from '../errors.ts';
import type { Emit } from '../events.ts';
import { parseFaultPoint } from '../faultPoint.ts';
import type { Log } from '../observe/log.ts';
import { createObserver } from '../observe/observer.ts';
import { parseTraceWish } from '../observe/otel.ts';
import type { Traces } from '../observe/traces.ts';
import type { CommandContext, Output } from './command.ts';
import { describeFailure } from './failure.ts';
import type { Parsed } from './program.ts';
import { createStopping } from './stopping.ts';
import { readVersion } from './version.ts';

type Run = Extract<Parsed, { kind: 'run' }>;

/** A collector that does not answer must not hold a command of a moment, nor a worker beyond its ten seconds. */
const LAST_SPANS_MS = 1_000;

/** What a command is given of the process that it runs in. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: Output;
  readonly stderr: Output;
}

/** @returns the exit code; what the command threw is on `stderr` by then. */
export async function runCommand(run: Run, { env, stdout, stderr }: Surroundings): Promise<number> {
  const { globals } = run;
  let redact = createRedactor(null);
  const stopping = createStopping();
  const observer = createObserver({
    level: globals.logLevel,
    format: globals.logFormat,
    isTerminal: stderr.isTerminal && env.TERM !== 'dumb',
    colour: stderr.isTerminal && env.TERM !== 'dumb' && !env.NO_COLOR,
    columns: () => stderr.columns(),
    now: () => systemClock.now(),
    redact: (line) => redact(line),
    write: (text) => stderr.write(text),
  });
  let traces: Traces | null = null;
  try {
    const config = readConfig(run, env);
    redact = createRedactor(config);
    traces = await openTraces(env, observer.log);
    // A span of a worker's whole life would never end: its jobs have their own.
    const own = run.command.tracesItself === true ? null : traces;
    const context: CommandContext = {
      config,
      json: globals.json,
      stdout,
      stderr,
      readStdin,
      print: (value, text) => stdout.write(`${globals.json ? JSON.stringify(value, null, 2) : text}\n`),
      emit: own === null ? observer.emit : both(observer.emit, own.emit),
      log: observer.log,
      traces,
      signal: stopping.signal,
      clock: systemClock,
      // Tests only: the process dies at that point, as by a SIGKILL from outside.
      faultPoint: parseFaultPoint(env.CLIENTS_MIRROR_TEST_KILL_AT ?? '', () =>
        process.kill(process.pid, 'SIGKILL'),
      ),
      isTerminal: stderr.isTerminal,
    };
    const work = (): Promise<number> => run.command.run(context, run.input);
    const exit = own === null ? await work() : await own.span(run.command.name, work);
    observer.close();
    return exit;
  } catch (error) {
    observer.close();
    const failure = describeFailure(asStopped(error, stopping.signal), globals.logLevel === 'debug');
    stderr.write(redact(failure.text));
    return failure.exit;
  } finally {
    await traces?.close(LAST_SPANS_MS);
    stopping.close();
  }
}

/** OpenTelemetry is loaded where its variables ask for it, and nowhere else. A fault in them costs the traces only. */
async function openTraces(env: Surroundings['env'], log: Log): Promise<Traces | null> {
  const { wanted, problem } = parseTraceWish(env);
  if (problem !== null) log.warn(problem);
  if (!wanted) return null;
  const { createTraces } = await import('../observe/traces.ts');
  try {
    const onLost = (reason: string) => log.warn(`traces cannot be sent: ${reason}`);
    return createTraces({ version: readVersion(), clock: systemClock, onLost });
  } catch (error) {
    log.warn(`no traces: ${(error as Error).message}`);
    return null;
  }
}

function both(first: Emit, second: Emit): Emit {
  return (event) => {
    first(event);
    second(event);
  };
}

/** A command that a signal interrupted throws all sorts of things; what happened is that it was stopped. */
function asStopped(error: unknown, signal: AbortSignal): unknown {
  if (!signal.aborted || isSyncError(error, 'STOPPED')) return error;
  const aborted = error instanceof Error && (error.name === 'AbortError' || error.name === 'CanceledError');
  return aborted ? signal.reason : error;
}

function readConfig(run: Run, env: Surroundings['env']): Config {
  if (run.command.ignoresSettings === true) return loadConfig({ env: {} });
  return loadConfig({
    env,
    file: run.globals.configFile === undefined ? undefined : readSettingsFile(run.globals.configFile),
    flags: run.settings,
    needs: run.command.tolerant === true ? [] : run.command.needs,
  });
}

function readSettingsFile(path: string): SettingsFile {
  try {
    return { path, text: readFileSync(path, 'utf8') };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new SyncError('SETTINGS', `--config ${path} ${WHY[code ?? ''] ?? `cannot be read (${code})`}`, {
      hint: '',
    });
  }
}

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  EACCES: 'cannot be read: the permission is missing',
  EISDIR: 'is a folder, not a file',
};

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
