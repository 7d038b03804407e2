/**
 * Holds the house together: who may import whom, what only one place may do, and what must not be left lying
 * about. Size of files and functions, unused code and import cycles are the linter's.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';

/** A file may import from lower ranks, or from its own folder. Longest prefix wins. */
const RANKS: Readonly<Record<string, number>> = {
  'src/errors.ts': 0,
  'src/events.ts': 0.5,
  'src/clock.ts': 0,
  'src/abort.ts': 0,
  'src/clients/': 0,
  'src/api/': 1,
  'src/warehouse/': 1,
  'src/ledger/': 2,
  'src/rows/': 3,
  'src/pull/': 4,
  'src/push/': 4,
  'src/reconcile/': 4,
  'src/decisions/': 4.5,
  'src/sync.ts': 5,
  'src/status.ts': 5,
  'src/observe/': 5,
  'config/': 5,
  'src/faultPoint.ts': 5,
  'src/app.ts': 6,
  'src/doctor/': 6,
  'jobs/': 7,
  'src/http/': 7,
  'src/simulator/': 7,
  'src/cli/': 8,
};

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => /^(src|jobs|config)\/.*\.ts$/.test(path));

function roomOf(path: string): string {
  const rooms = Object.keys(RANKS).filter((room) => path.startsWith(room));
  return rooms.sort((a, b) => b.length - a.length)[0] ?? '';
}

const read = (path: string): string => readFileSync(path, 'utf8');

/** Without comments and strings, in which anything may be named. */
const code = (path: string): string =>
  read(path)
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/\/\/.*$/gm, '')
    .replace(/(['"`])(?:\\.|(?!\1)[^\\])*\1/g, "''");

function importsOf(path: string): string[] {
  const found = read(path).matchAll(/(?:from|import\()\s*'(\.[^']+)'/g);
  return [...found].map((match) => normalize(join(dirname(path), match[1]!)));
}

describe('the house', () => {
  it('has a rank for each file', () => {
    expect(files.filter((path) => roomOf(path) === '')).toEqual([]);
  });

  it('lets each file import only lower ranks and its own folder', () => {
    const wrong = files.flatMap((path) =>
      importsOf(path)
        .filter((target) => /^(src|jobs|config)\//.test(target))
        .filter((target) => {
          const [from, to] = [roomOf(path), roomOf(target)];
          return from !== to && RANKS[to]! >= RANKS[from]!;
        })
        .map((target) => `${path} → ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  it('ends the process in one place only', () => {
    const enders = files.filter((path) => /process\.exit\(/.test(code(path)));
    expect(enders.filter((path) => path !== 'src/cli/main.ts')).toEqual([]);
  });

  it('reads the environment in the command line only', () => {
    const readers = files.filter((path) => /process\.env/.test(code(path)));
    expect(readers.filter((path) => !path.startsWith('src/cli/'))).toEqual([]);
  });

  it('asks the clock for the time, never Date', () => {
    const askers = files.filter((path) => /\bDate\.now\(|new Date\(\)/.test(code(path)));
    const allowed = (path: string) => path === 'src/clock.ts' || path.startsWith('src/simulator/');
    expect(askers.filter((path) => !allowed(path))).toEqual([]);
  });

  it('follows an abort signal in one way, which keeps its time and leaves no trace', () => {
    expect(files.filter((path) => /\bAbortSignal\.(any|timeout)\b/.test(code(path)))).toEqual([]);
  });

  it('opens each file with what it is', () => {
    const silent = files.filter((path) => !/^(#!.*\n)?\/\*\*/.test(read(path)));
    expect(silent).toEqual([]);
  });

  it('leaves nothing for later', () => {
    const marks = new RegExp(`\\b(${['TO', 'FIX'].map((a, i) => a + ['DO', 'ME'][i]).join('|')})\\b`);
    expect(files.filter((path) => marks.test(read(path)))).toEqual([]);
  });

  it('has a line in CONTRIBUTING.md for each folder', () => {
    const guide = read('CONTRIBUTING.md');
    const folders = new Set(files.map((path) => dirname(path)).filter((path) => path.split('/').length <= 2));
    expect([...folders].filter((folder) => !guide.includes(`${folder.replace(/^src\//, '')}/`))).toEqual([]);
  });
});
