import { describe, expect, it } from 'vitest';
import type { SyncEvent } from '../../src/events.ts';
import { createEventLog } from '../../src/observe/eventLog.ts';
import { createLog, type LogOptions } from '../../src/observe/log.ts';
import { createObserver } from '../../src/observe/observer.ts';

function recorded(options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const whole: LogOptions = {
    level: 'info',
    format: 'text',
    colour: false,
    redact: (line) => line.replaceAll('hunter2', '[secret]'),
    write: (line) => lines.push(line),
    ...options,
  };
  return { lines, options: whole };
}

const STAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /;

describe('createLog', () => {
  it('writes a plain line a message in a pipe', () => {
    const { lines, options } = recorded();
    createLog(options).info('hello', { rows: 3, by: 'me' });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(STAMP);
    expect(lines[0]?.replace(STAMP, '')).toBe('info  hello rows=3 by=me\n');
  });

  it("writes pino's JSON on request", () => {
    const { lines, options } = recorded({ format: 'json' });
    createLog(options).warn('careful', { rows: 3 });
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 40, msg: 'careful', rows: 3 });
  });

  it('writes colours on a terminal only', () => {
    const { lines, options } = recorded({ colour: true });
    createLog(options).error('bad');
    expect(lines[0]).toContain('\x1b[');
    expect(lines[0]).toContain('bad');
  });

  it('leaves out what is below the level', () => {
    const { lines, options } = recorded({ level: 'warn' });
    const log = createLog(options);
    log.debug('a');
    log.info('b');
    log.warn('c');
    expect(lines).toHaveLength(1);
  });

  it('redacts every line, fields and nested values too', () => {
    for (const format of ['text', 'json'] as const) {
      const { lines, options } = recorded({ format });
      createLog(options).info('token hunter2', { a: { b: ['hunter2'] }, hunter2: 1 });
      expect(lines.join('')).not.toContain('hunter2');
    }
  });
});

function events(summaries = true) {
  const { lines, options } = recorded({ level: 'debug' });
  let nowMs = 0;
  const log = createLog(options);
  const watch = createEventLog({ log, now: () => nowMs, summaries });
  return {
    texts: () => lines.map((line) => line.replace(STAMP, '').trimEnd()),
    at(ms: number, event: SyncEvent) {
      nowMs = ms;
      watch.emit(event);
    },
    close: watch.close,
  };
}

const PAGE: SyncEvent = { type: 'pageCommitted', kind: 'backfill', rows: 500, written: 500, key: null };
const RETRY: SyncEvent = {
  type: 'requestRetried',
  method: 'GET',
  path: '/clients',
  attempt: 1,
  delayMs: 1200,
  reason: 'answered 503',
};

describe('createEventLog', () => {
  it('tells a run in a line at the beginning, one each ten seconds, and one at the end', () => {
    const { at, texts } = events();
    at(0, { type: 'runStarted', kind: 'backfill', resumed: false });
    for (let ms = 500; ms <= 25_000; ms += 500) at(ms, PAGE);
    at(26_000, { type: 'runFinished', kind: 'backfill', rows: 25_000, requests: 51 });
    expect(texts()).toEqual([
      'info  backfill begins',
      'info  backfill: 10,000 rows, 1,000 rows/s, 0 requests',
      'info  backfill: 20,000 rows, 1,000 rows/s, 0 requests',
      'info  backfill done: 25,000 rows read, 51 requests in 26.0 s',
    ]);
  });

  it('says so when a run goes on where it was', () => {
    const { at, texts } = events();
    at(0, { type: 'runStarted', kind: 'backfill', resumed: true });
    expect(texts()).toEqual(['info  backfill goes on where it was']);
  });

  it('leaves the summaries to the bar on a terminal', () => {
    const { at, texts } = events(false);
    at(0, { type: 'runStarted', kind: 'backfill', resumed: false });
    at(60_000, PAGE);
    expect(texts()).toEqual(['info  backfill begins']);
  });

  it('warns of a retry, and of a flood of them with a count', () => {
    const { at, texts, close } = events();
    for (let index = 0; index < 8; index += 1) at(index, RETRY);
    close();
    expect(texts()).toEqual([
      ...Array.from(
        { length: 3 },
        () => 'warn  GET /clients: answered 503; trying again in 1.2 s (attempt 2)',
      ),
      'warn  5 more of these: requests that are tried again',
    ]);
  });

  it('tells quarantine, notices, caps and a new token', () => {
    const { at, texts } = events();
    at(0, { type: 'rowQuarantined', id: null, reason: 'email is missing' });
    at(0, { type: 'notice', message: 'look here' });
    at(0, { type: 'pageCapped', asked: 1000, got: 100 });
    at(0, { type: 'tokenReread' });
    at(0, { type: 'rowsDeferred', count: 2 });
    expect(texts()).toEqual([
      'warn  client without id cannot be mirrored: email is missing',
      'warn  look here',
      'info  the API answers at most 100 rows a request (1,000 were asked for)',
      'info  the token was read again',
      'debug rowsDeferred count=2',
    ]);
  });
});

describe('createObserver', () => {
  function observed(options: { isTerminal: boolean; level?: 'info' | 'warn'; format?: 'text' | 'json' }) {
    const { lines, options: log } = recorded(options);
    let nowMs = 0;
    const observer = createObserver({ ...log, ...options, columns: () => 80, now: () => nowMs });
    const run = (): string => {
      observer.emit({ type: 'runStarted', kind: 'backfill', resumed: false });
      nowMs = 1000;
      observer.emit(PAGE);
      observer.emit(RETRY);
      nowMs = 2000;
      observer.emit({ type: 'runFinished', kind: 'backfill', rows: 500, requests: 1 });
      observer.close();
      return lines.join('');
    };
    return run();
  }

  it('draws a bar on a terminal and takes it away at the end', () => {
    const text = observed({ isTerminal: true });
    expect(text).toContain('\rbackfill  500 rows');
    const last = text.slice(text.lastIndexOf('\r'));
    expect(last.startsWith('\r\x1b[K')).toBe(true);
    expect(last).toContain('backfill done');
    expect(text.endsWith('\n')).toBe(true);
  });

  it.each([
    { isTerminal: false },
    { isTerminal: true, level: 'warn' as const },
    { isTerminal: true, format: 'json' as const },
  ])('draws none for %o', (options) => {
    expect(observed(options)).not.toContain('\r');
  });
});
