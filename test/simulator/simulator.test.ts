import { get, type IncomingMessage } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { FIELD_NAMES } from '../../src/clients/fields.ts';
import { makeToken } from '../../src/simulator/auth.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../src/simulator/simulator.ts';

const running: Simulator[] = [];

async function start(options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await startSimulator({ clients: 30, ...options });
  running.push(simulator);
  return simulator;
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((simulator) => simulator.close()));
});

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever came
  readonly json: any;
}

async function call(simulator: Simulator, target: string, init: RequestInit = {}): Promise<Answer> {
  const headers = { authorization: `Bearer ${simulator.token}`, ...(init.headers as Record<string, string>) };
  const response = await fetch(`${simulator.url}${target}`, { ...init, headers, redirect: 'manual' });
  const text = await response.text();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return { status: response.status, headers: response.headers, text, json };
}

function send(simulator: Simulator, method: string, target: string, body: unknown): Promise<Answer> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return call(simulator, target, { method, body: text, headers: { 'content-type': 'application/json' } });
}

const query = (parts: Record<string, string>) =>
  `/clients?${Object.entries(parts)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&')}`;

const REQUIRED = { email: 'ada@example.com', firstName: 'Ada', lastName: 'Lovelace' };
const NOWHERE = '00000000-0000-4000-8000-000000000000';

