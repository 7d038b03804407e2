/**
 * The program killed as by `kill -9` at every step of a push: before and after each commit and each request, and
 * while a request is on its way. Each time a clean sync follows, and then the accounts must be right.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { UserConnection } from '../contract/warehouse.ts';
import { ENGINES } from '../support/mirror.ts';
import { connectToMirror } from '../support/storyUser.ts';
import { type Story, startStory } from './accounts.ts';

let story: Story | undefined;
let user: UserConnection | undefined;
afterEach(async () => {
  await user?.close();
  await story?.mirror.close();
  story = undefined;
  user = undefined;
});

interface Scene {
  readonly edited: string;
  readonly disputed: string;
  readonly refused: string;
  readonly deleted: string;
  readonly email: string;
}

/**
 * Between the end of one step and the beginning of the next nothing is changed, so that one database may take the one
 * and the other the other; STORY_EVERY=1 takes all on both.
 */
const EVERY = Number(process.env.STORY_EVERY ?? 2);

/** One edit of each kind, of clients that no turn before has touched. */
async function play(turn: number, ids: readonly string[]): Promise<Scene> {
  const [edited = '', disputed = '', refused = '', deleted = ''] = ids.slice(turn * 4, turn * 4 + 4);
  const email = `new${turn}@example.com`;
  const tick = story?.history.tick() ?? 0;
  const set = async (id: string, values: Readonly<Record<string, string>>) => {
    const columns = Object.entries(values).map(([field, value]) => `${COLUMNS[field]} = '${value}'`);
    await user?.run(`UPDATE clients SET ${columns.join(', ')} WHERE id = '${id}'`);
    for (const [field, value] of Object.entries(values)) {
      story?.enter({ tick, id, kind: 'field', field, value });
    }
  };
  await set(edited, { fax: `fax ${turn}`, source: `source ${turn}` });
  await set(disputed, { homePhone: `here ${turn}`, source: 'here' });
  story?.mirror.simulator.source.update(disputed, { homePhone: `there ${turn}` });
  await set(refused, { firstName: `Nope ${turn}`, lastName: `Fine ${turn}` });
  const [row] =
    (await user?.run(
      `INSERT INTO clients (email, first_name, last_name) VALUES ('${email}', 'New', 'Client') RETURNING id`,
    )) ?? [];
  story?.enter({ tick, id: String(row?.id), kind: 'insert', field: '', value: null });
  await user?.run(`DELETE FROM clients WHERE id = '${deleted}'`);
  story?.enter({ tick, id: deleted, kind: 'delete', field: '', value: null });
  return { edited, disputed, refused, deleted, email };
}

const COLUMNS: Readonly<Record<string, string>> = {
  fax: 'fax',
  source: 'source',
  homePhone: 'home_phone',
  firstName: 'first_name',
  lastName: 'last_name',
};

async function check(scene: Scene, turn: number): Promise<void> {
  const source = story?.mirror.simulator.source;
  expect(source?.get(scene.edited)).toMatchObject({ fax: `fax ${turn}`, source: `source ${turn}` });
  expect(source?.get(scene.disputed)).toMatchObject({ homePhone: `there ${turn}`, source: 'here' });
  expect(source?.get(scene.refused)).toMatchObject({ lastName: `Fine ${turn}` });
  expect(source?.all().filter(({ email }) => email === scene.email)).toHaveLength(1);
  expect(source?.get(scene.deleted)).toBeUndefined();
  const rows = await user?.run(
    `SELECT id FROM clients WHERE (id = '${scene.edited}' OR id = '${scene.disputed}') AND _base IS NOT NULL`,
  );
  expect(rows).toEqual([]);
  const conflicts = await user?.run(
    `SELECT local, resolution FROM mirror_conflicts WHERE client_id = '${scene.disputed}'`,
  );
  expect(conflicts).toEqual([{ local: `"here ${turn}"`, resolution: 'remote' }]);
}

const SETTINGS = { MIRROR_PUSH_DELETES: 'true', MIRROR_CONCURRENCY: '2' };

/** A created client whose answer was lost is sent again only behind the lookback: until then the sync says so. */
async function recover(): Promise<void> {
  for (let n = 0; n < 5; n += 1) {
    await story?.mirror.ok(['sync']);
    const waits = await user?.run(
      `SELECT 1 AS one FROM clients WHERE _create IS NOT NULL UNION ALL SELECT 1 FROM mirror_deletes
       UNION ALL SELECT 1 FROM mirror_pushes`,
    );
    if (waits?.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
}

async function begin(engine: (typeof ENGINES)[number]): Promise<readonly string[]> {
  story = await startStory(engine, { clients: 400, faults: { refuseFields: { firstName: 422 } } }, SETTINGS);
  await story.mirror.ok(['sync']);
  user = await connectToMirror(story.mirror);
  return story.mirror.simulator.source
    .all()
    .map(({ id }) => id)
    .sort();
}

describe.each(ENGINES)('kill -9 of a push on %s', (engine) => {
  it('before and after each commit and each request loses nothing', { timeout: 400_000 }, async () => {
    const ids = await begin(engine);
    let turn = 0;
    for (let isDone = false; !isDone; turn += 1) {
      const scene = await play(turn, ids);
      const killAt = String(turn * EVERY + 1 + (engine === 'sqlite' ? 0 : EVERY - 1));
      const { exit, signal } = await (story as Story).mirror.run(['push'], {
        CLIENTS_MIRROR_TEST_KILL_AT: killAt,
      });
      isDone = exit === 0;
      if (!isDone) expect({ exit, signal }).toEqual({ exit: null, signal: 'SIGKILL' });
      await recover();
      await check(scene, turn);
    }
    expect(turn).toBeGreaterThan(25 / EVERY);
    expect(await story?.findings()).toEqual([]);
  });

  it('while a request is on its way loses nothing', { timeout: 200_000 }, async () => {
    const ids = await begin(engine);
    const { simulator } = (story as Story).mirror;
    let turn = 0;
    for (let isDone = false; !isDone; turn += 1) {
      const scene = await play(turn, ids);
      const push = (story as Story).mirror.start(['push']);
      let left = turn;
      // The request is carried out, and nobody is left to hear of it.
      simulator.setOnRequest((request) => {
        if (request.method === 'GET') return;
        left -= 1;
        if (left === -1) push.child.kill('SIGKILL');
      });
      const { exit } = await push.done;
      isDone = exit === 0 && left >= 0;
      simulator.setOnRequest(undefined);
      await recover();
      await check(scene, turn);
    }
    expect(turn).toBeGreaterThan(6);
    expect(await story?.findings()).toEqual([]);
  });
});
