import { describe, expect, it } from 'vitest';
import { createPopulation, type Shape } from '../../src/simulator/generate.ts';
import { planSimulation, SIMULATE_OPTIONS } from '../../src/simulator/options.ts';
import { createRandom, permute, unpermute } from '../../src/simulator/random.ts';
import { createSource, type Source } from '../../src/simulator/source.ts';
import { createStore } from '../../src/simulator/store.ts';

const UNTIL = Date.UTC(2026, 0, 1);

function open(clients: number, clock: () => number, shape?: Shape): Source {
  const store = createStore(createPopulation(clients, 1, UNTIL, shape), 'text', clock);
  return createSource(store, { seed: 1, clock, random: createRandom(1), lateMs: () => 0 });
}

describe('createPopulation', () => {
  const rows = (seed: number, shape?: Shape, size = 2_000) => {
    const population = createPopulation(size, seed, UNTIL, shape);
    return Array.from({ length: size }, (_, n) => population.row(n));
  };

  it('is the same for the same seed, and another for another', () => {
    const text = (seed: number) => JSON.stringify(rows(seed, {}, 300));
    expect(text(1)).toBe(text(1));
    expect(text(2)).not.toBe(text(1));
  });

  it('makes valid, varied clients with unique ids and emails', () => {
    const all = rows(3);
    expect(new Set(all.map((row) => row.id)).size).toBe(all.length);
    expect(new Set(all.map((row) => row.email)).size).toBe(all.length);
    expect(
      all.every((row) =>
        /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(row.id),
      ),
    ).toBe(true);
    expect(all.every((row) => /^[a-z]+\.[a-z]+\d+@[a-z.]+$/.test(row.email))).toBe(true);
    const stamp = /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$/;
    expect(
      all.every((row) => stamp.test(row.createdOn ?? '') && stamp.test(row.updatedOn ?? row.createdOn ?? '')),
    ).toBe(true);
    expect(all.every((row) => row.updatedOn === null || row.updatedOn >= (row.createdOn ?? ''))).toBe(true);
    const updated = all.filter((row) => row.updatedOn !== null).length / all.length;
    expect(updated).toBeGreaterThan(0.25);
    expect(updated).toBeLessThan(0.35);
    for (const name of ['fico', 'contactAddress', 'homePhone', 'ownerId', 'firstTimeBuyer'] as const) {
      const empty = all.filter((row) => row[name] === null).length;
      expect(empty).toBeGreaterThan(0);
      expect(empty).toBeLessThan(all.length);
    }
  });

  it('finds the number of each id it gave, and none of a stranger', () => {
    const population = createPopulation(500, 9, UNTIL);
    for (let n = 0; n < 500; n += 1) expect(population.find(population.id(n))).toBe(n);
    expect(population.find(createPopulation(501, 9, UNTIL).id(500))).toBeUndefined();
    expect(population.find('ffffffff-ffff-4fff-8fff-ffffffffffff')).toBeUndefined();
  });

  it('puts N clients at one createdOn and N at one updatedOn when told', () => {
    const all = rows(4, { createdTies: 300, updatedTies: 200 });
    const most = (key: 'createdOn' | 'updatedOn') => {
      const counts = new Map<string, number>();
      for (const row of all) if (row[key] !== null) counts.set(row[key], (counts.get(row[key]) ?? 0) + 1);
      return Math.max(...counts.values());
    };
    expect([most('createdOn'), most('updatedOn')]).toEqual([300, 200]);
  });

  it('puts half of all clients on one day when skewed', () => {
    const days = new Map<string, number>();
    for (const row of rows(5, { skew: true })) {
      const day = (row.createdOn ?? '').slice(0, 10);
      days.set(day, (days.get(day) ?? 0) + 1);
    }
    expect(Math.max(...days.values())).toBeGreaterThanOrEqual(1000);
    expect(Math.max(...days.values())).toBeLessThan(1050);
  });
});