describe('GET /clients', () => {
  it('answers a bare array of whole clients, 50 unless $top says otherwise', async () => {
    const simulator = await start({ clients: 60, basePath: '/homedashboard/' });
    const answer = await call(simulator, '/clients');
    expect(simulator.url).toMatch(/\/homedashboard$/);
    expect(answer.status).toBe(200);
    expect(answer.json).toHaveLength(50);
    expect(Object.keys(answer.json[0]).sort()).toEqual([...FIELD_NAMES].sort());
    expect(answer.json[0]).toEqual(simulator.source.get(answer.json[0].id));
    expect((await call(simulator, '/clients?$top=60')).json).toHaveLength(60);
    expect((await call(simulator, '/clients?$top=0')).json).toEqual([]);
  });

  it('caps a page silently, or refuses a $top above its limit', async () => {
    const capped = await start({ pageCap: 7 });
    expect((await call(capped, '/clients?$top=20')).json).toHaveLength(7);
    const strict = await start({ topMax: 10 });
    expect((await call(strict, '/clients?$top=10')).status).toBe(200);
    expect((await call(strict, '/clients?$top=11')).status).toBe(400);
  });

  it('filters, orders, skips and selects, percent-encoded or not', async () => {
    const simulator = await start();
    const all = simulator.source.all().sort((a, b) => ((a.createdOn ?? '') < (b.createdOn ?? '') ? -1 : 1));
    const from = all[10]?.createdOn ?? '';
    const answer = await call(
      simulator,
      query({
        $filter: `createdOn ge ${from}`,
        $orderby: 'createdOn,id',
        $skip: '2',
        $top: '3',
        $select: 'id, createdOn',
      }),
    );
    expect(answer.json).toEqual(all.slice(12, 15).map(({ id, createdOn }) => ({ id, createdOn })));
    const escaped = await call(
      simulator,
      `/clients?%24filter=createdOn%20ge%20${from}&%24select=id&%24top=100`,
    );
    expect(escaped.json).toHaveLength(20);
  });

  it('selects all with *, any field alone, and nearly all', async () => {
    const simulator = await start();
    expect(Object.keys((await call(simulator, query({ $select: '*' }))).json[0])).toHaveLength(22);
    for (const name of FIELD_NAMES) {
      const [row] = (await call(simulator, query({ $select: `${name},id` }))).json;
      expect(row).toEqual({ id: row.id, [name]: simulator.source.get(row.id)?.[name as 'id'] });
    }
    const most = FIELD_NAMES.filter((name) => name !== 'loginToken');
    const [row] = (await call(simulator, query({ $select: most.join() }))).json;
    const { loginToken, ...rest } = simulator.source.get(row.id) ?? { loginToken: '' };
    expect(row).toEqual(rest);
    expect(loginToken).not.toBe('');
  });

  it('finds by ownerId and searchText', async () => {
    const simulator = await start();
    const ownerId = NOWHERE;
    const { id } = simulator.source.insert({ ownerId, firstName: 'Zebedee', lastName: 'Quux' });
    for (const target of [
      `/clients?ownerId=${ownerId}`,
      '/clients?searchText=quux+zebe',
      '/clients?searchText=Quux',
    ]) {
      expect((await call(simulator, target)).json.map((row: { id: string }) => row.id)).toEqual([id]);
    }
  });

  it.each([
    '?foo=1',
    '?$count=true',
    '?$expand=owner',
    '?$Filter=true',
    '?filter=true',
    '?$top=-1',
    '?$top=1.5',
    '?$top=',
    '?$top=x',
    '?$skip=-1',
    '?$skip=99999999999',
    '?$top=1&$top=2',
    '?$select=',
    '?$select=id,',
    '?$select=nothing',
    '?$select=Id',
    '?$orderby=',
    '?$orderby=nothing',
    '?$orderby=id%20down',
    '?$orderby=id,id',
    '?$orderby=contactAddress',
    '?$filter=',
    '?$filter=nothing%20eq%201',
    '?$filter=createdOn+ge+2024-01-01T00:00:00Z',
    '?$filter=createdOn%20ge%202024-01-01T00:00:00+03:00',
    '?$filter=createdOn%20ge%202024-01-01T00:00:00%2003:00',
    '?$filter=%zz',
    '?ownerId=7',
  ])('refuses %s with 400 and an error body', async (search) => {
    const answer = await call(await start(), `/clients${search}`);
    expect(answer.status).toBe(400);
    expect(answer.json.error?.message ?? answer.json.errors).toBeTruthy();
  });

  it('takes an offset whose plus is escaped', async () => {
    const answer = await call(await start(), query({ $filter: 'createdOn ge 2001-01-01T00:00:00+03:00' }));
    expect(answer.json).toHaveLength(30);
  });

  it('answers an envelope with a link to the rest that leads through all clients', async () => {
    const simulator = await start({ envelope: true, pageCap: 7 });
    const seen: string[] = [];
    let link: string | undefined = '/clients?$orderby=id&$top=100&$select=id';
    while (link !== undefined) {
      const { json }: Answer = await call(simulator, link);
      expect(json['@odata.context']).toContain('$metadata');
      seen.push(...json.value.map((row: { id: string }) => row.id));
      link = json['@odata.nextLink']?.slice(simulator.url.length);
    }
    expect(seen).toEqual(
      simulator.source
        .all()
        .map((row) => row.id)
        .sort(),
    );
  });

  it('orders ids as SQL Server where asked to', async () => {
    const simulator = await start({ idOrder: 'sqlserver' });
    const { json } = await call(simulator, '/clients?$select=id&$orderby=id');
    const tails = json.map((row: { id: string }) => row.id.slice(24));
    expect(tails).toEqual([...tails].sort());
  });

  it('writes stamps with seven digits, or trimmed as .NET does', async () => {
    const exact = { createdOn: '2024-01-02T03:04:05.1200000Z', updatedOn: '2024-01-02T03:04:05.0000000Z' };
    for (const select of ['', '?$select=createdOn,updatedOn']) {
      const simulator = await start({ clients: 0, stamps: 'trimmed' });
      simulator.source.insert({}, exact);
      const [row] = (await call(simulator, `/clients${select}`)).json;
      expect([row.createdOn, row.updatedOn]).toEqual(['2024-01-02T03:04:05.12Z', '2024-01-02T03:04:05Z']);
    }
    const simulator = await start({ clients: 0 });
    simulator.source.insert({}, exact);
    expect((await call(simulator, '/clients')).json[0]).toMatchObject(exact);
  });

  it('does not know fields that it is told not to have', async () => {
    const simulator = await start({ absentFields: ['contactAddress'] });
    expect((await call(simulator, '/clients')).json[0]).not.toHaveProperty('contactAddress');
    expect((await call(simulator, '/clients?$select=contactAddress')).status).toBe(400);
  });
});

