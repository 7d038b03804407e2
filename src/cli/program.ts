/**
 * The command line, made from the table of commands: commander parses it, and this file turns every answer of
 * commander's into one of three: text to show, a command to run, or a SyncError USAGE of one line.
 */
import { Argument, Command as Commander, CommanderError, Help, Option } from 'commander';
import { isProblem, type Kind } from '../../config/kinds.ts';
import { flagOf, SETTINGS, type Setting, type SettingKey } from '../../config/settings.ts';
import { SyncError } from '../errors.ts';
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from '../observe/log.ts';
import { type Command, type Input, optionFlag, optionName } from './command.ts';

export interface Globals {
  readonly json: boolean;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** Path given with --config. */
  readonly configFile: string | undefined;
}

export type Parsed =
  | { readonly kind: 'show'; readonly text: string; readonly isError: boolean }
  | {
      readonly kind: 'run';
      readonly command: Command;
      readonly input: Input;
      readonly settings: Partial<Readonly<Record<SettingKey, string>>>;
      readonly globals: Globals;
    };

export interface ProgramTexts {
  readonly version: () => string;
  /** What a group of commands does, by its name. */
  readonly groups: Readonly<Record<string, string>>;
}

/**
 * @param argv the words behind `clients-mirror`.
 * @throws SyncError USAGE
 */
export function parseCommandLine(
  argv: readonly string[],
  commands: readonly Command[],
  texts: ProgramTexts,
): Parsed {
  let parsed: Parsed | undefined;
  let shown = '';
  // Nobody sees the options of a command that the words do not name, and they are nearly all there are.
  const meant = commands.map((command) =>
    argv.includes(command.name.split(' ').at(-1) ?? '') ? command : { ...command, options: {}, needs: [] },
  );
  const program = createProgram(meant, texts, (run) => {
    parsed = run;
  });
  const show = (text: string): void => {
    shown += text;
  };
  // The errors that commander writes are thrown as well; what else it writes there is the help.
  forEachCommand(program, (one) =>
    one.exitOverride().configureOutput({ writeOut: show, writeErr: show, outputError: () => undefined }),
  );
  try {
    program.parse(argv as string[], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === 'commander.version')
      return { kind: 'show', text: `${texts.version()}\n`, isError: false };
    if (!error.code.startsWith('commander.help')) throw usageError(error.message);
    return { kind: 'show', text: shown, isError: error.exitCode !== 0 };
  }
  if (parsed === undefined) throw new SyncError('USAGE', 'no command was given');
  return parsed;
}

function createProgram(
  commands: readonly Command[],
  texts: ProgramTexts,
  onRun: (parsed: Parsed) => void,
): Commander {
  const program = new Commander('clients-mirror')
    .description('Mirrors the clients of a hosted REST/OData API into SQLite or Postgres.')
    .configureHelp({
      optionTerm: (option) => option.flags.replace(/[<>]/g, ''),
      optionDescription: (option) => option.description,
      argumentDescription: (argument) => argument.description,
      argumentTerm: (argument) => argument.name().toUpperCase(),
      commandUsage: (one) => usageOf(one),
      subcommandTerm: (one) => termOf(one),
      sortSubcommands: false,
      boxWrap: wrapProse,
    })
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .addHelpText('after', '\n`clients-mirror COMMAND --help` tells more of one.');
  program.addOption(new Option('-V, --version', 'print the version')).on('option:version', () => {
    throw new CommanderError(0, 'commander.version', '');
  });
  for (const option of globalOptions()) program.addOption(option);
  for (const command of commands) {
    const [group, name] = splitName(command.name);
    const parent = group === null ? program : groupOf(program, group, texts);
    addCommand(parent, name, command, onRun);
  }
  return program;
}

function addCommand(
  parent: Commander,
  name: string,
  command: Command,
  onRun: (parsed: Parsed) => void,
): void {
  const one = parent
    .command(name)
    .helpOption('-h, --help', 'print this help')
    .summary(command.summary)
    .description(describe(command));
  for (const [argument, row] of Object.entries(command.arguments)) {
    const made = new Argument(row.required ? `<${argument}>` : `[${argument}]`, row.help);
    one.addArgument(row.choices === undefined ? made : made.choices(row.choices));
  }
  for (const [option, row] of Object.entries(command.options)) {
    one.addOption(new Option(flagTerm(optionFlag(option), row.kind, row.value), row.help));
  }
  for (const row of settingsOf(command)) one.addOption(settingOption(row));
  if (command.json) one.addOption(new Option('--json', 'print the result as JSON').helpGroup(COMMON));
  for (const option of globalOptions()) one.addOption(option);
  one.action(() => onRun(readInvocation(command, one)));
}

/** What is set in is an example, or a column: a line of it can be copied only while it is whole. */
function wrapProse(text: string, width: number): string {
  const prose = new Help();
  const lines = text.split('\n').map((line) => (line.startsWith('  ') ? line : prose.boxWrap(line, width)));
  return lines.join('\n');
}

