/** Crafted scenes of the pull, one a promise. At random: histories.test.ts. */
import { describe, expect, it } from 'vitest';
import type { PageRequest } from '../../src/api/readInOrder.ts';
import { addSeconds, type Instant } from '../../src/clients/instant.ts';
import type { Stream } from '../../src/ledger/places.ts';
import { planBegin } from '../../src/pull/begin.ts';
import { initialPlaces, type PullAnswer, pullStreams } from '../../src/pull/incremental.ts';
import { idOf } from '../api/modelSource.ts';
import { createMirror, createWorld, FUTURE, type SourceOptions } from './world.ts';

const L = 300;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function scene(more: Partial<SourceOptions> = {}, lookbackSeconds = L) {
  const world = createWorld({ order: 'text', cap: 100, stampSkewMs: 0, dateSkewMs: 0, ...more });
  const mirror = createMirror();
  let requests: PageRequest[] = [];
  const list = async (request: PageRequest): Promise<PullAnswer> => {
    requests.push(request);
    const [rows, noted] = [world.answer(request), mirror.revision()];
    if (request.filter?.includes('eq null')) world.advance(slowMs);
    return { rows, date: world.date(), noted };
  };
  let interrupt = () => {};
  let slowMs = 0;
  return {
    world,
    mirror,
    list,
    /** From now on an answer of the stream `created` takes so long after its rows were looked up. */
    slow: (ms: number) => {
      slowMs = ms;
    },
    killAt: (n: number) => {
      let left = n;
      interrupt = () => {
        left -= 1;
        if (left === 0) throw new Error('killed');
      };
    },
    /** Takes the places, then mirrors all there is. */
    async start() {
      const places = await initialPlaces(list, world.clock, new AbortController().signal);
      for (const [stream, state] of places) mirror.save(stream, state);
      const all = { filter: 'createdOn ne null', orderby: 'createdOn,id', skip: 0, top: 1_000_000 };
      for (const row of world.answer(all)) mirror.take(row, mirror.revision());
      requests = [];
      return places;
    },
    async pull(pageSize = 50) {
      requests = [];
      const store = mirror.storeWith(() => interrupt());
      const { clock } = world;
      await pullStreams({ list, store, clock, lookbackSeconds, pageSize });
      return requests;
    },
    /** Pulls until the lookback has nothing left to say. */
    async settle() {
      for (let n = 0; n < 3; n += 1) {
        world.advance(3 * HOUR);
        await this.pull();
      }
    },
    holds: (id: string) => mirror.rows.get(id)?.version === world.rows.get(id)?.version,
    key: (stream: Stream) => mirror.readState(stream)?.key ?? null,
  };
}

function ids(it: ReturnType<typeof scene>): string[] {
  return [...it.world.rows.keys()];
}

