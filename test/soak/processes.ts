/**
 * The program as child processes, each with a fate: it may be killed at a moment or at a step of its own, told to end,
 * or stopped and let go on. How it ended is judged: in trouble a run may fail, but only in words of the error table.
 */
import { LEASE_TTL_MS } from '../../src/ledger/leases.ts';
import type { RunningCli } from '../support/cli.ts';
import { type CliResult, startCli } from '../support/cli.ts';
import type { Tokens } from './tokens.ts';

/** What becomes of a process besides its work. */
export type Fate =
  | { readonly kind: 'lives' }
  | { readonly kind: 'killed' | 'ended'; readonly afterMs: number }
  | { readonly kind: 'killedAtStep'; readonly step: number }
  /** Killed while its n-th write is on its way: it is carried out, and nobody is left to hear of it. */
  | { readonly kind: 'killedAtWrite'; readonly write: number }
  | { readonly kind: 'stopped'; readonly afterMs: number; readonly forMs: number };

export interface Process {
  readonly number: number;
  readonly args: readonly string[];
  readonly pid: number;
  readonly done: Promise<CliResult>;
  readonly fate: Fate;
  /** Writes that it has sent. */
  writes: number;
  kill(signal: NodeJS.Signals): void;
}

export interface Processes {
  /** Those that run now. */
  readonly running: readonly Process[];
  /** Kills so far. */
  readonly kills: number;
  /** Is one stopped, or to be stopped, for longer than leases last? */
  readonly isLongStopped: boolean;
  /** A write of this process has come to the source. */
  meetWrite(number: number): void;
  start(args: readonly string[], fate?: Fate, env?: Readonly<Record<string, string>>): Process;
  /** Runs to its end, which must be a good one. */
  ok(args: readonly string[]): Promise<CliResult>;
  /** Lets all go on, and waits for their ends; who takes too long is told to end. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

export interface ProcessesOptions {
  readonly folder: string;
  readonly program: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly tokens: Tokens;
  readonly trace: (line: string) => void;
  readonly findings: string[];
  readonly count: (what: string) => void;
  readonly onStop: (pid: number) => void;
}

/** Whoever is told to end does so within this. */
const LEAVE_MS = 15_000;
/** A whole cycle in peace. */
const PEACE_MS = 90_000;
/** Words that no fault of the outside excuses. */
const BUG =
  /unexpected |This is a bug|database refused a statement|warehouse changed meanwhile|\n\s+at .+:\d+/;

export function createProcesses(options: ProcessesOptions): Processes {
  const { trace, findings, count, tokens, folder } = options;
  const running = new Set<Process>();
  /** Those that are behind their process. */
  const fated = new Set<Fate>();
  const timers = new Set<NodeJS.Timeout>();
  let [started, kills] = [0, 0];

  const endAll = (): void => {
    for (const one of running) one.kill('SIGKILL');
  };
  process.once('exit', endAll);
  const later = (ms: number, work: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      work();
    }, ms);
    timers.add(timer);
  };
  const start: Processes['start'] = (args, fate = { kind: 'lives' }, more = {}) => {
    started += 1;
    const number = started;
    const env = {
      ...options.env,
      CLIENTS_API_TOKEN_FILE: tokens.file(number),
      ...(fate.kind === 'killedAtStep' ? { CLIENTS_MIRROR_TEST_KILL_AT: String(fate.step) } : {}),
      ...more,
    };
    const cli: RunningCli = startCli(args, { env, cwd: folder, program: options.program });
    count(`run ${args.slice(0, args[0] === 'conflicts' || args[0] === 'edits' ? 2 : 1).join(' ')}`);
    trace(`p${number}: ${args.join(' ')} ${JSON.stringify(fate)} (pid ${cli.child.pid})`);
    let isOver = false;
    const process: Process = {
      ...{ number, args, fate, writes: 0 },
      pid: cli.child.pid ?? 0,
      kill(signal) {
        if (isOver) return;
        trace(`p${number}: ${signal}`);
        count(signal);
        if (signal === 'SIGKILL') kills += 1;
        cli.child.kill(signal);
      },
      done: cli.done.then((result) => {
        isOver = true;
        running.delete(process);
        trace(`p${number}: exit ${result.exit} ${result.signal ?? ''}\n${result.stderr.slice(-4000)}`);
        if (fate.kind === 'killedAtStep' && result.signal === 'SIGKILL') {
          kills += 1;
          count('SIGKILL at a step');
        }
        const fault = faultOf(result);
        if (fault !== null)
          findings.push(`p${number} ${args.join(' ')}: ${fault}: ${result.stderr.slice(-2000)}`);
        return result;
      }),
    };
    running.add(process);
    meet(process, fate);
    return process;
  };
  const meet = (process: Process, fate: Fate): void => {
    if (fate.kind === 'killed') later(fate.afterMs, () => process.kill('SIGKILL'));
    if (fate.kind === 'ended') later(fate.afterMs, () => process.kill('SIGTERM'));
    if (fate.kind !== 'stopped') return;
    later(fate.afterMs, () => {
      process.kill('SIGSTOP');
      options.onStop(process.pid);
      later(fate.forMs, () => {
        fated.add(fate);
        process.kill('SIGCONT');
      });
    });
  };
  const unfold = (): void => {
    for (const timer of timers) clearTimeout(timer);
    timers.clear();
    for (const process of running) process.kill('SIGCONT');
  };
  return {
    get running() {
      return [...running];
    },
    get kills() {
      return kills;
    },
    get isLongStopped() {
      return [...running].some(
        ({ fate }) => fate.kind === 'stopped' && fate.forMs > LEASE_TTL_MS && !fated.has(fate),
      );
    },
    meetWrite(number) {
      const process = [...running].find((one) => one.number === number);
      if (process === undefined) return;
      process.writes += 1;
      if (process.fate.kind === 'killedAtWrite' && process.fate.write === process.writes)
        process.kill('SIGKILL');
    },
    start,
    async ok(args) {
      const process = start(args);
      const timer = setTimeout(() => {
        findings.push(`p${process.number} ${args.join(' ')} did not end within ${PEACE_MS} ms of peace`);
        process.kill('SIGKILL');
      }, PEACE_MS);
      const result = await process.done;
      clearTimeout(timer);
      if (result.exit !== 0)
        findings.push(`in peace ${args.join(' ')} ended with ${result.exit}: ${result.stderr.slice(-2000)}`);
      return result;
    },
    async settle() {
      unfold();
      const left = [...running];
      const all = Promise.all(left.map(({ done }) => done));
      const isWorker = ({ args }: Process) => args[0] === 'worker';
      if (!(left.some(isWorker) || !(await within(3_000, all)))) return;
      for (const process of running) process.kill('SIGTERM');
      if (await within(LEAVE_MS, all)) return;
      for (const process of running) {
        findings.push(
          `p${process.number} ${process.args.join(' ')} did not leave within ${LEAVE_MS} ms of SIGTERM`,
        );
        process.kill('SIGKILL');
      }
      await all;
    },
    async close() {
      for (const timer of timers) clearTimeout(timer);
      endAll();
      await Promise.all([...running].map(({ done }) => done));
      process.off('exit', endAll);
    },
  };
}

/** null: it ended as it may. */
function faultOf({ exit, signal, stderr }: CliResult): string | null {
  const bug = stderr.split('\n').find((line) => BUG.test(line));
  if (bug !== undefined) return `words of a bug: ${bug}`;
  if (/soak\.e\d/.test(stderr)) return 'shows its token';
  if (signal !== null) return signal === 'SIGKILL' || signal === 'SIGTERM' ? null : `ended by ${signal}`;
  return exit === 0 || exit === 1 || exit === 75 ? null : `exit ${exit}`;
}

/** Did it end within so many milliseconds? */
async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