describe('one client', () => {
  it('is answered by id, in any case of letters, and 404 when there is none', async () => {
    const simulator = await start();
    const id = simulator.source.someId() ?? '';
    expect((await call(simulator, `/clients/${id.toUpperCase()}`)).json).toEqual(simulator.source.get(id));
    expect((await call(simulator, `/clients/${NOWHERE}`)).status).toBe(404);
    expect((await call(simulator, '/clients/7')).status).toBe(400);
    expect((await call(simulator, `/clients/${id}?$select=id`)).status).toBe(400);
  });

  it('is created with a new id, a createdOn and no updatedOn; the answer is an audit record', async () => {
    const simulator = await start();
    const body = {
      ...REQUIRED,
      id: NOWHERE,
      createdOn: '2001-01-01T00:00:00Z',
      fico: 700,
      contactAddress: { city: 'Austin' },
    };
    const { status, json } = await send(simulator, 'POST', '/clients', body);
    expect(status).toBe(200);
    expect(json).toMatchObject({ type: 'Client', updatedTimestamp: null });
    expect(json.id).not.toBe(NOWHERE);
    const row = simulator.source.get(json.id);
    expect(row).toMatchObject({ ...REQUIRED, fico: 700, createdOn: json.createdTimestamp, updatedOn: null });
    expect(row?.createdOn).toMatch(/^20\d\d-.*\.\d{7}Z$/);
    expect(row?.createdOn).not.toContain('2001-01-01');
    expect(row?.contactAddress).toEqual({
      addressLine1: null,
      addressLine2: null,
      city: 'Austin',
      state: null,
      zipCode: null,
    });
  });

  it('is changed by PATCH in the given fields only, and stamped', async () => {
    const simulator = await start();
    const id = simulator.source.someId() ?? '';
    const before = simulator.source.get(id);
    const { json } = await send(simulator, 'PATCH', `/clients/${id}`, {
      ...REQUIRED,
      fax: null,
      ownerId: NOWHERE.toUpperCase(),
    });
    expect(simulator.source.get(id)).toEqual({
      ...before,
      ...REQUIRED,
      fax: null,
      ownerId: NOWHERE,
      updatedOn: json.updatedTimestamp,
    });
    expect(json.updatedTimestamp).toMatch(/\.\d{7}Z$/);
    const again = await send(simulator, 'PATCH', `/clients/${id}`, REQUIRED);
    expect(again.json.updatedTimestamp >= json.updatedTimestamp).toBe(true);
  });

  it('is replaced by PUT: what is absent becomes null', async () => {
    const simulator = await start();
    const { id, createdOn } = simulator.source.insert({ fico: 500, isArchived: true, externalId: 'x' });
    const { json } = await send(simulator, 'PUT', `/clients/${id}`, REQUIRED);
    expect(simulator.source.get(id)).toMatchObject({
      ...REQUIRED,
      id,
      createdOn,
      fico: null,
      externalId: null,
      isArchived: false,
    });
    expect(json.createdTimestamp).toBe(createdOn);
  });

  it('is deleted once', async () => {
    const simulator = await start();
    const id = simulator.source.someId() ?? '';
    expect((await call(simulator, `/clients/${id}`, { method: 'DELETE' })).status).toBe(204);
    expect((await call(simulator, `/clients/${id}`, { method: 'DELETE' })).status).toBe(404);
    expect((await call(simulator, `/clients/${id}`)).status).toBe(404);
    expect((await call(simulator, `/clients?$filter=id%20eq%20${id}`)).json).toEqual([]);
    expect(simulator.source.size).toBe(29);
  });

  it('is not found by PUT and PATCH either', async () => {
    const simulator = await start();
    for (const method of ['PUT', 'PATCH']) {
      expect((await send(simulator, method, `/clients/${NOWHERE}`, REQUIRED)).status).toBe(404);
    }
  });

  it.each([
    [{ firstName: 'A', lastName: 'B' }, 'Email'],
    [{ ...REQUIRED, email: 'not an email' }, 'Email'],
    [{ ...REQUIRED, firstName: '' }, 'FirstName'],
    [{ ...REQUIRED, lastName: null }, 'LastName'],
    [{ ...REQUIRED, fico: '700' }, '$.fico'],
    [{ ...REQUIRED, fico: 1.5 }, '$.fico'],
    [{ ...REQUIRED, fico: 2 ** 31 }, '$.fico'],
    [{ ...REQUIRED, totalIncome: 'much' }, '$.totalIncome'],
    [{ ...REQUIRED, isArchived: null }, '$.isArchived'],
    [{ ...REQUIRED, isArchived: 'yes' }, '$.isArchived'],
    [{ ...REQUIRED, ownerId: '7' }, '$.ownerId'],
    [{ ...REQUIRED, fax: 7 }, '$.fax'],
    [{ ...REQUIRED, contactAddress: 'Main Street' }, '$.contactAddress'],
    [{ ...REQUIRED, contactAddress: { street: 'Main' } }, '$.contactAddress'],
    [{ ...REQUIRED, nickname: 'x' }, '$.nickname'],
    ['[]', '$'],
    ['{', '$'],
    ['', ''],
  ])('refuses the body %j and names what is wrong', async (body, name) => {
    const simulator = await start();
    const id = simulator.source.someId() ?? '';
    const before = simulator.source.all();
    for (const [method, target] of [
      ['POST', '/clients'],
      ['PUT', `/clients/${id}`],
      ['PATCH', `/clients/${id}`],
    ] as const) {
      const answer = await send(simulator, method, target, body);
      expect(answer.status).toBe(400);
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
      expect(Object.keys(answer.json.errors)).toEqual([name]);
    }
    expect(simulator.source.all()).toEqual(before);
  });

  it('wants a JSON content type', async () => {
    const simulator = await start();
    const answer = await call(simulator, '/clients', {
      method: 'POST',
      body: JSON.stringify(REQUIRED),
      headers: { 'content-type': 'text/plain' },
    });
    expect(answer.status).toBe(415);
  });
});

