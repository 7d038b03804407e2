/** Clients are looked up by externalId before one is created again: none that has it may be left out. */
import { afterEach, describe, expect, it } from 'vitest';
import { createApi } from '../../src/api/api.ts';
import { createReader } from '../../src/api/reader.ts';
import { createTokenSource } from '../../src/api/token.ts';
import { createTransport } from '../../src/api/transport.ts';
import { systemClock } from '../../src/clock.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';

let simulator: Simulator | undefined;
afterEach(() => simulator?.close());

async function open(pageCap: number) {
  const server = await startSimulator({ clients: 20, pageCap });
  simulator = server;
  const api = createApi(
    createTransport({
      baseUrl: server.url,
      tokenSource: createTokenSource({ token: server.token }),
      clock: systemClock,
      emit: () => undefined,
      concurrency: 2,
    }),
  );
  const reader = createReader(api, {
    ownerId: null,
    excluded: new Set(),
    found: [],
    acceptsNul: true,
    emit: () => undefined,
  });
  return { server, api, reader };
}

const KEYS = ['one', 'two', 'three', 'four', 'five'];

describe('byExternalIds', () => {
  it('finds every client that has one of the keys, however small the pages of the server are', async () => {
    const { server, api, reader } = await open(3);
    const ids = [...KEYS, 'one', 'one'].map((externalId) => server.source.insert({ externalId }).id);
    const { rows } = await reader.byExternalIds([...KEYS, 'nobody']);
    expect(new Set(rows.map(({ id }) => id))).toEqual(new Set(ids));
    expect((await reader.byExternalIds(['nobody'])).rows).toEqual([]);
    api.close();
  });

  it.each(['removed', 'inserted'])('misses none while others are %s between its pages', async (what) => {
    for (let at = 2; at <= 5; at += 1) {
      const { server, api, reader } = await open(3);
      const ids = [...KEYS, ...KEYS].map((externalId) => server.source.insert({ externalId }).id).sort();
      const [first = ''] = ids;
      let requests = 0;
      server.setOnRequest(() => {
        requests += 1;
        if (requests !== at) return;
        if (what === 'removed') server.source.remove(first);
        else for (const externalId of KEYS) server.source.insert({ externalId });
      });
      const { rows } = await reader.byExternalIds(KEYS);
      expect(new Set(rows.map(({ id }) => id))).toEqual(new Set([...ids, ...rows.map(({ id }) => id)]));
      api.close();
      await server.close();
    }
    simulator = undefined;
  });

  it('ends where clients never stand still, or where a server answers one a page', async () => {
    const { server, api, reader } = await open(3);
    for (const externalId of KEYS) server.source.insert({ externalId });
    server.setOnRequest(() => {
      const [first] = server.source.all().filter(({ externalId }) => KEYS.includes(externalId ?? ''));
      server.source.remove(first?.id ?? '');
      for (const externalId of KEYS) server.source.insert({ externalId });
    });
    await expect(reader.byExternalIds(KEYS)).rejects.toMatchObject({ code: 'READ_STUCK', retry: 'later' });
    api.close();
    await server.close();
    const narrow = await open(1);
    for (const externalId of KEYS) narrow.server.source.insert({ externalId });
    await expect(narrow.reader.byExternalIds(KEYS)).rejects.toThrow('does not honour $top');
    narrow.api.close();
  });
});
