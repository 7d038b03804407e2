/** Reconcile as a whole program: deletions proved, equality certified, stopped by guards, killed and run again. */
import { afterEach, describe, expect, it } from 'vitest';
import { ENGINES, type Mirror, startMirror } from '../support/mirror.ts';

let mirror: Mirror | undefined;
afterEach(async () => {
  await mirror?.close();
  mirror = undefined;
});

const ids = (one: Mirror, count: number): string[] =>
  one.simulator.source
    .all()
    .slice(0, count)
    .map((row) => row.id);

const equal = { missing: 0, stale: 0, extra: 0 };

describe.each(ENGINES)('reconcile on %s', (engine) => {
  it('proves deletions, shows them, and takes them back where the client is back', async () => {
    mirror = await startMirror(engine, { clients: 400, pageCap: 50 });
    await mirror.ok(['sync']);
    const [one = '', other = ''] = ids(mirror, 2);
    const { source } = mirror.simulator;
    const row = source.remove(one);
    source.remove(other);
    const dry = await mirror.ok(['reconcile', '--dry-run']);
    expect(dry.stdout).toContain(`${one}  not in the source's lists`);
    expect(await mirror.read('SELECT id FROM clients WHERE _deleted_at IS NOT NULL')).toEqual([]);
    const { stdout } = await mirror.ok(['reconcile']);
    expect(stdout).toMatch(
      /398 clients, 0 missing, 0 stale, 0 extra \(ids and stamps\), read from .* to .*Z, 0 changed/,
    );
    expect(stdout).toContain('2 clients deleted at the source');
    expect(await mirror.differences()).toEqual([]);
    const status = JSON.parse((await mirror.ok(['status', '--json'])).stdout);
    expect(status).toMatchObject({
      clients: { live: 398, deleted: 2 },
      certificate: { clients: 398, ...equal, deleted: 2, deep: false },
    });
    const listed = JSON.parse((await mirror.ok(['tombstones', 'list', '--json'])).stdout) as {
      run: number;
    }[];
    expect(listed).toHaveLength(2);
    if (row !== undefined) source.restore(row);
    const again = await mirror.ok(['tombstones', 'recheck', String(listed[0]?.run)]);
    expect(again.stdout).toContain(`${one}  live again`);
    expect((await mirror.ok(['tombstones', 'purge', '--older-than', '0'])).stdout).toContain(
      '1 client purged',
    );
    expect(await mirror.differences()).toEqual([]);
    expect((await mirror.ok(['reconcile', '--sample', '100'])).stdout).toContain(
      '100 random clients compared',
    );
  });

  it('stops at a guard with exit code 1 and says how to go on; a changed owner is exit code 2', async () => {
    mirror = await startMirror(engine, { clients: 60 });
    await mirror.ok(['sync']);
    for (const id of ids(mirror, 20)) mirror.simulator.source.remove(id);
    const stopped = await mirror.run(['reconcile']);
    expect(stopped).toMatchObject({ exit: 1 });
    expect(stopped.stderr).toMatch(/mass delete.*20 of 60[\s\S]*--allow-mass-delete/);
    expect((await mirror.run(['status', '--check'])).stdout).toContain('the last reconcile failed');
    const owner = { MIRROR_OWNER_ID: '00000000-0000-4000-8000-000000000001' };
    expect(await mirror.run(['reconcile'], owner)).toMatchObject({ exit: 2 });
    expect(await mirror.read('SELECT id FROM clients WHERE _deleted_at IS NOT NULL')).toEqual([]);
    await mirror.ok(['reconcile', '--allow-mass-delete']);
    expect(await mirror.differences()).toEqual([]);
    await mirror.ok(['status', '--check']);
  });

  it('keeps a second one out with exit code 75, and goes on after a kill', async () => {
    mirror = await startMirror(engine, { clients: 3_000, pageCap: 50 });
    await mirror.ok(['sync']);
    const gone = ids(mirror, 5);
    for (const id of gone) mirror.simulator.source.remove(id);
    mirror.simulator.setFaults({ latency: { ms: 300 } });
    const first = mirror.start(['reconcile']);
    await first.until('reconcile begins');
    expect(await mirror.run(['reconcile'])).toMatchObject({ exit: 75 });
    first.child.kill('SIGKILL');
    await first.done;
    mirror.simulator.setFaults({});
    const { stderr, stdout } = await mirror.ok(['reconcile', '--json']);
    expect(stderr).toContain('reconcile goes on where it was');
    expect(JSON.parse(stdout)).toMatchObject({ certificate: { clients: 2_995, ...equal, deleted: 5 } });
    expect(await mirror.differences()).toEqual([]);
  });
});

/** The more clients the better it shows, and the longer it takes: set it to 100,000 now and then. */
const CERTIFIED = Number(process.env.CERTIFIED_CLIENTS ?? 8_000);

describe('the certificate', () => {
  it('fails for one wrong field among thousands of rows and for one missing row, and names both', async () => {
    mirror = await startMirror('sqlite', { clients: CERTIFIED });
    const env = { MIRROR_PAGE_SIZE: '1000' };
    await mirror.ok(['backfill'], env);
    const { source } = mirror.simulator;
    const wrong = source.someId() ?? '';
    // Changed under its old stamp, and imported with an old one: no pull can see either.
    source.update(wrong, { workPhone: '000' }, { keepStamp: true });
    const { id: missing } = source.insert({}, { createdOn: '2011-11-11T11:11:11Z' });
    await mirror.ok(['sync'], env);
    const dry = JSON.parse((await mirror.ok(['reconcile', '--deep', '--dry-run', '--json'], env)).stdout);
    expect(dry.certificate).toMatchObject({ clients: CERTIFIED + 1, missing: 1, stale: 1, extra: 0 });
    expect(dry.written).toBe(0);
    expect(dry.rows).toBeGreaterThan(CERTIFIED);
    expect(dry.requests).toBeGreaterThan(CERTIFIED / 1_000);
    const report = JSON.parse((await mirror.ok(['reconcile', '--deep', '--json'], env)).stdout);
    expect(report.findings).toEqual([
      expect.objectContaining({ id: wrong, what: 'differs', fields: ['workPhone'], outcome: 'mended' }),
      expect.objectContaining({ id: missing, what: 'missing', outcome: 'mended' }),
    ]);
    expect(report.certificate).toMatchObject({ ...equal, mended: { missing: 1, stale: 1 } });
    const last = JSON.parse((await mirror.ok(['reconcile', '--deep', '--json'], env)).stdout);
    expect(last).toMatchObject({
      findings: [],
      written: 0,
      certificate: { clients: CERTIFIED + 1, ...equal },
    });
  });
});
