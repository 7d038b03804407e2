import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runCli } from '../support/cli.ts';

it('clients-mirror demo plays what the README shows, on nothing but Node', async () => {
  const readme = readFileSync('README.md', 'utf8');
  const shown = /\n```\n(A Clients API with .*?)```\n/s.exec(readme)?.[1];
  const cwd = mkdtempSync(join(tmpdir(), 'demo-'));
  const { stdout, ...rest } = await runCli(['demo'], { cwd });
  rmSync(cwd, { recursive: true });
  expect(rest).toEqual({ exit: 0, signal: null, stderr: '' });
  const anyPort = (text: string | undefined): string | undefined =>
    text?.replace(/(127\.0\.0\.1):\d+/, '$1:PORT');
  expect(anyPort(stdout)).toBe(anyPort(shown));
});