describe('pullStreams', () => {
  it('sees a new client, an updated one, and one that was updated for the first time', async () => {
    const it = scene();
    it.world.create(3);
    await it.start();
    const [first = ''] = ids(it);
    it.world.advance(MINUTE);
    it.world.create(1);
    it.world.update(first);
    await it.pull();
    it.world.advance(MINUTE);
    it.world.update(first);
    await it.pull();
    for (const id of ids(it)) expect(it.holds(id)).toBe(true);
  });

  it('costs two requests of at most one row each at rest, and writes nothing', async () => {
    const it = scene();
    it.world.create(5);
    it.world.update(ids(it)[0] ?? '');
    await it.start();
    await it.settle();
    const writes = it.mirror.writes();
    const requests = await it.pull();
    expect(requests).toHaveLength(2);
    expect(requests.map((request) => it.world.answer(request).length)).toEqual([1, 1]);
    expect(it.mirror.writes()).toBe(writes);
  });

  it('costs one request of no row where a stream is empty', async () => {
    const it = scene();
    await it.start();
    await it.settle();
    const requests = await it.pull();
    expect(requests.map((request) => it.world.answer(request).length)).toEqual([0, 0]);
  });

  it('rests at two requests with a client stamped 2099, and mirrors it', async () => {
    const it = scene();
    it.world.create(5);
    await it.start();
    it.world.create(1, 0, FUTURE);
    it.world.update(ids(it)[1] ?? '', 0, FUTURE);
    await it.settle();
    expect(ids(it).every(it.holds)).toBe(true);
    expect(await it.pull()).toHaveLength(2);
    expect((it.key('created') ?? '') < FUTURE).toBe(true);
    // And it still sees what is new.
    it.world.advance(MINUTE);
    it.world.create(1);
    it.world.update(ids(it)[2] ?? '');
    await it.pull();
    expect(ids(it).every(it.holds)).toBe(true);
    expect((it.key('updated') ?? FUTURE) < FUTURE).toBe(true);
  });

  it('sees another client stamped 2099 that replaces a known one', async () => {
    const it = scene();
    it.world.create(5);
    it.world.create(2, 0, FUTURE);
    await it.start();
    await it.settle();
    const [gone = ''] = ids(it).filter((id) => it.world.rows.get(id)?.createdOn === FUTURE);
    it.world.remove(gone);
    it.world.create(1, 0, FUTURE);
    await it.pull();
    expect(ids(it).every(it.holds)).toBe(true);
  });

  it.each([
    ['by our clock alone', { dateSkewMs: null }],
    ['two hours ahead', { stampSkewMs: 2 * HOUR, dateSkewMs: null }],
    ['two hours behind', { stampSkewMs: -2 * HOUR, dateSkewMs: null }],
    ['with a Date two hours ahead of the stamps', { dateSkewMs: 2 * HOUR }],
    ['with a Date two hours behind the stamps', { dateSkewMs: -2 * HOUR }],
  ])('sees a commit that becomes visible late, stamps %s', async (_, clocks) => {
    const it = scene(clocks);
    it.world.create(3);
    await it.start();
    it.world.advance(HOUR);
    // Stamped now, visible just within the lookback, behind a client that is there at once.
    it.world.create(1, L * 1000 - 1);
    it.world.advance(1000);
    it.world.create(1);
    for (let n = 0; n < 6; n += 1) {
      it.world.advance(MINUTE);
      await it.pull();
    }
    expect(ids(it)).toHaveLength(5);
    expect(ids(it).every(it.holds)).toBe(true);
  });

  it.each([
    ['by our clock', { dateSkewMs: null }, 0],
    ["by the source's date, a stamp being ahead of it", {}, 5000],
  ])(
    'sees what became visible while the first request was under way, %s',
    async (_, clocks, aheadSeconds) => {
      const it = scene(clocks);
      it.world.create(1, 299_900);
      it.world.advance(169_900);
      it.world.create(1, 0, addSeconds(it.world.stamp(), aheadSeconds));
      await it.start();
      it.world.advance(100_000);
      it.slow(60_000);
      await it.pull();
      it.slow(0);
      expect(ids(it)).toHaveLength(2);
      await it.pull();
      expect(ids(it).every(it.holds)).toBe(true);
    },
  );

  it("sees a commit that began before the place's key was first seen, long after a pull that was paused", async () => {
    const it = scene({ dateSkewMs: null });
    it.world.create(3);
    await it.start();
    await it.settle();
    it.world.create(1);
    it.killAt(3);
    await expect(it.pull()).rejects.toThrow('killed');
    it.killAt(0);
    it.world.create(1, 200_000);
    it.world.advance(10_000);
    it.world.create(1);
    it.world.advance(L * 1000);
    await it.pull();
    expect(ids(it).every(it.holds)).toBe(true);
  });

  it('goes on with a killed walk where its rows end, and then sees what changed behind it', async () => {
    const it = scene({ cap: 5 });
    it.world.create(3);
    await it.start();
    for (let n = 0; n < 20; n += 1) {
      it.world.advance(1000);
      it.world.create(1);
    }
    // Two reads of states, then the first page's commit, which lands; the second page's does not.
    it.killAt(7);
    await expect(it.pull(5)).rejects.toThrow('killed');
    it.killAt(0);
    const walked = it.mirror.readState('created')?.walk;
    expect(walked).not.toBeNull();
    const requests = await it.pull(5);
    expect(requests.some((request) => request.filter?.includes(String(walked?.place.key)))).toBe(true);
    expect(ids(it).every(it.holds)).toBe(true);
    expect(it.mirror.readState('created')?.walk).toBeNull();
  });

  it('counts its group again where the seam is gone, and rests at two requests again', async () => {
    const it = scene();
    it.world.create(5);
    await it.start();
    await it.settle();
    // All five are the group of the place. The seam goes, then two more, then all.
    const group = [...ids(it)].sort();
    for (const gone of [group.slice(4), group.slice(1, 3), group]) {
      for (const id of gone) it.world.remove(id);
      it.world.advance(MINUTE);
      await it.pull();
      it.world.advance(MINUTE);
      expect(await it.pull()).toHaveLength(2);
    }
  });

  it('stops the other stream and keeps the state when one fails', async () => {
    const it = scene();
    it.world.create(3);
    await it.start();
    it.world.create(1);
    const before = it.mirror.readState('updated');
    const failing = async (request: PageRequest, signal: AbortSignal): Promise<PullAnswer> => {
      if (request.filter?.includes('eq null')) throw new Error('the API is away');
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      throw new Error('never');
    };
    const store = it.mirror.storeWith(() => {});
    const { clock } = it.world;
    const pulled = pullStreams({ list: failing, store, clock, lookbackSeconds: L, pageSize: 50 });
    await expect(pulled).rejects.toThrow('the API is away');
    expect(it.mirror.readState('updated')).toEqual(before);
  });

  it('reads both streams from their beginnings where no place was ever taken', async () => {
    const it = scene();
    it.world.create(8);
    it.world.update(ids(it)[0] ?? '');
    await it.pull(3);
    expect(ids(it).every(it.holds)).toBe(true);
  });
});