describe('createSource', () => {
  it('stamps with seven digits that never run backwards, even when the clock does', () => {
    let now = UNTIL;
    const source = open(0, () => now);
    const stamps = Array.from({ length: 200 }, (_, n) => {
      now += n % 3 === 0 ? -5 : 4;
      return source.stamp();
    });
    expect(stamps).toEqual([...stamps].sort());
    expect(stamps.every((stamp) => /\.\d{7}Z$/.test(stamp))).toBe(true);
  });

  it('takes exact stamps, keeps them, and restores a row with its old ones', () => {
    const source = open(0, () => UNTIL);
    const row = source.insert(
      { email: 'a@example.com' },
      { createdOn: '2020-01-01T00:00:00.0000001Z', updatedOn: '2020-01-01T00:00:00.0000002Z' },
    );
    expect(row).toMatchObject({
      createdOn: '2020-01-01T00:00:00.0000001Z',
      updatedOn: '2020-01-01T00:00:00.0000002Z',
    });
    expect(source.update(row.id, { fax: '1' }, { keepStamp: true }).updatedOn).toBe(row.updatedOn);
    expect(source.update(row.id, { fax: '2' }, { updatedOn: '2020-01-01T00:00:00.0000003Z' }).updatedOn).toBe(
      '2020-01-01T00:00:00.0000003Z',
    );
    expect(source.update(row.id, { fax: '3' }).updatedOn?.slice(0, 19)).toBe('2026-01-01T00:00:00');
    source.restore(row);
    expect(source.all()).toEqual([row]);
    expect(source.remove(row.id)).toEqual(row);
    expect(source.remove(row.id)).toBeUndefined();
    expect([source.size, source.all(), source.get(row.id)]).toEqual([0, [], undefined]);
    expect(source.insert({}, { createdOn: null }).createdOn).toBeNull();
  });

  it('changes, removes and restores generated clients too', () => {
    const source = open(10, () => UNTIL);
    const [first] = source.all();
    if (first === undefined) throw new Error('there are ten');
    source.update(first.id, { fax: '9' });
    expect(source.get(first.id)?.fax).toBe('9');
    source.remove(first.id);
    expect(source.size).toBe(9);
    source.restore(first);
    expect(source.all().find((row) => row.id === first.id)).toEqual(first);
    expect(source.size).toBe(10);
  });

  it('refuses a second client of the same id, an unknown one, and a stamp that is none', () => {
    const source = open(1, () => UNTIL);
    const id = source.someId() ?? '';
    expect(() => source.insert({ id })).toThrow(/exists/);
    expect(() => source.update('00000000-0000-4000-8000-000000000000', {})).toThrow(/no client/);
    expect(() => source.insert({}, { createdOn: 'today' })).toThrow(/stamp/);
  });
});

describe('unpermute', () => {
  it('undoes permute', () => {
    for (const n of [0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff, 123_456_789])
      expect(unpermute(permute(n))).toBe(n);
  });
});

describe('planSimulation', () => {
  it('gives the defaults when nothing is given', () => {
    expect(planSimulation({})).toMatchObject({
      port: 0,
      host: '127.0.0.1',
      clients: 5_000,
      seed: 1,
      pageCap: 10_000,
      idOrder: 'text',
    });
  });

  it('adds up what is given', () => {
    const plan = planSimulation({
      latency: 50,
      ties: 10,
      skew: true,
      throttle: 0.1,
      drift: 0.5,
      'id-order': 'sqlserver',
    });
    expect(plan).toMatchObject({
      latencyMs: 50,
      idOrder: 'sqlserver',
      shape: { createdTies: 10, updatedTies: 10, skew: true },
      faults: { throttle: { probability: 0.1 }, drift: { probability: 0.5 } },
    });
  });

  it('has one row an option, each with help', () => {
    expect(new Set(SIMULATE_OPTIONS.map((option) => option.name)).size).toBe(SIMULATE_OPTIONS.length);
    expect(
      SIMULATE_OPTIONS.every(
        (option) => option.help !== '' && (option.kind === 'flag') === (option.placeholder === null),
      ),
    ).toBe(true);
  });
});
