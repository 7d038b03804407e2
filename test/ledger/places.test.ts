import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Instant } from '../../src/clients/instant.ts';
import {
  createPlaceStore,
  initialPlaceStatements,
  readStreamStates,
  type StreamState,
} from '../../src/ledger/places.ts';
import { statement, type Warehouse } from '../../src/warehouse/warehouse.ts';
import type { TestWarehouse } from '../contract/warehouse.ts';
import { describePostgres } from '../support/postgresWarehouse.ts';
import { makeSqlite } from '../support/sqlite.ts';

const KEY = '2026-02-03T04:05:06.0000007Z' as Instant;
const RESTING: StreamState = {
  key: KEY,
  seen: 12,
  seam: '00000000-0000-4000-8000-000000000001',
  atMs: 1_780_000_000_123,
  beganMs: 1_780_000_300_456,
  date: KEY,
  tail: { widest: 1000, digest: 'abc' },
  walk: null,
};
const WALKING: StreamState = {
  ...RESTING,
  walk: {
    place: { key: KEY, seen: 2, seam: { id: '00000000-0000-4000-8000-000000000002', key: KEY } },
    rest: { key: KEY, seen: 0, seam: null, atMs: 1_780_000_000_123 },
    beganMs: 1_780_000_600_000,
    date: null,
    behind: ['one row', 'another'],
  },
};
const EMPTY: StreamState = {
  ...RESTING,
  key: null,
  seen: 0,
  seam: null,
  date: null,
  tail: { widest: 0, digest: null },
};

describe.each(['sqlite', 'postgres'] as const)('createPlaceStore on %s', (kind) => {
  const postgres = describePostgres();
  let test: TestWarehouse;
  let warehouse: Warehouse;
  beforeAll(async () => {
    if (kind === 'postgres') await postgres.begin();
    test = await (kind === 'postgres' ? postgres.make() : makeSqlite());
    warehouse = await test.open();
  });
  afterAll(async () => {
    await warehouse?.close();
    await test?.dispose();
    await postgres.end();
  });

  it('gives back what it was given, walk and tail included', async () => {
    const store = createPlaceStore(warehouse, { planRows: () => [] });
    expect((await store.read()).get('updated')).toBeUndefined();
    for (const state of [EMPTY, WALKING, RESTING]) {
      await store.commitState('updated', state);
      expect((await store.read()).get('updated')).toEqual(state);
    }
    expect((await store.read()).get('created')).toBeUndefined();
  });

  it('writes rows and place together or not at all', async () => {
    const mark = statement("INSERT INTO mirror_settings (name, value) VALUES ('mark', '1')");
    const seen: number[] = [];
    const store = createPlaceStore<{ fail: boolean }>(warehouse, {
      planRows: (_, answer) => (answer.fail ? [mark, { ...mark, expect: 2 }] : [mark]),
      onPage: (_, results) => seen.push(results.length),
    });
    await store.commitState('created', RESTING);
    const page = { rows: [], state: WALKING };
    await expect(store.commitPage('created', { ...page, answer: { fail: true } })).rejects.toThrow();
    expect((await store.read()).get('created')).toEqual(RESTING);
    await store.commitPage('created', { ...page, answer: { fail: false } });
    expect((await store.read()).get('created')).toEqual(WALKING);
    expect(seen).toEqual([1]);
  });

  it('refuses a commit whose lease was lost', async () => {
    const lease = await warehouse.acquireLease('pull', 60_000);
    if (lease === null) throw new Error('no lease');
    const store = createPlaceStore(warehouse, { lease, planRows: () => [] });
    await store.commitState('updated', RESTING);
    const stale = createPlaceStore(warehouse, {
      lease: { ...lease, fence: lease.fence - 1 },
      planRows: () => [],
    });
    await expect(stale.commitState('updated', EMPTY)).rejects.toMatchObject({ code: 'LEASE_LOST' });
    expect((await store.read()).get('updated')).toEqual(RESTING);
  });

  it('replaces both places before a backfill', async () => {
    const places = new Map([
      ['updated', EMPTY],
      ['created', RESTING],
    ] as const);
    await warehouse.commit(initialPlaceStatements(places));
    expect(await readStreamStates(warehouse)).toEqual(new Map([...places].reverse()));
  });
});