describe('the simpler rules that the beginning of a walk replaces', () => {
  it('"largest stamp less the lookback" reads the last rows again for ever', async () => {
    const it = scene();
    it.world.create(40);
    await it.start();
    await it.settle();
    const state = it.mirror.readState('created');
    const simpler = addSeconds(state?.key as Instant, -L);
    const request = { filter: `createdOn ge ${simpler}`, orderby: 'createdOn,id', skip: 0, top: 50 };
    expect(it.world.answer(request)).toHaveLength(40);
    expect(await it.pull()).toHaveLength(2);
  });

  it('"server time less the lookback" loses a commit where stamps run behind the server\'s time', async () => {
    const it = scene({ stampSkewMs: -2 * HOUR });
    it.world.create(1);
    await it.start();
    await it.pull();
    it.world.advance(MINUTE);
    it.world.create(1);
    const state = it.mirror.readState('created');
    const stamp = it.world.rows.get(ids(it)[1] ?? '')?.createdOn ?? '';
    expect(addSeconds(state?.date as Instant, -L) > stamp).toBe(true);
    expect((planBegin(state ?? expect.fail(), L).key ?? '') < stamp).toBe(true);
    await it.pull();
    expect(ids(it).every(it.holds)).toBe(true);
  });

  it('"from the largest stamp", the lookback of nothing, loses a late commit', async () => {
    const late = async (lookbackSeconds: number) => {
      const it = scene({}, lookbackSeconds);
      it.world.create(1);
      await it.start();
      it.world.advance(1000);
      it.world.create(1, 30_000);
      it.world.advance(1000);
      it.world.create(1);
      it.world.advance(1000);
      await it.pull();
      it.world.advance(MINUTE);
      await it.pull();
      return ids(it).every(it.holds);
    };
    expect(await late(0)).toBe(false);
    expect(await late(L)).toBe(true);
  });

  it("a place at the source's own time, its clock two hours ahead of its stamps, leaves a mirror stale", async () => {
    const it = scene({ dateSkewMs: 2 * HOUR });
    it.world.create(3);
    const places = await it.start();
    const stamps = [...it.world.rows.values()].map((row) => row.createdOn);
    expect(stamps).toContain(places.get('created')?.key);
    it.world.advance(MINUTE);
    it.world.create(1);
    await it.pull();
    expect(ids(it).every(it.holds)).toBe(true);
  });
});

describe('initialPlaces', () => {
  it('asks once a stream for the newest stamp', async () => {
    const it = scene();
    it.world.create(3);
    it.world.update(ids(it)[0] ?? '');
    const asked: PageRequest[] = [];
    const list = (request: PageRequest) => {
      asked.push(request);
      return it.list(request);
    };
    const places = await initialPlaces(list, it.world.clock, new AbortController().signal);
    expect(asked.map(({ filter, orderby, top }) => ({ filter, orderby, top }))).toEqual([
      { filter: 'updatedOn ne null', orderby: 'updatedOn desc,id desc', top: 1 },
      { filter: 'createdOn ne null and updatedOn eq null', orderby: 'createdOn desc,id desc', top: 1 },
    ]);
    expect(places.get('updated')?.key).toBe(it.world.rows.get(ids(it)[0] ?? '')?.updatedOn);
  });

  it('takes no stamp that lies more than a day ahead', async () => {
    const it = scene();
    it.world.create(3);
    const newest = it.world.rows.get(ids(it)[0] ?? '')?.createdOn;
    it.world.create(2, 0, FUTURE);
    expect((await it.start()).get('created')?.key).toBe(newest);
  });

  it('begins an empty stream at its beginning', async () => {
    const it = scene();
    expect((await it.start()).get('updated')).toMatchObject({ key: null, seen: 0, seam: null });
  });

  it('passes over newest rows without a readable stamp', async () => {
    const it = scene();
    it.world.create(3);
    const unreadable = async (request: PageRequest): Promise<PullAnswer> => {
      const answer = await it.list(request);
      const rows = answer.rows.map((row) =>
        request.skip === 0
          ? { id: idOf(1), createdOn: undefined, updatedOn: undefined, reason: 'for the test', raw: '{}' }
          : row,
      );
      return { ...answer, rows };
    };
    const places = await initialPlaces(unreadable, it.world.clock, new AbortController().signal);
    expect(places.get('created')?.key).toBe([...it.world.rows.values()][0]?.createdOn);
  });
});
