/** The form that the build leaves beside the program: taken by the V8 that made it, and never needed. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import Module from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const DIST = fileURLToPath(new URL('../../dist', import.meta.url));

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'clients-mirror-start-'));
  cpSync(DIST, join(folder, 'dist'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "version": "7.8.9" }');
});

afterEach(() => rmSync(folder, { recursive: true }));

/** The copy's `--version`, with `flags` for Node. */
function version(...flags: readonly string[]): string {
  const args = [...flags, join(folder, 'dist/clients-mirror.js'), '--version'];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return stdout + stderr;
}

describe('the compiled program', () => {
  const compiled = () => join(folder, `dist/program.js.${process.version}-${process.arch}`);

  it('is what V8 makes of the program that lies beside it', () => {
    const source = Module.wrap(readFileSync(join(folder, 'dist/program.js'), 'latin1'));
    const script = new Script(source, { cachedData: readFileSync(compiled()) });
    expect(script.cachedDataRejected).toBe(false);
    expect(version()).toBe('7.8.9\n');
  });

  it('is not missed: without it the program compiles as usual', () => {
    rmSync(compiled());
    expect(version()).toBe('7.8.9\n');
  });

  it.each([
    ['empty', () => Buffer.alloc(0)],
    ['cut off', (whole: Buffer) => whole.subarray(0, whole.length / 2)],
    ["another V8's", (whole: Buffer) => Buffer.from(whole).fill(0xff, 4, 8)],
    ['no such thing', () => Buffer.from('something else altogether, and long enough to be looked at')],
  ])('is not believed when it is %s', (_, spoil) => {
    writeFileSync(compiled(), spoil(readFileSync(compiled())));
    expect(version()).toBe('7.8.9\n');
  });

  it('leaves source maps to Node: a stack trace names the source', () => {
    const args = [
      '--enable-source-maps',
      join(folder, 'dist/clients-mirror.js'),
      'snyc',
      '--log-level=debug',
    ];
    const { stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(stderr).toContain('src/cli/program.ts:');
    expect(version('--enable-source-maps')).toBe('7.8.9\n');
  });
});
