import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Mirror, startMirror } from '../support/mirror.ts';
import { connectAsUser } from '../support/sqlite.ts';

let mirror: Mirror;

beforeAll(async () => {
  mirror = await startMirror('sqlite', { clients: 5 }, 'here');
  await mirror.ok(['backfill']);
});
afterAll(() => mirror.close());

describe('clients-mirror explain', () => {
  it('tells one client’s life, a line each, and hides excluded fields', async () => {
    const { id = '', firstName } = mirror.simulator.source.all()[0] ?? {};
    const user = connectAsUser(mirror.warehouseUrl.replace('sqlite:', ''));
    await user.run(`UPDATE clients SET first_name = 'Mine' WHERE id = '${id}'`);
    await mirror.ok(['push']);
    await user.run(`UPDATE clients SET fax = '(555) 010-0001', last_name = 'Later' WHERE id = '${id}'`);
    await user.close();
    const { stdout } = await mirror.ok(['explain', id]);
    expect(stdout).toMatch(new RegExp(`^client ${id}: live\n`));
    expect(stdout).toMatch(/Z {2}pulled {2}\(the last complete pull began/);
    expect(stdout).toContain(`Z  pushed  firstName  "${firstName}" → "Mine"\n`);
    expect(stdout).toMatch(/Z {2}edited {2}fax {2}.* → "\(555\) 010-0001" {2}\(waits for the next push as/);
    const hidden = await mirror.ok(['explain', id, '--json'], { MIRROR_EXCLUDE_FIELDS: 'loginToken,fax' });
    expect(hidden.stdout).not.toContain('010-0001');
    expect(JSON.parse(hidden.stdout)).toMatchObject({ id, state: 'live', otherIds: [] });
  });

  it('exits 1 with one line for a client of which nothing is known', async () => {
    const unknown = randomUUID();
    expect(await mirror.run(['explain', unknown])).toMatchObject({
      exit: 1,
      stdout: '',
      stderr: `clients-mirror: nothing is known of a client ${unknown}\n`,
    });
  });
});
