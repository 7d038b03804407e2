/** What a worker that runs for months says, and what it does not. */
import { describe, expect, it } from 'vitest';
import { createJobLog } from '../../jobs/jobLog.ts';

function world() {
  let nowMs = 0;
  const lines: string[] = [];
  const write = (level: string) => (message: string) => void lines.push(`${level}: ${message}`);
  const log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
  const passed: string[] = [];
  const jobLog = createJobLog(
    log,
    (event) => void passed.push(event.type),
    () => nowMs,
  );
  return { lines, passed, jobLog, wait: (ms: number) => (nowMs += ms) };
}

describe('createJobLog', () => {
  it('is silent about idle turns, and tells those that wrote', () => {
    const { lines, jobLog } = world();
    jobLog.done('pull', { rows: 2, written: 0, requests: 2 }, 100);
    jobLog.done('pull', { rows: 7, written: 5, requests: 2 }, 100);
    jobLog.done('window', { rows: 7, written: 7, requests: 2 }, 100);
    expect(lines).toEqual([
      'debug: pull done in 0.1 s',
      'info: pull done in 0.1 s',
      'debug: window done in 0.1 s',
    ]);
  });

  it('tells the same failure once a minute, another at once, and when it is over', () => {
    const { lines, jobLog, wait } = world();
    for (let turn = 0; turn < 24; turn += 1) {
      jobLog.failed('push', 'the API is away');
      wait(5_000);
    }
    jobLog.failed('push', 'the token is old');
    jobLog.done('push', { skipped: 'another run holds it' }, 1);
    jobLog.done('push', { written: 0 }, 1);
    expect(lines.filter((line) => !line.startsWith('debug'))).toEqual([
      'warn: push failed: the API is away',
      'warn: push failed: the API is away',
      'warn: push failed: the token is old',
      'info: push works again',
    ]);
  });

  it('leaves to the jobs what they tell themselves, and shows how a backfill goes', () => {
    const { lines, passed, jobLog, wait } = world();
    const progress = { type: 'backfillProgress', share: 0.5, windowsOpen: 4, windowsDone: 4 } as const;
    jobLog.emit({ type: 'runStarted', kind: 'pull', resumed: false });
    jobLog.emit({ type: 'notice', message: 'look' });
    jobLog.emit(progress);
    jobLog.emit(progress);
    wait(10_000);
    jobLog.emit(progress);
    expect(passed).toEqual(['notice']);
    expect(lines).toEqual(Array(2).fill('info: backfill: 50 %, 4 windows open'));
  });
});