/** The settings whose flags a command takes. */
export function settingsOf(command: Command): readonly Setting[] {
  return SETTINGS.filter((row) => command.needs.includes(row.group) && flagOf(row) !== null);
}

const COMMON = 'Common options:';

function globalOptions(): readonly Option[] {
  return [
    new Option('--config <FILE>', 'read settings from KEY=VALUE lines').helpGroup(COMMON),
    new Option('--log-level <LEVEL>', `${LOG_LEVELS.join(', ')} (default: info)`)
      .choices(LOG_LEVELS)
      .helpGroup(COMMON),
    new Option('--log-format <FORMAT>', `${LOG_FORMATS.join(' or ')} (default: text)`)
      .choices(LOG_FORMATS)
      .helpGroup(COMMON),
  ];
}

function settingOption(row: Setting): Option {
  const fallback = row.default === null ? '' : ` (default: ${row.default})`;
  return new Option(flagTerm(`--${flagOf(row)}`, row.kind), `${row.env}: ${row.help}${fallback}`).helpGroup(
    'Settings (each is a variable of the environment too):',
  );
}

function flagTerm(flag: string, kind: Kind<unknown> | undefined, value?: string): string {
  return kind === undefined ? flag : `${flag} <${value ?? kind.placeholder}>`;
}

function readInvocation(command: Command, one: Commander): Parsed {
  const given = one.optsWithGlobals<Record<string, string | boolean | undefined>>();
  const names = Object.keys(command.arguments);
  const args = Object.fromEntries(names.map((name, index) => [name, one.args[index]]));
  const flags = Object.fromEntries(
    Object.entries(command.options).map(([name, row]) => [name, readFlag(name, row.kind, given[name])]),
  );
  const settings = Object.fromEntries(
    settingsOf(command)
      .map((row) => [row.key, given[optionName(String(flagOf(row)))]])
      .filter(([, value]) => value !== undefined),
  );
  const globals: Globals = {
    json: given.json === true,
    logLevel: (given.logLevel ?? 'info') as LogLevel,
    logFormat: (given.logFormat ?? 'text') as LogFormat,
    configFile: given.config as string | undefined,
  };
  return { kind: 'run', command, input: { args, flags }, settings, globals };
}

function readFlag(
  name: string,
  kind: Kind<unknown> | undefined,
  given: string | boolean | undefined,
): unknown {
  if (kind === undefined) return given === true;
  if (typeof given !== 'string') return undefined;
  const value = kind.parse(given.trim());
  if (!isProblem(value)) return value;
  throw usageError(`${optionFlag(name)} ${value.problem}; it is ${JSON.stringify(given)}`);
}

/** commander's words → one line: `unknown command 'snyc'; did you mean sync?` */
function usageError(message: string): SyncError {
  const [first = '', ...rest] = message.replace(/^error: /, '').split('\n');
  const meant = /\(Did you mean (?:one of )?(.*?)\?\)/.exec(rest.join(' '))?.[1];
  const suggestion = meant === undefined ? '' : `; did you mean ${meant.replace(/, (?=[^,]*$)/, ' or ')}?`;
  return new SyncError('USAGE', `${first}${suggestion}`, { hint: '' });
}

function splitName(name: string): readonly [string | null, string] {
  const space = name.indexOf(' ');
  return space < 0 ? [null, name] : [name.slice(0, space), name.slice(space + 1)];
}

function groupOf(program: Commander, name: string, texts: ProgramTexts): Commander {
  const found = program.commands.find((one) => one.name() === name);
  const summary = texts.groups[name] ?? '';
  return found ?? program.command(name).summary(summary).description(sentence(summary));
}

/** `status`, `explain ID`, and for a group `api list|get|…`. */
function termOf(one: Commander): string {
  const inner = one.commands.map((child) => child.name());
  return [one.name(), ...(inner.length > 0 ? [inner.join('|')] : argumentsOf(one))].join(' ');
}

function usageOf(one: Commander): string {
  return [usageName(one), one.commands.length > 0 ? 'COMMAND' : null, ...argumentsOf(one), '[options]']
    .filter((part) => part !== null)
    .join(' ');
}

function usageName(one: Commander): string {
  return one.parent === null ? one.name() : `${usageName(one.parent)} ${one.name()}`;
}

function argumentsOf(one: Commander): readonly string[] {
  return one.registeredArguments.map((row) => {
    const name = row.name().toUpperCase();
    return row.required ? name : `[${name}]`;
  });
}

function describe(command: Command): string {
  const more = command.description === undefined ? '' : `\n\n${command.description}`;
  return `${sentence(command.summary)}${more}`;
}

function sentence(summary: string): string {
  return `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`;
}

function forEachCommand(root: Commander, visit: (one: Commander) => void): void {
  visit(root);
  for (const child of root.commands) forEachCommand(child, visit);
}
