import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { createLinkedAbort, withTimeLimit } from '../src/abort.ts';

setFlagsFromString('--expose_gc');
const collectGarbage = runInNewContext('gc') as () => void;

const aborted = (signal: AbortSignal) =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(signal.reason)));

describe('createLinkedAbort', () => {
  it('is aborted with any that it follows, for the same reason, and by itself', async () => {
    for (const which of [0, 1]) {
      const followed = [new AbortController(), new AbortController()];
      const link = createLinkedAbort(...followed.map(({ signal }) => signal));
      followed[which]?.abort('enough');
      expect(link.signal.reason).toBe('enough');
    }
    const followed = new AbortController();
    const link = createLinkedAbort(undefined, followed.signal);
    link.abort('mine');
    expect([link.signal.reason, followed.signal.aborted]).toEqual(['mine', false]);
  });

  it('follows one that is aborted already', () => {
    expect(createLinkedAbort(AbortSignal.abort('before')).signal.reason).toBe('before');
  });

  it('stops following when closed', () => {
    const followed = new AbortController();
    const link = createLinkedAbort(followed.signal);
    link.close();
    followed.abort();
    expect(link.signal.aborted).toBe(false);
  });
});

describe('withTimeLimit', () => {
  it('ends the time, whatever garbage is collected meanwhile', async () => {
    const collecting = setInterval(collectGarbage, 10);
    try {
      const ours = new AbortController();
      const reason = await withTimeLimit(100, ours.signal, (limit) =>
        Promise.race([aborted(limit), delay(2_000)]),
      );
      expect(reason).toEqual(new Error('not done within 100 ms'));
    } finally {
      clearInterval(collecting);
    }
  });

  it('gives back what was done in time, or the abort of the one it follows', async () => {
    const ours = new AbortController();
    expect(await withTimeLimit(10_000, ours.signal, async () => 'done')).toBe('done');
    const waiting = withTimeLimit(10_000, ours.signal, aborted);
    ours.abort('enough');
    expect(await waiting).toBe('enough');
  });
});
