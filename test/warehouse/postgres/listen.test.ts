/** The ear for edits: it outlives a Postgres that is away for weeks, and never keeps a worker from stopping. */
import { getEventListeners, once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { type ListenOptions, listenForEdits } from '../../../src/warehouse/postgres/listen.ts';

const ATTEMPTS = 15;

function optionsFor(url: string, more: Pick<ListenOptions, 'clock' | 'signal'>): ListenOptions {
  return { url, schema: 'public', onEdit: () => undefined, onState: () => undefined, ...more };
}

describe('listenForEdits', () => {
  it('leaves nothing in the signal, however often it cannot connect', async () => {
    const stop = new AbortController();
    const left: number[] = [];
    const clock = {
      now: systemClock.now,
      async sleep() {
        left.push(getEventListeners(stop.signal, 'abort').length);
        if (left.length === ATTEMPTS) stop.abort();
      },
    };
    await listenForEdits(optionsFor('postgres://127.0.0.1:1/nobody', { clock, signal: stop.signal }));
    expect(left).toEqual(Array(ATTEMPTS).fill(0));
  });

  it('stops at once, also while a server keeps it waiting', async () => {
    const deaf = createServer().listen(0, '127.0.0.1');
    await once(deaf, 'listening');
    const { port } = deaf.address() as AddressInfo;
    const stop = new AbortController();
    const asked = once(deaf, 'connection');
    const listening = listenForEdits(
      optionsFor(`postgres://127.0.0.1:${port}/nobody`, { clock: systemClock, signal: stop.signal }),
    );
    const [socket] = await asked;
    stop.abort();
    const late = new AbortController();
    const ended = listening.then(() => 'stopped');
    const waited = systemClock.sleep(2_000, late.signal).then(
      () => 'still waiting',
      () => 'stopped',
    );
    expect(await Promise.race([ended, waited])).toBe('stopped');
    late.abort();
    socket.destroy();
    deaf.close();
  });
});