describe('what it does not know', () => {
  it('answers 405 with Allow to DELETE /clients and other methods', async () => {
    const simulator = await start();
    const all = await call(simulator, '/clients', { method: 'DELETE' });
    expect([all.status, all.headers.get('allow')]).toEqual([405, 'GET, POST']);
    const one = await call(simulator, `/clients/${NOWHERE}`, { method: 'POST' });
    expect([one.status, one.headers.get('allow')]).toEqual([405, 'GET, PUT, PATCH, DELETE']);
  });

  it('answers 404 to other paths, the base path left out included', async () => {
    const simulator = await start({ basePath: '/homedashboard' });
    const origin = new URL(simulator.url).origin;
    for (const target of ['/client', '/clients/', `/clients/${NOWHERE}/x`, '/', '']) {
      expect((await call(simulator, target)).status).toBe(404);
    }
    const headers = { authorization: `Bearer ${simulator.token}` };
    expect((await fetch(`${origin}/clients`, { headers })).status).toBe(404);
  });
});

describe('authorization', () => {
  it('answers 401 to a missing, foreign, malformed or expired token', async () => {
    let now = Date.UTC(2026, 5, 1);
    const simulator = await start({ clock: () => now });
    for (const authorization of [
      '',
      'Bearer',
      'Bearer x',
      `Basic ${simulator.token}`,
      makeToken('x', now + 1000),
    ]) {
      const answer = await call(simulator, '/clients', { headers: { authorization } });
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toContain('Bearer');
    }
    expect((await call(simulator, '/clients')).status).toBe(200);
    now += 2 * 86_400_000;
    expect((await call(simulator, '/clients')).status).toBe(401);
  });

  it('accepts the tokens it is given, and these only', async () => {
    const simulator = await start({ token: 'first' });
    expect((await call(simulator, '/clients')).status).toBe(200);
    simulator.setTokens('second', 'third');
    expect((await call(simulator, '/clients')).status).toBe(401);
    expect((await call(simulator, '/clients', { headers: { authorization: 'Bearer third' } })).status).toBe(
      200,
    );
  });
});

