import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { flagOf, SETTINGS } from '../../config/settings.ts';
import { optionFlag } from '../../src/cli/command.ts';
import { parseCommandLine, settingsOf } from '../../src/cli/program.ts';
import { COMMANDS, GROUPS } from '../../src/cli/table.ts';
import { isSyncError } from '../../src/errors.ts';

function parse(...argv: string[]) {
  return parseCommandLine(argv, COMMANDS, { version: () => '9.9.9', groups: GROUPS });
}

function refusal(...argv: string[]): string {
  try {
    parse(...argv);
  } catch (error) {
    if (isSyncError(error, 'USAGE') && error.hint === '') return error.message;
    throw error;
  }
  return 'nothing was wrong';
}

function run(...argv: string[]) {
  const parsed = parse(...argv);
  if (parsed.kind !== 'run') throw new Error('not a run');
  return parsed;
}

describe('parseCommandLine', () => {
  it('reads a command with its arguments, options and settings', () => {
    const parsed = run(
      'api',
      'list',
      '--filter',
      "email eq 'a'",
      '--skip=2',
      '--top',
      '0',
      '--clients-api-url',
      'http://x',
      '--json',
    );
    expect(parsed.command.name).toBe('api list');
    expect(parsed.input.flags).toMatchObject({ filter: "email eq 'a'", skip: 2, top: 0, ownerId: undefined });
    expect(parsed.settings).toEqual({ apiUrl: 'http://x' });
    expect(parsed.globals).toEqual({
      json: true,
      logLevel: 'info',
      logFormat: 'text',
      configFile: undefined,
    });
    expect(run('api', 'get', 'abc').input.args).toEqual({ id: 'abc' });
    expect(run('api', 'delete').input).toEqual({ args: { id: undefined }, flags: { all: false } });
    expect(run('api', 'create', '--data', '-').input.flags).toEqual({ data: '-' });
  });

  it('takes the common options before and behind the command', () => {
    const before = run('--config', 'a.env', '--log-level', 'debug', 'api', 'list').globals;
    const behind = run('api', 'list', '--config', 'a.env', '--log-level', 'debug').globals;
    expect(before).toEqual(behind);
    expect(before).toMatchObject({ configFile: 'a.env', logLevel: 'debug' });
  });

  it.each([
    [['doctr'], "unknown command 'doctr'; did you mean doctor?"],
    [['api', 'lst'], "unknown command 'lst'; did you mean list?"],
    [['api', 'list', '--flter', 'x'], "unknown option '--flter'; did you mean --filter?"],
    [['api', 'list', '--skip', '-1'], '--skip must be a whole number'],
    [['api', 'list', '--owner-id', 'me'], '--owner-id must be a uuid'],
    [['api', 'list', '--filter'], 'argument missing'],
    [['api', 'list', '--log-level', 'loud'], 'Allowed choices are debug'],
    [['api', 'get'], "missing required argument 'id'"],
    [['api', 'get', 'a', 'b'], 'too many arguments'],
    [['completion', 'tcsh'], 'Allowed choices are bash, zsh, fish'],
    [['--frobnicate'], "unknown option '--frobnicate'"],
  ])('refuses %j in one line', (argv, words) => {
    const message = refusal(...argv);
    expect(message).toContain(words);
    expect(message).not.toContain('\n');
  });

  it('shows help and version where they are asked for', () => {
    expect(parse('--version')).toEqual({ kind: 'show', text: '9.9.9\n', isError: false });
    expect(parse('-V')).toMatchObject({ text: '9.9.9\n' });
    expect(parse('help', 'api')).toMatchObject({ kind: 'show', isError: false });
    expect(parse()).toMatchObject({ kind: 'show', isError: true });
    expect(parse('api')).toMatchObject({ kind: 'show', isError: true });
  });

  it('has help for every command that names its options and its settings', () => {
    for (const command of COMMANDS) {
      const shown = parse(...command.name.split(' '), '--help');
      if (shown.kind !== 'show') throw new Error('no help');
      expect(shown.isError).toBe(false);
      for (const name of Object.keys(command.options)) expect(shown.text).toContain(optionFlag(name));
      for (const row of settingsOf(command)) expect(shown.text).toContain(`--${flagOf(row)} `);
      expect(shown.text).not.toMatch(/<\w/);
    }
  });

  it.each([
    [
      'completion',
      'bash: clients-mirror completion bash > ~/.local/share/bash-completion/completions/clients-mirror',
    ],
    ['api list', '--filter "updatedOn ge 2026-01-01T00:00:00Z" --orderby updatedOn,id --top 10'],
  ])('never breaks the line of an example: %s', (name, example) => {
    const shown = parse(...name.split(' '), '--help');
    expect(shown.kind === 'show' && shown.text.split('\n').some((line) => line.includes(example))).toBe(true);
  });

  it('lists every command in the help of the program', () => {
    const shown = parse('--help');
    if (shown.kind !== 'show') throw new Error('no help');
    for (const command of COMMANDS) {
      expect(shown.text).toContain(command.name.split(' ')[0]);
      expect(shown.text).toContain(command.name.split(' ').at(-1));
    }
  });

  it('answers anything with help, a run or one line', () => {
    const words = [
      ...COMMANDS.flatMap((command) => command.name.split(' ')),
      '--json',
      '--skip',
      '--',
      '-',
      '-x',
      'help',
    ];
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constantFrom(...words), fc.string())), (argv) => {
        expect(refusal(...argv)).not.toContain('\n');
      }),
    );
  });
});

describe('COMMANDS', () => {
  it('name each command once, in groups that are described', () => {
    expect(new Set(COMMANDS.map((command) => command.name)).size).toBe(COMMANDS.length);
    for (const [group, inner] of COMMANDS.map((command) => command.name.split(' '))) {
      if (inner !== undefined) expect(GROUPS).toHaveProperty(group ?? '');
    }
  });

  it('have no option that hides a setting or a common option', () => {
    const common = ['--json', '--config', '--log-level', '--log-format', '--help', '--version'];
    for (const command of COMMANDS) {
      const taken = [...settingsOf(command).map((row) => `--${flagOf(row)}`), ...common];
      for (const name of Object.keys(command.options)) expect(taken).not.toContain(optionFlag(name));
    }
  });

  it('give a flag the same arity wherever it stands, as completion counts on it', () => {
    const arity = new Map<string, boolean>(SETTINGS.map((row) => [`--${flagOf(row)}`, true]));
    for (const command of COMMANDS) {
      for (const [name, row] of Object.entries(command.options)) {
        const takesValue = row.kind !== undefined;
        expect(arity.get(optionFlag(name)) ?? takesValue).toBe(takesValue);
        arity.set(optionFlag(name), takesValue);
      }
    }
  });

  it('are summed up in one line, lower case, no full stop', () => {
    for (const command of COMMANDS) {
      expect(command.summary).toMatch(/^(?:[a-z]|GET|POST|PUT|PATCH|DELETE)[^\n]*[^.\n]$/);
    }
  });
});
