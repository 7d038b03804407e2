/**
 * The program killed as by `kill -9`: at every kind of step of every command, before or after it, while a request is
 * on its way, and in the middle of a chain of migrations. Each time a clean run follows, and then the accounts must
 * be right. faultPoints.test.ts dies at every single step, in one process.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../config/load.ts';
import { withEngine } from '../../src/app.ts';
import { FIELDS } from '../../src/clients/fields.ts';
import { isRejected, parseRow } from '../../src/clients/record.ts';
import { systemClock } from '../../src/clock.ts';
import { STEPS } from '../../src/faultPoint.ts';
import type { PushEngine } from '../../src/push/engine.ts';
import { runReconcile, runSync } from '../../src/sync.ts';
import { POSTGRES, SQLITE } from '../../src/warehouse/dialect.ts';
import { SCHEMA_VERSION } from '../../src/warehouse/migrate.ts';
import { MIGRATIONS } from '../../src/warehouse/migrations/migrations.ts';
import { openWarehouse } from '../../src/warehouse/open.ts';
import type { UserConnection } from '../contract/warehouse.ts';
import { ENGINES, type EngineName } from '../support/mirror.ts';
import { connectToMirror } from '../support/storyUser.ts';
import { type Story, startStory } from './accounts.ts';

/** STORY_POINTS=all: before and after each kind of step on both databases, where else they take turns. */
const TAKES_ALL = process.env.STORY_POINTS === 'all';

let opened: Story | undefined;
let user: UserConnection;
afterEach(async () => {
  await user?.close();
  await opened?.mirror.close();
  opened = undefined;
});

const SETTINGS = { MIRROR_PUSH_DELETES: 'true', MIRROR_CONCURRENCY: '2', MIRROR_LOOKBACK_SECONDS: '1' };
const RECONCILE = { deep: false, dryRun: false, allowMassDelete: false };

async function begin(engine: EngineName): Promise<{ story: Story; ids: readonly string[] }> {
  const story = await open(engine, 400);
  await clean(runSync);
  user = await connectToMirror(story.mirror);
  const ids = story.mirror.simulator.source.all().map(({ id }) => id);
  return { story, ids: ids.sort() };
}

async function open(engine: EngineName, clients: number): Promise<Story> {
  const faults = { refuseFields: { firstName: 422 } } as const;
  opened = await startStory(engine, { clients, pageCap: 150, faults }, SETTINGS);
  return opened;
}

/** A clean run, in this process: to the two sides it is a process like any other. */
async function clean(work: (engine: PushEngine) => Promise<unknown>): Promise<void> {
  const config = loadConfig({ env: { ...opened?.mirror.env, ...SETTINGS }, needs: ['api'] });
  const { signal } = new AbortController();
  await withEngine({ config, clock: systemClock, emit: () => undefined, signal }, work);
}

interface Scene {
  readonly edited: string;
  readonly disputed: string;
  readonly refused: string;
  readonly deleted: string;
  readonly gone: string;
  readonly email: string;
}

const COLUMNS: Readonly<Record<string, string>> = {
  fax: 'fax',
  source: 'source',
  homePhone: 'home_phone',
  firstName: 'first_name',
  lastName: 'last_name',
};

/** Something to do for every command, with clients that no turn before has touched. */
async function play(story: Story, turn: number, ids: readonly string[]): Promise<Scene> {
  const { source } = story.mirror.simulator;
  const [edited = '', disputed = '', refused = '', deleted = '', gone = '', changed = ''] = ids.slice(
    turn * 6,
  );
  const email = `new${turn}@example.com`;
  const tick = story.history.tick();
  const set = async (id: string, values: Readonly<Record<string, string>>) => {
    const columns = Object.entries(values).map(([field, value]) => `${COLUMNS[field]} = '${value}'`);
    await user.run(`UPDATE clients SET ${columns.join(', ')} WHERE id = '${id}'`);
    for (const [field, value] of Object.entries(values))
      story.enter({ tick, id, kind: 'field', field, value });
  };
  await set(edited, { fax: `fax ${turn}`, source: `source ${turn}` });
  await set(disputed, { homePhone: `here ${turn}`, source: 'here' });
  source.update(disputed, { homePhone: `there ${turn}` });
  await set(refused, { firstName: `Nope ${turn}`, lastName: `Fine ${turn}` });
  const [row] = await user.run(
    `INSERT INTO clients (email, first_name, last_name) VALUES ('${email}', 'New', 'Client') RETURNING id`,
  );
  story.enter({ tick, id: String(row?.id), kind: 'insert', field: '', value: null });
  await user.run(`DELETE FROM clients WHERE id = '${deleted}'`);
  story.enter({ tick, id: deleted, kind: 'delete', field: '', value: null });
  source.update(changed, { workPhone: `work ${turn}` });
  source.insert({ email: `far${turn}@example.com` });
  source.remove(gone);
  await user.run(`INSERT INTO mirror_refetch (id, reason, listed_at, due_at)
    VALUES ('${gone}', 'gone', '2026-01-01T00:00:00.0000000Z', '2026-01-01T00:00:00.0000000Z')`);
  return { edited, disputed, refused, deleted, gone, email };
}