describe('Date header', () => {
  it('shows the clock, with a skew or not at all', async () => {
    const clock = () => Date.UTC(2026, 2, 4, 5, 6, 7);
    const plain = await start({ clock });
    expect((await call(plain, '/clients')).headers.get('date')).toBe('Wed, 04 Mar 2026 05:06:07 GMT');
    const skewed = await start({ clock, dateSkewMs: -7_200_000 });
    expect((await call(skewed, '/clients')).headers.get('date')).toBe('Wed, 04 Mar 2026 03:06:07 GMT');
    const silent = await start({ clock, dateHeader: false });
    expect((await call(silent, '/clients')).headers.get('date')).toBeNull();
  });
});

describe('requests', () => {
  it('keeps a bounded log and counts them all', async () => {
    const simulator = await start({ logMax: 3 });
    for (let n = 0; n < 10; n += 1) await call(simulator, `/clients?$top=${n}`);
    await send(simulator, 'POST', '/clients', REQUIRED);
    expect(simulator.requests.total).toBe(11);
    expect(simulator.requests.log.length).toBeLessThanOrEqual(6);
    expect(simulator.requests.log.at(-1)).toMatchObject({
      method: 'POST',
      path: '/clients',
      status: 200,
      body: JSON.stringify(REQUIRED),
    });
    expect(simulator.requests.count({ method: 'POST' })).toBe(1);
    simulator.requests.clear();
    expect([simulator.requests.total, simulator.requests.log.length]).toEqual([0, 0]);
  });

  it('shows each request to the hook before it is looked at', async () => {
    const seen: string[] = [];
    const simulator = await start({
      clients: 0,
      onRequest: (request, source) => {
        seen.push(`${request.method} ${request.path}`);
        source.insert();
      },
    });
    expect((await call(simulator, '/clients')).json).toHaveLength(1);
    expect((await call(simulator, '/clients')).json).toHaveLength(2);
    expect(seen).toEqual(['GET /clients', 'GET /clients']);
  });
});

describe('kept pages', () => {
  it('are not written over while a slow reader still takes them', async () => {
    const simulator = await start({ clients: 12_000, pageCap: 12_000, cacheBytesMax: 1 });
    const headers = { authorization: `Bearer ${simulator.token}` };
    const target = `${simulator.url}/clients?$orderby=createdOn,id&$top=12000`;
    const response = await new Promise<IncomingMessage>((resolve) => get(target, { headers }, resolve));
    response.pause();
    for (let n = 0; n < 2; n += 1) {
      await (
        await fetch(`${simulator.url}/clients?$orderby=createdOn,id&$top=12000&$skip=${n}`, { headers })
      ).arrayBuffer();
    }
    const parts: Buffer[] = [];
    for await (const part of response) parts.push(part as Buffer);
    const rows = JSON.parse(Buffer.concat(parts).toString()) as { id: string; createdOn: string }[];
    const differing = rows.filter(
      (row) => JSON.stringify(row) !== JSON.stringify(simulator.source.get(row.id)),
    );
    expect(differing).toEqual([]);
    expect(new Set(rows.map((row) => row.id)).size).toBe(12_000);
  });
});

describe('warm', () => {
  it('changes no answer, and what changes afterwards is served as it is', async () => {
    const simulator = await start({ clients: 2_000 });
    const target = '/clients?$orderby=createdOn,id&$top=2000&$select=email,id,fax';
    simulator.warm(['id', 'fax', 'email']);
    const id = simulator.source.someId() ?? '';
    simulator.source.update(id, { fax: 'new' });
    const rows = (await call(simulator, target)).json as { id: string; fax: string; email: string }[];
    expect(rows).toHaveLength(2_000);
    expect(rows.find((row) => row.id === id)?.fax).toBe('new');
    const differing = rows.filter((row) => {
      const { fax, email } = simulator.source.get(row.id) ?? {};
      return row.fax !== fax || row.email !== email;
    });
    expect(differing).toEqual([]);
  });
});

describe('startSimulator', () => {
  it('rejects when the port is taken', async () => {
    const simulator = await start();
    const port = Number(new URL(simulator.url).port);
    await expect(startSimulator({ port })).rejects.toThrow(/EADDRINUSE/);
  });
});
