import { describe, expect, it } from 'vitest';
import { ahead } from '../../src/api/readInOrder.ts';

/** A read whose fetches end when the test says so. */
function source(total: number, failAt?: number) {
  const log: string[] = [];
  const pending: (() => void)[] = [];
  let signal: AbortSignal | undefined;
  async function* open(given: AbortSignal): AsyncGenerator<number, string, void> {
    signal = given;
    try {
      for (let n = 0; n < total; n += 1) {
        log.push(`fetch ${n}`);
        await new Promise<void>((resolve, reject) => {
          pending.push(n === failAt ? () => reject(new Error(`fetch ${n} failed`)) : resolve);
          given.addEventListener('abort', () => reject(given.reason), { once: true });
        });
        yield n;
      }
      return 'the end';
    } finally {
      log.push('closed');
    }
  }
  const answer = async () => {
    while (pending.length === 0) await new Promise((resolve) => setImmediate(resolve));
    pending.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { open, log, answer, signal: () => signal };
}

describe('ahead', () => {
  it('fetches the next page while the caller works on the last, and no further', async () => {
    const { open, log, answer } = source(5);
    const pages = ahead(open);
    const first = pages.next();
    await answer();
    expect((await first).value).toBe(0);
    expect(log).toEqual(['fetch 0', 'fetch 1']);
    await answer();
    expect(log).toEqual(['fetch 0', 'fetch 1']);
    expect((await pages.next()).value).toBe(1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(log).toEqual(['fetch 0', 'fetch 1', 'fetch 2']);
    await pages.return('left');
  });

  it('gives the same values and the return value', async () => {
    async function* open() {
      yield* [1, 2, 3];
      return 'the end';
    }
    const pages = ahead(open, undefined, 2);
    const got = [];
    let next = await pages.next();
    for (; !next.done; next = await pages.next()) got.push(next.value);
    expect(got).toEqual([1, 2, 3]);
    expect(next.value).toBe('the end');
  });

  it('aborts the request in flight and closes the read when the caller leaves', async () => {
    const { open, log, answer, signal } = source(5);
    const loop = (async () => {
      for await (const _ of ahead(open)) break;
    })();
    await answer();
    await loop;
    expect(log.at(-1)).toBe('closed');
    expect(signal()?.aborted).toBe(true);
  });

  it('closes the read when the caller throws, and lets that error through', async () => {
    const { open, log, answer } = source(5);
    const loop = (async () => {
      for await (const _ of ahead(open)) throw new Error('the warehouse is away');
    })();
    await Promise.all([answer(), expect(loop).rejects.toThrow('the warehouse is away')]);
    expect(log.at(-1)).toBe('closed');
  });

  it('raises an error of the read behind the pages that came before it', async () => {
    const { open, answer } = source(5, 1);
    const pages = ahead(open);
    const first = pages.next();
    await answer();
    expect((await first).value).toBe(0);
    await answer();
    await expect(pages.next()).rejects.toThrow('fetch 1 failed');
  });

  it("ends with the caller's own signal", async () => {
    const { open } = source(5);
    const stop = new AbortController();
    const next = ahead(open, stop.signal).next();
    stop.abort(new Error('stopped'));
    await expect(next).rejects.toThrow('stopped');
  });
});
