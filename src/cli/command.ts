/**
 * What a command is: data, and one function. program.ts makes the command line and the help from the data, completion/
 * the scripts; session.ts loads the settings that the command needs, gives `run` a context, and tells what it throws
 * with an exit code. So a command is one small file in commands/, entered in table.ts.
 *
 * Start-up time counts for a program that cron starts each minute: a command file imports light modules only,
 * and `run` imports what is heavy (axios, a database driver) with `await import(…)`.
 */

import type { Kind } from '../../config/kinds.ts';
import type { Config, SettingGroup } from '../../config/settings.ts';
import type { Clock } from '../clock.ts';
import type { Emit } from '../events.ts';
import type { FaultPoint } from '../faultPoint.ts';
import type { Log } from '../observe/log.ts';
import type { Traces } from '../observe/traces.ts';

/** An option of a command: a switch, or with `kind` one that takes a value. */
export interface OptionRow<T = unknown> {
  readonly help: string;
  /** How the help calls the value, where the kind's own word says too little. */
  readonly value?: string;
  readonly kind?: Kind<T>;
}

export interface ArgumentRow {
  readonly help: string;
  readonly required: boolean;
  /** All values there are, where they can be counted. */
  readonly choices?: readonly string[];
}

/** Option names are in camel case: `allowMassEdit` is `--allow-mass-edit`. */
export type Options = Readonly<Record<string, OptionRow>>;
export type Arguments = Readonly<Record<string, ArgumentRow>>;

/** A switch is true or false; a value is there or undefined. */
export type FlagsOf<O extends Options> = {
  readonly [K in keyof O]: O[K] extends { readonly kind: Kind<infer T> } ? T | undefined : boolean;
};
export type ArgsOf<A extends Arguments> = {
  readonly [K in keyof A]: A[K] extends { readonly required: true } ? string : string | undefined;
};

/** 0: done. 1: done, but something needs a person (`status --check`, `doctor`). Failures are thrown. */
export type ExitCode = 0 | 1;

export interface Output {
  /** Writes text as it is; a reader that went away (`| head`) is no error. */
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Width of the terminal in columns; 80 where there is none. */
  columns(): number;
}

export interface CommandContext {
  /** Frozen. What `needs` requires is there. */
  readonly config: Config;
  /** Was --json given? */
  readonly json: boolean;
  /** Results only. */
  readonly stdout: Output;
  readonly stderr: Output;
  /** Everything that stands on standard input, as text. */
  readStdin(): Promise<string>;
  /** Writes a result to stdout: `value` as JSON with --json, else `text`. Adds the newline. */
  print(value: unknown, text: string): void;
  /** Takes the core's events to the log and, on a terminal, to the progress bar. */
  readonly emit: Emit;
  readonly log: Log;
  /** null: nobody asked for traces. */
  readonly traces: Traces | null;
  /** Aborted by the first SIGINT or SIGTERM, with SyncError STOPPED as the reason. A second one kills. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Where a test ends the process; undefined but for it. */
  readonly faultPoint: FaultPoint | undefined;
  /** Is stderr, where progress goes, a terminal? */
  readonly isTerminal: boolean;
}

export interface Input {
  readonly args: Readonly<Record<string, string | undefined>>;
  readonly flags: Readonly<Record<string, unknown>>;
}

/** A command as the shell sees it. Make one with `defineCommand`. */
export interface Command {
  /** `sync`, or with its group `api list`. */
  readonly name: string;
  /** One line, lower case, no full stop. */
  readonly summary: string;
  /** More, for `--help`: what it does, examples. */
  readonly description?: string;
  readonly arguments: Arguments;
  readonly options: Options;
  /** Groups of settings that it reads: they become flags. `api` makes the URL and a token required. */
  readonly needs: readonly SettingGroup[];
  /** Reads the groups of `needs` where they are set, and requires none: `doctor` says itself what is missing. */
  readonly tolerant?: boolean;
  /** Its spans are begun by itself, for each of its jobs: `worker`. */
  readonly tracesItself?: boolean;
  /** Looks at no setting at all, so that a bad one does not stop it: `completion`, `demo`. */
  readonly ignoresSettings?: boolean;
  /** Does it print a result, and so take --json? */
  readonly json: boolean;
  run(context: CommandContext, input: Input): Promise<ExitCode>;
}

interface Definition<A extends Arguments, O extends Options>
  extends Omit<Command, 'run' | 'arguments' | 'options'> {
  readonly arguments?: A;
  readonly options?: O;
  run(
    context: CommandContext,
    input: { readonly args: ArgsOf<A>; readonly flags: FlagsOf<O> },
  ): Promise<ExitCode>;
}

/** Makes a command whose `run` sees its arguments and flags with their types. */
export function defineCommand<
  const A extends Arguments = Record<never, never>,
  const O extends Options = Record<never, never>,
>(definition: Definition<A, O>): Command {
  return {
    ...definition,
    arguments: definition.arguments ?? {},
    options: definition.options ?? {},
    // The shell builds the input from the very rows that give it its type.
    run: (context, input) => definition.run(context, input as { args: ArgsOf<A>; flags: FlagsOf<O> }),
  };
}

/** `allowMassEdit` → `--allow-mass-edit` */
export function optionFlag(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** `allow-mass-edit` → `allowMassEdit`, which is also what commander calls it. */
export function optionName(flag: string): string {
  return flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