async function check({ mirror }: Story, scene: Scene, turn: number): Promise<void> {
  const { source } = mirror.simulator;
  expect(source.get(scene.edited)).toMatchObject({ fax: `fax ${turn}`, source: `source ${turn}` });
  expect(source.get(scene.disputed)).toMatchObject({ homePhone: `there ${turn}`, source: 'here' });
  expect(source.get(scene.refused)).toMatchObject({ lastName: `Fine ${turn}` });
  expect(source.all().filter(({ email }) => email === scene.email)).toHaveLength(1);
  expect(source.get(scene.deleted)).toBeUndefined();
  const dirty = `SELECT id FROM clients WHERE id IN ('${scene.edited}', '${scene.disputed}') AND _base IS NOT NULL`;
  expect(await user.run(dirty)).toEqual([]);
  const conflicts = `SELECT local, resolution FROM mirror_conflicts WHERE client_id = '${scene.disputed}'`;
  expect(await user.run(conflicts)).toEqual([{ local: `"here ${turn}"`, resolution: 'remote' }]);
  const gone = `SELECT id FROM clients WHERE id = '${scene.gone}' AND _deleted_at IS NOT NULL`;
  expect(await user.run(gone)).toEqual([{ id: scene.gone }]);
}

/** A created client whose answer was lost is sent again only behind the lookback: until then the sync says so. */
async function recover(command: string): Promise<void> {
  if (command === 'reconcile') await clean((engine) => runReconcile(engine, RECONCILE));
  for (let n = 0; n < 5; n += 1) {
    await clean(runSync);
    const waits = await user.run(
      `SELECT 1 AS one FROM clients WHERE _create IS NOT NULL UNION ALL SELECT 1 FROM mirror_deletes
       UNION ALL SELECT 1 FROM mirror_pushes`,
    );
    if (waits.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
}

/** Which steps each command takes. */
const STEPS_OF: Readonly<Record<string, readonly (typeof STEPS)[number][]>> = {
  backfill: ['acquire', 'commit', 'get', 'list', 'release'],
  pull: ['acquire', 'commit', 'get', 'list', 'release'],
  push: ['commit', 'list', 'create', 'update', 'delete'],
  reconcile: ['acquire', 'commit', 'get', 'list', 'release'],
};

/** Every name once a database: where several commands take a step, they take turns. */
function pointsOf(engine: EngineName): readonly { readonly command: string; readonly point: string }[] {
  return Object.entries(STEPS_OF).flatMap(([command, steps], row) =>
    steps.flatMap((step, column) => {
      const isShared = Object.values(STEPS_OF).filter((other) => other.includes(step)).length > 1;
      const turn = (row + column + (engine === 'sqlite' ? 0 : 1)) % 2;
      const ends = TAKES_ALL || !isShared ? ['before', 'after'] : [turn === 0 ? 'before' : 'after'];
      // A later commit is of more interest than the first, which opens the run.
      const count = step === 'commit' ? 3 : 1;
      return ends.map((end) => ({ command, point: `${end} ${step} ${count}` }));
    }),
  );
}

describe.each(ENGINES)('kill -9 on %s', (engine) => {
  it('meets each named point', () => {
    const names = new Set(pointsOf(engine).map(({ point }) => point.replace(/ \d+$/, '')));
    expect(names).toEqual(new Set(STEPS.flatMap((step) => [`before ${step}`, `after ${step}`])));
  });

  it('before or after a step of any command loses nothing', { timeout: 400_000 }, async () => {
    const { story, ids } = await begin(engine);
    for (const [turn, { command, point }] of pointsOf(engine).entries()) {
      const scene = await play(story, turn, ids);
      if (command === 'backfill') {
        for (const table of ['mirror_backfills', 'mirror_windows', 'mirror_places'])
          await user.run(`DELETE FROM ${table}`);
      }
      const killed = await story.mirror.run([command], { CLIENTS_MIRROR_TEST_KILL_AT: point });
      expect(killed, `${command} ${point}: ${killed.stderr}`).toMatchObject({
        exit: null,
        signal: 'SIGKILL',
      });
      await recover(command);
      await check(story, scene, turn);
    }
    expect(await story.findings()).toEqual([]);
  });

  it('while a write is on its way loses nothing', { timeout: 200_000 }, async () => {
    const { story, ids } = await begin(engine);
    const { simulator } = story.mirror;
    let turn = 0;
    for (let isDone = false; !isDone; turn += 1) {
      const scene = await play(story, turn, ids);
      const push = story.mirror.start(['push']);
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
      await recover('push');
      await check(story, scene, turn);
    }
    expect(turn).toBeGreaterThan(6);
    expect(await story.findings()).toEqual([]);
  });
});

/** What stands in a database, by name; in Postgres in one of its schemas. */
async function relations(engine: EngineName, on: UserConnection, schema = 'public'): Promise<unknown[]> {
  const sql =
    engine === 'sqlite'
      ? "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
      : `SELECT relname AS name FROM pg_class WHERE relnamespace = '${schema}'::regnamespace
         UNION ALL SELECT tgname FROM pg_trigger WHERE tgrelid = '${schema}.clients'::regclass`;
  return (await on.run(sql)).map(({ name }) => name).sort();
}

/** What a new warehouse of this program holds. */
async function newest(engine: EngineName, { mirror }: Story): Promise<unknown[]> {
  const url = engine === 'sqlite' ? `sqlite:${mirror.folder}/newest.db` : mirror.warehouseUrl;
  const warehouse = await openWarehouse({ url, schema: 'newest', clock: systemClock });
  await warehouse.close();
  const there = await connectToMirror({ warehouseUrl: url });
  const found = await relations(engine, there, 'newest');
  await there.close();
  return found;
}

/** A warehouse as the first version left it: every client, one of them edited. Its triggers come at the end of the chain. */
async function makeFirstVersion(engine: EngineName, story: Story, edited: string): Promise<void> {
  const [first] = MIGRATIONS;
  await user.run('CREATE TABLE mirror_migrations (number INTEGER PRIMARY KEY NOT NULL, name TEXT NOT NULL)');
  await user.run("INSERT INTO mirror_migrations (number, name) VALUES (1, 'initial')");
  for (const sql of first?.up(engine === 'sqlite' ? SQLITE : POSTGRES) ?? []) await user.run(sql);
  const literal = (value: unknown) => {
    if (typeof value === 'boolean') return engine === 'sqlite' ? Number(value) : value;
    return typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : value;
  };
  const more = engine === 'sqlite' ? '' : ', _created_on, _updated_on';
  for (const row of story.mirror.simulator.source.all()) {
    const record = parseRow(row, { excluded: new Set(['loginToken']), acceptsNul: false });
    if (isRejected(record)) throw new Error(record.reason);
    const stamps = engine === 'sqlite' ? [] : [record.createdOn, record.updatedOn];
    const values = [...record.values, ...stamps, 1].map(literal);
    await user.run(`INSERT INTO clients (${FIELDS.map(({ column }) => column).join(', ')}${more}, _revision)
      VALUES (${values.map((value) => value ?? 'NULL').join(', ')})`);
  }
  const fax = JSON.stringify(story.mirror.simulator.source.get(edited)?.fax ?? null);
  await user.run(`UPDATE clients SET fax = 'mine', _base = '{"fax":${fax}}', _edits = 1,
    _edited_at = '2026-01-01T00:00:00.0000000Z' WHERE id = '${edited}'`);
}

/** The n-th statement of the chain from that version on is among the triggers, which come last. */
function nearTheEnd(engine: EngineName, version: number): number {
  const dialect = engine === 'sqlite' ? SQLITE : POSTGRES;
  const left = MIGRATIONS.filter(({ number }) => number > version);
  return left.reduce((sum, { up }) => sum + 1 + up(dialect).length, 3);
}

describe.each(ENGINES)('kill -9 of a migration on %s', (engine) => {
  const version = async (): Promise<number> => {
    const [row] = await user.run('SELECT max(number) AS version FROM mirror_migrations');
    return Number(row?.version);
  };
  const killAt = async (story: Story, point: string): Promise<void> => {
    const killed = await story.mirror.run(['pull'], { CLIENTS_MIRROR_TEST_KILL_AT: point });
    expect(killed, `${point}: ${killed.stderr}`).toMatchObject({ exit: null, signal: 'SIGKILL' });
  };

  it('anywhere in the chain leaves the version before or the one after', { timeout: 200_000 }, async () => {
    const story = await open(engine, 20);
    user = await connectToMirror(story.mirror);
    const edited = story.mirror.simulator.source.someId() ?? '';
    await makeFirstVersion(engine, story, edited);
    // A migration that is there already has its two ends all the same, and nothing in between.
    const chain = [
      ['before migration 2', 1],
      ['in migration 2', 1],
      ['after migration 2', 2],
      ['in migration 5', 2],
      ['after migration 3', 3],
      [`in migration ${nearTheEnd(engine, 3)}`, SCHEMA_VERSION - 1],
      [`after migration ${SCHEMA_VERSION}`, SCHEMA_VERSION],
    ] as const;
    for (const [point, left] of chain) {
      await killAt(story, point);
      expect({ point, version: await version() }).toEqual({ point, version: left });
    }
    expect(await relations(engine, user)).toEqual(await newest(engine, story));
    await recover('pull');
    expect(story.mirror.simulator.source.get(edited)).toMatchObject({ fax: 'mine' });
    expect(await story.findings()).toEqual([]);
  });

  it('of an empty warehouse leaves it empty, and the next run makes it', { timeout: 200_000 }, async () => {
    const story = await open(engine, 20);
    await killAt(story, 'in migration 30');
    user = await connectToMirror(story.mirror);
    const made =
      engine === 'sqlite'
        ? await relations(engine, user)
        : await user.run("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace");
    expect(made).toEqual([]);
    await clean(runSync);
    expect(await story.mirror.differences()).toEqual([]);
    expect(await relations(engine, user)).toEqual(await newest(engine, story));
  });
});
