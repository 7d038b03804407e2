import { createServer } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import type { Faults } from '../../src/simulator/faults.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../src/simulator/simulator.ts';

const running: Simulator[] = [];

async function start(faults: Faults, options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await startSimulator({ clients: 20, faults, ...options });
  running.push(simulator);
  return simulator;
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((simulator) => simulator.close()));
});

function call(simulator: Simulator, target = '/clients', init: RequestInit = {}): Promise<Response> {
  const headers = { authorization: `Bearer ${simulator.token}`, ...(init.headers as Record<string, string>) };
  return fetch(`${simulator.url}${target}`, { ...init, headers, redirect: 'manual' });
}

const REQUIRED = { email: 'ada@example.com', firstName: 'Ada', lastName: 'Lovelace' };

function patch(simulator: Simulator, id: string, fields: object, headers: object = {}): Promise<Response> {
  return call(simulator, `/clients/${id}`, {
    method: 'PATCH',
    body: JSON.stringify({ ...REQUIRED, ...fields }),
    headers: { 'content-type': 'application/json', ...headers },
  });
}

async function statuses(simulator: Simulator, times: number): Promise<number[]> {
  const found: number[] = [];
  for (let n = 0; n < times; n += 1) found.push((await call(simulator)).status);
  return found;
}

describe('a strike', () => {
  it('hits as many requests as told, after as many as told', async () => {
    const simulator = await start({ serverError: { times: 2, after: 1 } });
    expect(await statuses(simulator, 5)).toEqual([200, 500, 500, 200, 200]);
    simulator.setFaults({ serverError: { times: 1, status: 502 } });
    expect(await statuses(simulator, 2)).toEqual([502, 200]);
  });

  it('hits by chance the same requests for the same seed', async () => {
    const faults = { serverError: { probability: 0.4, status: 503 } };
    const first = await statuses(await start(faults, { seed: 5 }), 20);
    expect(await statuses(await start(faults, { seed: 5 }), 20)).toEqual(first);
    expect(await statuses(await start(faults, { seed: 6 }), 20)).not.toEqual(first);
    expect(new Set(first)).toEqual(new Set([200, 503]));
  });

  it('hits only the kinds of request it names', async () => {
    const simulator = await start({ serverError: { on: ['write'] } });
    const id = simulator.source.someId() ?? '';
    expect((await call(simulator)).status).toBe(200);
    expect((await call(simulator, `/clients/${id}`)).status).toBe(200);
    expect((await patch(simulator, id, {})).status).toBe(500);
  });
});

describe('faults before the request is looked at', () => {
  it('throttle: 429 with Retry-After in seconds, as a date, or without', async () => {
    const clock = () => Date.UTC(2026, 0, 1, 0, 0, 0);
    const simulator = await start({ throttle: { seconds: 7 } }, { clock });
    const seconds = await call(simulator);
    expect([seconds.status, seconds.headers.get('retry-after')]).toEqual([429, '7']);
    simulator.setFaults({ throttle: { seconds: 7, retryAfter: 'date' } });
    expect((await call(simulator)).headers.get('retry-after')).toBe('Thu, 01 Jan 2026 00:00:07 GMT');
    simulator.setFaults({ throttle: { retryAfter: 'none' } });
    expect((await call(simulator)).headers.get('retry-after')).toBeNull();
  });

  it('serverError: with Retry-After when told', async () => {
    const answer = await call(await start({ serverError: { status: 503, seconds: 3 } }));
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '3']);
  });

  it('latency: the answer waits', async () => {
    const simulator = await start({}, { latencyMs: 60 });
    const from = performance.now();
    await call(simulator);
    expect(performance.now() - from).toBeGreaterThan(55);
  });

  it('resetBefore: the connection is cut and nothing is written', async () => {
    const simulator = await start({ resetBefore: {} });
    const id = simulator.source.someId() ?? '';
    const before = simulator.source.get(id);
    await expect(patch(simulator, id, { fax: '1' })).rejects.toThrow();
    expect(simulator.source.get(id)).toEqual(before);
    expect(simulator.requests.log.at(-1)?.status).toBeNull();
  });

  it('unauthorized, denyLists, denyClients', async () => {
    const simulator = await start({ unauthorized: { times: 1 } });
    const id = simulator.source.someId() ?? '';
    expect(await statuses(simulator, 2)).toEqual([401, 200]);
    simulator.setFaults({ denyLists: {} });
    expect((await call(simulator)).status).toBe(403);
    expect((await call(simulator, `/clients/${id}`)).status).toBe(200);
    simulator.setFaults({ denyLists: { status: 404 } });
    expect((await call(simulator)).status).toBe(404);
    simulator.setFaults({ denyClients: [id] });
    expect((await call(simulator, `/clients/${id.toUpperCase()}`)).status).toBe(403);
    expect((await patch(simulator, id, {})).status).toBe(403);
    expect((await call(simulator)).status).toBe(200);
  });

  it('redirect: to the same path at another origin', async () => {
    const answer = await call(await start({ redirect: { to: 'http://127.0.0.1:9' } }), '/clients?$top=1');
    expect([answer.status, answer.headers.get('location')]).toEqual([
      307,
      'http://127.0.0.1:9/clients?$top=1',
    ]);
  });
});

