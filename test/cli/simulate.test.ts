import { describe, expect, it } from 'vitest';
import { runCli, startCli } from '../support/cli.ts';

describe('clients-mirror simulate', () => {
  it('prints what to export, serves until it is stopped, and ends well', async () => {
    const running = startCli(['simulate', '--clients', '7', '--seed', '3', '--base-path', '/homedashboard']);
    await running.until('runs until it is stopped');
    const { stdout } = running.output();
    const lines = /^export CLIENTS_API_URL=(\S+)\nexport CLIENTS_API_TOKEN=(\S+)\n$/.exec(stdout);
    const [, url = '', token = ''] = lines ?? expect.fail(stdout);
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/homedashboard$/);
    const listed = await runCli(['api', 'list', '--top', '100'], {
      env: { CLIENTS_API_URL: url, CLIENTS_API_TOKEN: token },
    });
    expect(JSON.parse(listed.stdout)).toHaveLength(7);
    running.child.kill('SIGTERM');
    expect(await running.done).toMatchObject({ exit: 0, signal: null });
  });

  it.each([
    [['--throttle', '2'], '--throttle must be a number from 0 to 1'],
    [['--clients', '-5'], '--clients must be a whole number'],
    [['--id-order', 'random'], '--id-order must be text or sqlserver'],
    [['--port', '99999'], '--port must be a whole number'],
  ])('refuses %j', async (args, words) => {
    const result = await runCli(['simulate', ...args]);
    expect(result).toMatchObject({ exit: 2, stdout: '' });
    expect(result.stderr).toContain(words);
  });

  it('needs no setting and minds no bad one', async () => {
    const running = startCli(['simulate', '--json'], {
      env: { MIRROR_PUSH: 'perhaps', CLIENTS_API_URL: 'x' },
    });
    await running.until('runs until');
    expect(JSON.parse(running.output().stdout)).toEqual({
      url: expect.any(String),
      token: expect.any(String),
    });
    const taken = new URL(JSON.parse(running.output().stdout).url).port;
    const second = await runCli(['simulate', '--port', taken]);
    expect(second.exit).toBe(2);
    expect(second.stderr).toContain('the port is taken');
    running.child.kill('SIGINT');
    expect(await running.done).toMatchObject({ exit: 0 });
  });
});
