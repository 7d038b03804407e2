import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Mirror, startMirror } from '../support/mirror.ts';
import { connectAsUser } from '../support/sqlite.ts';

let mirror: Mirror;
let id: string;

async function sql(text: string): Promise<void> {
  const user = connectAsUser(mirror.warehouseUrl.replace('sqlite:', ''));
  await user.run(text);
  await user.close();
}

beforeAll(async () => {
  mirror = await startMirror('sqlite', { clients: 10 }, 'here');
  await mirror.ok(['backfill']);
  id = mirror.simulator.source.all()[0]?.id ?? '';
});
afterAll(() => mirror.close());

describe('clients-mirror edits', () => {
  it('says that nothing waits', async () => {
    expect(await mirror.ok(['edits', 'list'])).toMatchObject({ stdout: 'no local edit waits\n', stderr: '' });
    expect(await mirror.ok(['edits', 'list', '--json'])).toMatchObject({ stdout: '[]\n' });
    expect(await mirror.ok(['edits', 'discard', '--all'])).toMatchObject({
      stdout: '0 edits of 0 clients discarded\n',
    });
  });

  it('lists, retries and discards a refused edit by the id that the list prints', async () => {
    const before = mirror.simulator.source.get(id);
    mirror.simulator.setFaults({ refuseFields: { firstName: 422 } });
    await sql(`UPDATE clients SET first_name = 'Nope', fico = 555 WHERE id = '${id}'`);
    await mirror.ok(['push']);
    const list = await mirror.ok(['edits', 'list']);
    expect(list.stdout).toMatch(
      new RegExp(
        `^${id}:firstName  refused  since [^ ]+Z  "${before?.firstName}" → "Nope"  \\(.*not allowed.*\\)\n$`,
      ),
    );
    const [entry] = JSON.parse((await mirror.ok(['edits', 'list', '--json'])).stdout);
    expect(entry).toMatchObject({ id: `${id}:firstName`, clientId: id, state: 'refused', value: 'Nope' });

    const retried = await mirror.ok(['edits', 'retry', entry.id]);
    expect(retried.stdout).toBe(`${id}:firstName: the next push sends it again\n`);
    const again = await mirror.ok(['edits', 'retry', entry.id]);
    expect(again.stdout).toBe(`${id}:firstName: not refused; the next push sends it\n`);
    mirror.simulator.setFaults({});
    await mirror.ok(['sync']);
    expect(mirror.simulator.source.get(id)).toMatchObject({ firstName: 'Nope', fico: 555 });

    await sql(`UPDATE clients SET first_name = 'Never' WHERE id = '${id}'`);
    const discarded = await mirror.ok(['edits', 'discard', `${id}:first_name`]);
    expect(discarded.stdout).toBe(`${id}:firstName: discarded; the source's value is back\n`);
    expect(await mirror.differences()).toEqual([]);
  });

  it('hides an excluded field before the warehouse has adopted the exclusion', async () => {
    await sql(
      `UPDATE clients SET fax = '(555) 010-7777', mobile_phone = '(555) 010-8888' WHERE id = '${id}'`,
    );
    const env = { MIRROR_EXCLUDE_FIELDS: 'loginToken,fax' };
    for (const args of [['list'], ['list', '--json']]) {
      const { stdout } = await mirror.ok(['edits', ...args], env);
      expect(stdout).toContain(`${id}:fax`);
      expect(stdout).toContain('(555) 010-8888');
      expect(stdout).not.toContain('(555) 010-7777');
    }
    const { stdout } = await mirror.ok(['edits', 'discard', '--all', '--json'], env);
    expect(JSON.parse(stdout)).toEqual({ discarded: 2, clients: 1, left: 0 });
  });

  it('exits 1 with one line for an id that there is not, and 2 for a call that says nothing', async () => {
    for (const command of ['retry', 'discard']) {
      expect(await mirror.run(['edits', command, `${id}:fax`])).toMatchObject({
        exit: 1,
        stdout: '',
        stderr: `clients-mirror: no open edit has the id ${id}:fax: see \`clients-mirror edits list\`\n`,
      });
    }
    expect(await mirror.run(['edits', 'discard'])).toMatchObject({ exit: 2, stdout: '' });
    expect(await mirror.run(['edits', 'discard', id, '--all'])).toMatchObject({ exit: 2, stdout: '' });
  });
});
