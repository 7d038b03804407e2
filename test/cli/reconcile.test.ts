import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Mirror, startMirror } from '../support/mirror.ts';

let mirror: Mirror;

beforeAll(async () => {
  mirror = await startMirror('sqlite', { clients: 1_020 }, 'here');
  await mirror.ok(['backfill']);
});
afterAll(() => mirror.close());

describe('clients-mirror reconcile --dry-run', () => {
  it('names twenty clients and counts all others, however many a report holds', async () => {
    const gone = mirror.simulator.source.all().slice(0, 1_010);
    for (const { id } of gone) mirror.simulator.source.remove(id);
    const { stdout, stderr } = await mirror.ok(['reconcile', '--dry-run']);
    expect(stderr).toMatch(/reconcile done: \d+ rows read, \d+ requests in/);
    const [head, stop, ...lines] = stdout.trimEnd().split('\n');
    expect(head).toMatch(/^reconcile would find: 10 clients, 0 missing, 0 stale, 1,?010 extra/);
    expect(stop).toMatch(/^it would stop: .*: 1010 of 1020 mirrored clients/);
    expect(lines.slice(0, -1).map((line) => line.slice(40))).toEqual(
      Array.from({ length: 20 }, () => "not in the source's lists"),
    );
    expect(lines.at(-1)).toBe('  and 990 more');
    const { findings, unnamed } = JSON.parse((await mirror.ok(['reconcile', '--dry-run', '--json'])).stdout);
    expect([findings.length, unnamed]).toEqual([1_000, 10]);
  });
});
