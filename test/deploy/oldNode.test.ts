/**
 * The oldest Node that package.json allows cannot `require` an ES module (20.19 can). What we depend on must not do it
 * either: a library that came to it behind our back kept the worker from starting there.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const FLAG = '--no-experimental-require-module';
const isOldEnough = process.allowedNodeEnvironmentFlags.has('--experimental-require-module');

async function dependencies(): Promise<readonly string[]> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  return Object.keys((JSON.parse(text) as { dependencies: object }).dependencies);
}

describe.runIf(isOldEnough)('a Node that cannot require ES modules', () => {
  it('loads every dependency', async () => {
    const names = await dependencies();
    const script = `for (const name of ${JSON.stringify(names)}) await import(name); console.log('loaded'); process.exit();`;
    const node = [FLAG, '--input-type=module', '--eval', script];
    const { stdout } = await promisify(execFile)(process.execPath, node, { timeout: 60_000 });
    expect(stdout).toBe('loaded\n');
  });
});
