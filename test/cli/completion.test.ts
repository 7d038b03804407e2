import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { renderCompletion, type Shell } from '../../src/cli/completion/shells.ts';
import { COMMANDS, GROUPS } from '../../src/cli/table.ts';

let folder: string;
const scripts: Record<Shell, string> = { bash: '', zsh: '', fish: '' };

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'completion-'));
  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    scripts[shell] = join(folder, shell === 'zsh' ? '_clients-mirror' : `clients-mirror.${shell}`);
    writeFileSync(scripts[shell], renderCompletion(shell, COMMANDS, GROUPS));
  }
  writeFileSync(join(folder, 'my settings.env'), '');
});

afterAll(() => rmSync(folder, { recursive: true }));

function has(shell: Shell): boolean {
  return spawnSync(shell, ['-c', 'true']).status === 0;
}

/** What bash offers for the last word, splitting words as bash itself does. */
function bash(...words: string[]): string[] {
  const program = `source "$1"; cd "$2"; shift 2; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _clients_mirror; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const args = ['--norc', '-c', program, 'bash', scripts.bash, folder, 'clients-mirror', ...words];
  return execFileSync('bash', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
    .split('\n')
    .filter((word) => word !== '');
}

const API = ['list', 'get', 'create', 'replace', 'update', 'delete'];

describe('the bash script', () => {
  it('offers every command and group at first', () => {
    expect(bash('')).toEqual([...new Set(COMMANDS.map((command) => command.name.split(' ')[0]))]);
  });

  it('offers the commands of a group', () => {
    expect(bash('ap')).toEqual(['api']);
    expect(bash('api', '')).toEqual(API);
    expect(bash('api', 'de')).toEqual(['delete']);
  });

  it('offers the options of a command, its settings among them', () => {
    expect(bash('api', 'list', '--o')).toEqual(['--owner-id', '--orderby']);
    expect(bash('api', 'list', '--clients')).toEqual(['--clients-api-url', '--clients-api-token-file']);
    expect(bash('api', 'get', '--filter')).toEqual([]);
  });

  it('offers the values of an option and of an argument', () => {
    expect(bash('completion', '')).toEqual(['bash', 'zsh', 'fish']);
    expect(bash('api', 'list', '--log-level', 'w')).toEqual(['warn']);
    expect(bash('api', 'list', '--log-format', '=', 'j')).toEqual(['json']);
    expect(bash('api', 'list', '--log-format', '=')).toEqual(['text', 'json']);
    expect(bash('api', 'list', '--top', '')).toEqual([]);
  });

  it('offers files where a file is meant, spaces in their names included', () => {
    expect(bash('--config', 'my')).toEqual(['my settings.env']);
  });

  it('is not led astray by the value of an option', () => {
    expect(bash('--config', 'api', '')).toEqual(bash(''));
    expect(bash('--config', '=', 'x', 'api', '')).toEqual(API);
    expect(bash('--log-level', 'debug', 'api', '')).toEqual(API);
  });
});

describe.runIf(has('fish'))('the fish script', () => {
  function fish(line: string): string[] {
    const args = ['--no-config', '-c', `source ${scripts.fish}; cd ${folder}; complete -C '${line}'`];
    return (
      execFileSync('fish', args, { encoding: 'utf8' })
        .split('\n')
        .filter((word) => word !== '')
        // Older ones escape the spaces of a file's name.
        .map((word) => (word.split('\t')[0] ?? '').replaceAll('\\ ', ' '))
    );
  }

  it('offers commands, options, values and files', () => {
    expect(fish('clients-mirror ap')).toEqual(['api']);
    expect(fish('clients-mirror api ').sort()).toEqual([...API].sort());
    expect(fish('clients-mirror --config x api de')).toEqual(['delete']);
    expect(fish('clients-mirror api list --ow')).toEqual(['--owner-id']);
    expect(fish('clients-mirror api list --log-level w')).toEqual(['warn']);
    expect(fish('clients-mirror completion z')).toEqual(['zsh']);
    expect(fish('clients-mirror --config my')).toEqual(['my settings.env']);
  });
});

describe.runIf(has('zsh'))('the zsh script', () => {
  it('is one that zsh reads and registers', () => {
    const program = `autoload -Uz compinit; compinit -u -D; source ${scripts.zsh}; print $_comps[clients-mirror]`;
    expect(execFileSync('zsh', ['-f', '-c', program], { encoding: 'utf8' }).trim()).toBe('_clients_mirror');
  });

  it('offers the words that stand at a position', () => {
    // The builtins that talk to the terminal are replaced by ones that print.
    const program = `
      compdef() { :; }; _files() { print files; }
      compadd() { shift; print -l -- "$@"; }
      _describe() { local last=\${@[-1]}; print -l -- "\${(@P)last}"; }
      source "$1"; shift
      words=(clients-mirror "$@"); CURRENT=\${#words}; _clients_mirror`;
    const offered = (...words: string[]): string[] =>
      execFileSync('zsh', ['-f', '-c', program, 'zsh', scripts.zsh, ...words], { encoding: 'utf8' })
        .split('\n')
        .filter((word) => word !== '')
        .map((word) => word.split(':')[0] ?? '');
    expect(offered('api', '')).toEqual(API);
    expect(offered('--config', 'api', '')).toEqual(offered(''));
    expect(offered('api', 'list', '-')).toContain('--owner-id');
    expect(offered('api', 'list', '--log-format', '')).toEqual(['text', 'json']);
    expect(offered('api', 'list', '--config', '')).toEqual(['files']);
    expect(offered('completion', '')).toEqual(['bash', 'zsh', 'fish']);
  });
});