describe('faults after the request is carried out', () => {
  it('lostAnswer: the write is applied, the connection is cut', async () => {
    const simulator = await start({ lostAnswer: { on: ['write'] } });
    const id = simulator.source.someId() ?? '';
    await expect(patch(simulator, id, { fax: '555' })).rejects.toThrow();
    expect(simulator.source.get(id)?.fax).toBe('555');
    expect((await call(simulator)).status).toBe(200);
  });

  it('tornJson: a complete answer whose JSON breaks off', async () => {
    const answer = await call(await start({ tornJson: {} }));
    const text = await answer.text();
    expect(answer.headers.get('content-length')).toBe(String(Buffer.byteLength(text)));
    expect(() => JSON.parse(text)).toThrow();
  });

  it('cutShort: the connection ends in the middle of the body', async () => {
    const answer = await call(await start({ cutShort: {} }));
    await expect(answer.text()).rejects.toThrow();
  });

  it('resetAfter: the answer is whole, the connection does not stay', async () => {
    const simulator = await start({ resetAfter: { times: 2 } });
    for (let n = 0; n < 4; n += 1) expect(await (await call(simulator)).json()).toHaveLength(20);
  });

  it('html and wrongType', async () => {
    const simulator = await start({ html: {} });
    const html = await call(simulator);
    expect([html.status, html.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(await html.text()).toContain('<html>');
    simulator.setFaults({ wrongType: { contentType: 'application/octet-stream' } });
    const odd = await call(simulator);
    expect(odd.headers.get('content-type')).toBe('application/octet-stream');
    expect(await odd.json()).toHaveLength(20);
  });

  it('slowBody: the second half comes later', async () => {
    const simulator = await start({ slowBody: { ms: 80 } });
    const from = performance.now();
    expect(await (await call(simulator)).json()).toHaveLength(20);
    expect(performance.now() - from).toBeGreaterThan(70);
  });

  it('hugeBody: valid JSON of as many bytes as told', async () => {
    const simulator = await start({ hugeBody: { bytes: 5_000_000 } });
    const text = await (await call(simulator)).text();
    expect(text.length).toBe(5_000_000);
    expect(JSON.parse(text)).toHaveLength(20);
  });
});

describe('faults of the table', () => {
  it('lateCommits: a change is stamped now and seen later', async () => {
    let now = Date.UTC(2026, 0, 2);
    const simulator = await start({ lateCommits: { maxMs: 1000 } }, { clients: 0, clock: () => now });
    const row = simulator.source.insert();
    expect(await (await call(simulator)).json()).toEqual([]);
    now += 1000;
    expect(await (await call(simulator)).json()).toEqual([row]);
    simulator.setFaults({});
    const changed = simulator.source.update(row.id, { fax: '1' }, { visibleAfterMs: 500 });
    expect(await (await call(simulator)).json()).toEqual([row]);
    now += 500;
    expect(await (await call(simulator)).json()).toEqual([changed]);
  });

  it('stale: answers come from a table as it was, then again from the present', async () => {
    let now = Date.UTC(2026, 0, 2);
    const simulator = await start({}, { clients: 3, clock: () => now });
    const [first, second, third] = simulator.source.all().map((row) => row.id) as [string, string, string];
    const before = await (await call(simulator)).text();
    now += 10_000;
    simulator.source.update(first, { fax: '1' });
    simulator.source.remove(second);
    simulator.source.insert();
    simulator.source.update(third, { fax: '3' });
    simulator.source.remove(third);
    const after = await (await call(simulator)).text();
    expect(after).not.toBe(before);
    simulator.setFaults({ stale: { maxMs: 10_000_000, times: 8 } });
    const seen: string[] = [];
    for (let n = 0; n < 10; n += 1) seen.push(await (await call(simulator)).text());
    expect(seen).toContain(before);
    expect(seen.slice(8)).toEqual([after, after]);
  });

  it('drift: the table changes between two requests, and the indexes keep up', async () => {
    const simulator = await start({ drift: { changes: 5 } }, { clients: 200 });
    const seen = new Set<string>();
    for (let n = 0; n < 30; n += 1) {
      const rows = (await (await call(simulator, '/clients?$orderby=updatedOn,id&$top=1000')).json()) as {
        id: string;
        updatedOn: string | null;
      }[];
      const orderly = rows.map((row) => `${row.updatedOn ?? ''} ${row.id}`);
      expect(orderly).toEqual([...orderly].sort());
      expect(rows.map((row) => row.id).sort()).toEqual(
        simulator.source
          .all()
          .map((row) => row.id)
          .sort(),
      );
      seen.add(JSON.stringify(rows));
    }
    expect(seen.size).toBe(30);
  });

  it('drift: only the kinds of change that have a weight', async () => {
    const simulator = await start({ drift: { changes: 10, inserts: 0, removes: 0 } });
    await call(simulator);
    expect(simulator.source.size).toBe(20);
    simulator.setFaults({ drift: { changes: 50, inserts: 0, updates: 0 } });
    await call(simulator);
    expect(simulator.source.size).toBe(0);
  });
});

describe('habits', () => {
  it('ignoreFilter, ignoreOrderby, ignoreSkip, ignoreSelect', async () => {
    const simulator = await start({ ignoreFilter: true });
    const target =
      '/clients?$filter=createdOn%20lt%202000-01-01T00:00:00Z&$orderby=createdOn%20desc&$skip=5&$select=id';
    const read = async () => (await (await call(simulator, target)).json()) as Record<string, unknown>[];
    expect(await read()).toHaveLength(15);
    simulator.setFaults({ ignoreFilter: true, ignoreSkip: true, ignoreSelect: true });
    const rows = await read();
    expect(rows).toHaveLength(20);
    expect(Object.keys(rows[0] ?? {})).toHaveLength(22);
    expect(rows.map((row) => row.createdOn)).toEqual(
      rows
        .map((row) => row.createdOn)
        .sort()
        .reverse(),
    );
    simulator.setFaults({ ignoreFilter: true, ignoreOrderby: true });
    const ids = (await read()).map((row) => row.id);
    expect(ids).toEqual([...ids].sort());
  });

  it('refuseSelect: any, or one field', async () => {
    const simulator = await start({ refuseSelect: true });
    const get = async (select: string) => (await call(simulator, `/clients?${select}`)).status;
    expect([await get('$select=id'), await get('%24select=id'), await get('$top=1')]).toEqual([
      400, 400, 200,
    ]);
    simulator.setFaults({ refuseSelect: ['contactAddress'] });
    expect([await get('$select=id,contactAddress'), await get('$select=id')]).toEqual([400, 200]);
  });

  it('extraField: in every row, and selectable', async () => {
    const simulator = await start({});
    const id = simulator.source.someId() ?? '';
    await call(simulator);
    simulator.setFaults({ extraField: { name: 'nickname', value: { a: 'b' } } });
    const rows = (await (await call(simulator)).json()) as Record<string, unknown>[];
    expect(rows.every((row) => JSON.stringify(row.nickname) === '{"a":"b"}')).toBe(true);
    expect(await (await call(simulator, `/clients/${id}`)).json()).toHaveProperty('nickname');
    const few = (await (await call(simulator, '/clients?$select=id,nickname')).json()) as object[];
    expect(Object.keys(few[0] ?? {})).toEqual(['id', 'nickname']);
    simulator.setFaults({});
    expect(((await (await call(simulator)).json()) as object[])[0]).not.toHaveProperty('nickname');
  });

  it('normalise: trims, lowers, rounds, or keeps its old value without a word', async () => {
    const simulator = await start({
      normalise: { fax: 'trim', email: 'lower', totalIncome: 'round', source: 'keep' },
    });
    const { id } = simulator.source.insert({ source: 'old' });
    const fields = { fax: ' 5 ', email: 'ADA@Example.com', totalIncome: 1.005_9, source: 'new' };
    expect((await patch(simulator, id, fields)).status).toBe(200);
    expect(simulator.source.get(id)).toMatchObject({
      fax: '5',
      email: 'ada@example.com',
      totalIncome: 1.01,
      source: 'old',
    });
  });

  it('refuseFields: a PATCH that changes the field is refused, others pass', async () => {
    const simulator = await start({ refuseFields: { fico: 422, email: 400 } });
    const { id } = simulator.source.insert({ ...REQUIRED, fico: 1 });
    expect((await patch(simulator, id, { fico: 2 })).status).toBe(422);
    expect((await patch(simulator, id, { email: 'x@example.com' })).status).toBe(400);
    expect((await patch(simulator, id, { fax: '5' })).status).toBe(200);
    expect(simulator.source.get(id)).toMatchObject({ fico: 1, fax: '5', email: REQUIRED.email });
  });

  it('etag: sent with a client, and a write against an older one is 412', async () => {
    const simulator = await start({ etag: true });
    const id = simulator.source.someId() ?? '';
    const tag = (await call(simulator, `/clients/${id}`)).headers.get('etag') ?? '';
    expect((await patch(simulator, id, { fax: '1' }, { 'if-match': tag })).status).toBe(200);
    expect((await patch(simulator, id, { fax: '2' }, { 'if-match': tag })).status).toBe(412);
    expect((await patch(simulator, id, { fax: '3' }, { 'if-match': '*' })).status).toBe(200);
    const gone = await call(simulator, `/clients/${id}`, { method: 'DELETE', headers: { 'if-match': tag } });
    expect(gone.status).toBe(412);
    expect(simulator.source.get(id)?.fax).toBe('3');
    simulator.setFaults({});
    expect((await call(simulator, `/clients/${id}`)).headers.get('etag')).toBeNull();
    expect((await patch(simulator, id, { fax: '4' }, { 'if-match': tag })).status).toBe(200);
  });
});

describe('broken rows', () => {
  it('are served without id, with a wrong type, with U+0000, a lone surrogate or a stamp in 2099', async () => {
    const simulator = await start({}, { clients: 0 });
    const { source } = simulator;
    const rows = [1, 2, 3, 4, 5, 6].map((n) => source.insert({}, { createdOn: `2024-01-0${n}T00:00:00Z` }));
    const [noId, wrong, nul, lone, future, whole] = rows.map((row) => row.id) as [
      string,
      string,
      string,
      string,
      string,
      string,
    ];
    // Served once before, so that kept bytes would show.
    await call(simulator, '/clients?$orderby=createdOn,id');
    source.spoil(noId, { id: undefined });
    source.spoil(wrong, { fico: 'high', odd: 1 });
    source.update(nul, { fax: 'a\0b' });
    source.update(lone, { fax: 'a\ud83d' });
    source.update(future, {}, { updatedOn: '2099-01-01T00:00:00Z' });
    const read = async (select = '') =>
      (await (await call(simulator, `/clients?$orderby=createdOn,id${select}`)).json()) as Record<
        string,
        unknown
      >[];
    const answer = await read();
    expect(answer[0]).not.toHaveProperty('id');
    expect(answer[0]).toHaveProperty('email');
    expect(answer[1]).toMatchObject({ id: wrong, fico: 'high', odd: 1 });
    expect(answer[2]?.fax).toBe('a\0b');
    expect(answer[3]?.fax).toBe('a\ud83d');
    expect(answer[4]?.updatedOn).toBe('2099-01-01T00:00:00.0000000Z');
    expect(answer[5]).toEqual(source.get(whole));
    expect((await read('&$select=id,createdOn'))[0]).not.toHaveProperty('id');
    source.spoil(noId, null);
    expect((await read())[0]).toEqual(source.get(noId));
  });
});

describe('a token at another origin', () => {
  it('can be watched for with a plain server behind the redirect', async () => {
    const heard: (string | undefined)[] = [];
    const other = createServer((request, response) => {
      heard.push(request.headers.authorization);
      response.end('[]');
    });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    const simulator = await start({ redirect: { to: `http://127.0.0.1:${port}` } });
    const headers = { authorization: `Bearer ${simulator.token}` };
    await (await fetch(`${simulator.url}/clients`, { headers })).text();
    // fetch drops the header at another origin; what counts is that the simulator sends one there.
    expect(heard).toEqual([undefined]);
    other.closeAllConnections();
    await new Promise((resolve) => other.close(resolve));
  });
});
