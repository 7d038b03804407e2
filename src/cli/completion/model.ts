/**
 * What can stand where on the command line, as plain data: the three completion scripts are drawn from it. A
 * position is the path of commands typed so far: '' at first, then `api`, then `api list`.
 */
import { flagOf } from '../../../config/settings.ts';
import { LOG_FORMATS, LOG_LEVELS } from '../../observe/log.ts';
import { type Command, optionFlag } from '../command.ts';
import { settingsOf } from '../program.ts';

export interface FlagWords {
  /** With its dashes. */
  readonly flag: string;
  readonly help: string;
  readonly takesValue: boolean;
  readonly choices: readonly string[];
  readonly isFile: boolean;
}

export interface Position {
  readonly path: string;
  /** What may come next: commands of a group, or the values of an argument. */
  readonly words: readonly { readonly word: string; readonly help: string; readonly isCommand: boolean }[];
  readonly flags: readonly FlagWords[];
}

export function completionModel(
  commands: readonly Command[],
  groups: Readonly<Record<string, string>>,
): readonly Position[] {
  const groupNames = [
    ...new Set(commands.map((one) => one.name.split(' ')).filter((path) => path.length > 1)),
  ];
  const inner = [...new Set(groupNames.map(([group = '']) => group))];
  return [
    { path: '', words: firstWords(commands, groups), flags: [...COMMON, HELP, VERSION] },
    ...inner.map((group) => ({ path: group, words: innerWords(commands, group), flags: [HELP] })),
    ...commands.map(positionOf),
  ];
}

/** Every flag that takes a value, with what it offers: a flag means the same wherever it stands. */
export function valueFlags(positions: readonly Position[]): readonly FlagWords[] {
  const all = positions.flatMap((position) => position.flags).filter((flag) => flag.takesValue);
  return [...new Map(all.map((flag) => [flag.flag, flag])).values()];
}

const HELP: FlagWords = { flag: '--help', help: 'show help', takesValue: false, choices: [], isFile: false };
const VERSION: FlagWords = { ...HELP, flag: '--version', help: 'print the version' };
const COMMON: readonly FlagWords[] = [
  { flag: '--config', help: 'read settings from a file', takesValue: true, choices: [], isFile: true },
  { flag: '--log-level', help: 'how much to log', takesValue: true, choices: LOG_LEVELS, isFile: false },
  { flag: '--log-format', help: 'how to log', takesValue: true, choices: LOG_FORMATS, isFile: false },
];
const JSON_FLAG: FlagWords = { ...HELP, flag: '--json', help: 'print the result as JSON' };

function firstWords(
  commands: readonly Command[],
  groups: Readonly<Record<string, string>>,
): Position['words'] {
  const words = commands.map((one) => {
    const [first = '', ...rest] = one.name.split(' ');
    return { word: first, help: rest.length === 0 ? one.summary : (groups[first] ?? ''), isCommand: true };
  });
  return [...new Map(words.map((word) => [word.word, word])).values()];
}

function innerWords(commands: readonly Command[], group: string): Position['words'] {
  return commands
    .filter((one) => one.name.startsWith(`${group} `))
    .map((one) => ({ word: one.name.slice(group.length + 1), help: one.summary, isCommand: true }));
}

function positionOf(command: Command): Position {
  const values = Object.values(command.arguments).flatMap((row) => row.choices ?? []);
  const own = Object.entries(command.options).map(([name, row]) => ({
    flag: optionFlag(name),
    help: row.help,
    takesValue: row.kind !== undefined,
    choices: row.kind?.choices ?? [],
    isFile: row.kind?.isFile === true,
  }));
  const settings = settingsOf(command).map((row) => ({
    flag: `--${flagOf(row)}`,
    help: row.help,
    takesValue: true,
    choices: row.kind.choices ?? [],
    isFile: row.kind.isFile === true,
  }));
  return {
    path: command.name,
    words: values.map((word) => ({ word, help: '', isCommand: false })),
    flags: [...own, ...settings, ...(command.json ? [JSON_FLAG] : []), ...COMMON, HELP],
  };
}
