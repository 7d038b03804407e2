import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Mirror, startMirror } from '../support/mirror.ts';
import { connectAsUser } from '../support/sqlite.ts';

let mirror: Mirror;
let ids: string[];

async function sql(text: string): Promise<void> {
  const user = connectAsUser(mirror.warehouseUrl.replace('sqlite:', ''));
  await user.run(text);
  await user.close();
}

const MANUAL = { MIRROR_CONFLICTS: 'manual' };

beforeAll(async () => {
  mirror = await startMirror('sqlite', { clients: 10 }, 'here');
  await mirror.ok(['backfill']);
  ids = mirror.simulator.source.all().map((row) => row.id);
});
afterAll(() => mirror.close());

describe('clients-mirror conflicts', () => {
  it('lists the open ones, resolves them, and shows them marked afterwards', async () => {
    const [id = ''] = ids;
    const before = mirror.simulator.source.get(id);
    expect((await mirror.ok(['conflicts', 'list'])).stdout).toBe('no conflicts\n');
    await sql(`UPDATE clients SET first_name = 'Local' WHERE id = '${id}'`);
    mirror.simulator.source.update(id, { firstName: 'Remote' });
    await mirror.ok(['sync'], MANUAL);
    const list = await mirror.ok(['conflicts', 'list']);
    expect(list.stdout).toMatch(
      new RegExp(
        `^1  open  ${id} firstName  since [^ ]+Z  base "${before?.firstName}", local "Local", remote "Remote"\n$`,
      ),
    );
    const edits = await mirror.ok(['edits', 'list']);
    expect(edits.stdout).toMatch(/firstName {2}conflict .*"Remote" → "Local" {2}\(conflict 1\)\n$/);

    const resolved = await mirror.ok(['conflicts', 'resolve', '1', '--take', 'local']);
    expect(resolved.stdout).toBe(`1  ${id} firstName: the local value is sent with the next push\n`);
    await mirror.ok(['sync'], MANUAL);
    expect(mirror.simulator.source.get(id)).toMatchObject({ firstName: 'Local' });
    expect((await mirror.ok(['conflicts', 'list'])).stdout).toMatch(/^1 {2}resolved: local at [^ ]+Z /);
    const [entry] = JSON.parse((await mirror.ok(['conflicts', 'list', '--json'])).stdout);
    expect(entry).toMatchObject({
      id: 1,
      clientId: id,
      field: 'firstName',
      state: 'resolved',
      local: 'Local',
    });

    const back = await mirror.ok(['conflicts', 'resolve', id, '--take', 'remote', '--json']);
    expect(JSON.parse(back.stdout)).toMatchObject([{ id: 1, take: 'remote', outcome: 'resolved' }]);
    await mirror.ok(['sync'], MANUAL);
    expect(mirror.simulator.source.get(id)).toMatchObject({ firstName: 'Remote' });
    expect(await mirror.differences()).toEqual([]);
  });

  it('shows open ones first, hides excluded fields, and forgets to show what is old', async () => {
    const [, id = '', other = ''] = ids;
    await sql(`UPDATE clients SET fax = '(555) 010-0001' WHERE id = '${id}'`);
    await sql(`UPDATE clients SET first_name = 'Local' WHERE id = '${other}'`);
    mirror.simulator.source.update(id, { fax: '(555) 010-0002' });
    mirror.simulator.source.remove(other);
    await mirror.ok(['push'], MANUAL);
    const hiding = { MIRROR_EXCLUDE_FIELDS: 'loginToken,fax,firstName' };
    const shown = await mirror.ok(['conflicts', 'list', '--json']);
    expect(shown.stdout).toContain('(555) 010-0001');
    const hidden = await mirror.ok(['conflicts', 'list', '--json', '--push', 'false'], hiding);
    expect(hidden.stdout).not.toMatch(/010-000|"Local"/);
    const list = JSON.parse(hidden.stdout) as { state: string; field: string | null; isHidden: boolean }[];
    expect(list.map(({ state }) => state)).toEqual(['open', 'open', 'resolved']);
    await sql("UPDATE mirror_conflicts SET resolved_at = '2001-01-01T00:00:00.0000000Z' WHERE id = 1");
    expect(JSON.parse((await mirror.ok(['conflicts', 'list', '--json'])).stdout)).toHaveLength(2);
  });

  it('exits 1 where nothing could be done or there is no such conflict, and 2 without --take', async () => {
    const [, id = ''] = ids;
    await sql(`UPDATE clients SET fax = '(555) 010-0003' WHERE id = '${id}'`);
    const cannot = await mirror.run(['conflicts', 'resolve', id, '--take', 'remote']);
    expect(cannot).toMatchObject({ exit: 1, stdout: expect.stringContaining('edited again since') });
    expect(await mirror.run(['conflicts', 'resolve', '99', '--take', 'remote'])).toMatchObject({
      exit: 1,
      stderr: 'clients-mirror: no conflict has the id 99: see `clients-mirror conflicts list`\n',
    });
    expect(await mirror.run(['conflicts', 'resolve', '1'])).toMatchObject({ exit: 2, stdout: '' });
    expect(await mirror.run(['conflicts', 'resolve', '1', '--take', 'both'])).toMatchObject({ exit: 2 });
  });
});
