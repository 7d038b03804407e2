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

describe('byExternalIds', () => {
  it('finds every client that has one of the keys, however small the pages of the server are', async () => {
    const server = await startSimulator({ clients: 20, pageCap: 3 });
    simulator = server;
    const keys = ['one', 'two', 'three', 'four', 'five'];
    const ids = [...keys, 'one', 'one'].map((externalId) => server.source.insert({ externalId }).id);
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
    const { rows } = await reader.byExternalIds([...keys, 'nobody']);
    expect(new Set(rows.map(({ id }) => id))).toEqual(new Set(ids));
    expect((await reader.byExternalIds(['nobody'])).rows).toEqual([]);
    api.close();
  });
});
