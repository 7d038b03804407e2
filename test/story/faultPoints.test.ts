/**
 * A run that dies at every point there is: before and after each commit, each lease and each request of a backfill,
 * a pull and a reconcile. A clean run follows each time, and then the accounts must be right.
 *
 * The dying happens in this process, so that hundreds of points cost seconds: from the point on the run can neither
 * commit nor ask, which is all that a dead process is to the two sides. kills.test.ts does it with real SIGKILLs.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { type ClientRecord, parseRow } from '../../src/clients/record.ts';
import { type FaultPoint, type STEPS, withFaultPoints } from '../../src/faultPoint.ts';
import type { PushEngine } from '../../src/push/engine.ts';
import type { ClientRow } from '../../src/simulator/row.ts';
import { runBackfill, runPull, runReconcile } from '../../src/sync.ts';
import { ownDelete } from '../../src/warehouse/dialect.ts';
import { statement } from '../../src/warehouse/warehouse.ts';
import { describeBoth } from '../push/warehouses.ts';
import type { World } from '../push/world.ts';
import { closeAccounts } from '../simulation/accounts.ts';
import { createHistory, type History } from '../simulation/history.ts';
import type { Edit } from '../simulation/users.ts';
import { differencesBetween } from '../support/mirror.ts';

/**
 * Of the points of one name every so many-th is died at, the first always. FAULT_POINTS_EVERY=1: every one.
 * Behind a commit every one is on SQLite: there a place would be stored whose rows are not.
 */
const EVERY = process.env.FAULT_POINTS_EVERY;
const SAMPLE = { sqlite: Number(EVERY ?? 5), postgres: Number(EVERY ?? 20) };

const LONGER_THAN_A_WALK_MS = 80;

class Killed extends Error {}

/** The n-th point of this name is the last: what comes behind it does not happen. */
function createKill(wanted: string, at: number) {
  const met = new Set<string>();
  let left = at;
  const point: FaultPoint = async (name) => {
    met.add(name);
    if (name === wanted) left -= 1;
    if (left <= 0) throw new Killed(name);
  };
  return { point, met, isDead: () => left <= 0 };
}

interface Life {
  readonly world: World;
  readonly history: History;
  readonly edits: Edit[];
  /** Clients that were removed at the source and are to come back. */
  readonly removed: ClientRow[];
  /** Edits one field of one client as a user, and enters it for the accounts. */
  edit(id: string, field: string, value: string): Promise<void>;
}

const COLUMNS: Readonly<Record<string, string>> = { fax: 'fax', homePhone: 'home_phone' };

interface Story<S> {
  readonly run: (engine: PushEngine) => Promise<unknown>;
  /** Makes something to do for the run of this turn. */
  readonly play: (life: Life, turn: number) => Promise<S>;
  /** The same run, clean. */
  readonly recover: (life: Life) => Promise<unknown>;
  readonly check: (life: Life, scene: S) => Promise<void>;
  readonly steps: readonly (typeof STEPS)[number][];
  readonly pointsMin: number;
}

type Begin = Parameters<Parameters<typeof describeBoth>[1]>[0];

async function killEverywhere<S>(begin: Begin, kind: keyof typeof SAMPLE, story: Story<S>): Promise<void> {
  const history = createHistory(() => Date.now());
  // No Date: it has whole seconds, and what a killed run left out would be looked back for all the same.
  const simulator = {
    clients: 8,
    pageCap: 3,
    logMax: 100_000,
    onChange: history.onChange,
    dateHeader: false,
  };
  const world = await begin({ simulator, realTime: true, lookbackSeconds: 0, concurrency: 1, deletes: true });
  history.begin(world.simulator.source.all());
  const edits: Edit[] = [];
  const life: Life = {
    world,
    history,
    edits,
    removed: [],
    async edit(id, field, value) {
      const tick = history.tick();
      await world.sql(`UPDATE clients SET ${COLUMNS[field]} = '${value}' WHERE id = '${id}'`);
      edits.push({ tick, id, kind: 'field', field, value });
    },
  };
  const names = story.steps.flatMap((step) => [`before ${step}`, `after ${step}`]);
  let turn = 0;
  let points = 0;
  for (const name of names) {
    const step = kind === 'sqlite' && name === 'after commit' ? 1 : SAMPLE[kind];
    for (let at = 1, isKilled = true; isKilled; at += step, turn += 1) {
      const scene = await story.play(life, turn);
      const kill = createKill(name, at);
      const error = await story.run(world.another(withFaultPoints(world, kill.point))).then(
        () => null,
        (thrown: unknown) => thrown,
      );
      isKilled = kill.isDead();
      // A lease that could not be given back is all that a run may be silent about.
      if (!isKilled) expect(error).toBeNull();
      else if (!name.endsWith('release')) expect(error).toBeInstanceOf(Killed);
      // A run that was left alone met all these points; at the first of each name one has died.
      if (!isKilled) expect([...kill.met].sort()).toEqual([...names].sort());
      if (!isKilled) points += at - 1;
      if (at === 1) expect(isKilled).toBe(true);
      // The dead hold their leases and claims until these run out.
      await world.sql('UPDATE mirror_leases SET expires_ms = 0');
      await world.expireClaims();
      await story.recover(life);
      await story.check(life, scene);
    }
  }
  expect(points).toBeGreaterThan(story.pointsMin);
  await vi.waitUntil(
    async () => {
      const before = world.simulator.requests.total;
      await world.sync();
      return world.simulator.requests.total - before === 2;
    },
    { timeout: 15_000, interval: 200 },
  );
  const findings = await closeAccounts({
    history,
    simulator: world.simulator,
    warehouse: world.warehouse,
    edits,
    patches: [],
    nowMs: Date.now(),
    staleMs: 0,
    excluded: new Set(['loginToken']),
    cycle: async () => {
      await world.sync();
    },
    restCycles: 1,
  });
  expect(findings).toEqual([]);
}

/** Some clients that no turn before has touched lately. */
function some({ world }: Life, turn: number, count: number, from = 0): string[] {
  const isOld = (id: string) => world.simulator.source.get(id)?.email.startsWith('new') === false;
  const ids = world.ids().filter(isOld).slice(from);
  return Array.from({ length: count }, (_, n) => ids[(turn * count + n) % ids.length] ?? '');
}

/** The client that the turn before brought goes again. */
function removeNewest({ world }: Life): string {
  const { source } = world.simulator;
  const id = source.all().find(({ email }) => email.startsWith('new'))?.id ?? world.ids().at(-1) ?? '';
  source.remove(id);
  return id;
}

/** Takes rows out of the mirror behind its back. */
const lose = ({ world }: Life, where: string) => world.warehouse.commit(ownDelete(where, []));

/** A secret in the mirror from a time when it was not excluded. */
async function leakSecret({ world }: Life, id: string): Promise<void> {
  const row = { ...world.simulator.source.get(id), loginToken: 'secret' };
  const record = parseRow(row, { excluded: new Set(), acceptsNul: false }) as ClientRecord;
  const at = '2026-01-01T00:00:00.0000000Z' as never;
  await world.warehouse.commit([
    { kind: 'rows', rows: [record], noted: Number.MAX_SAFE_INTEGER, at, trust: 'believed' },
    statement(
      `INSERT INTO mirror_edits (client_id, field, base, value, at, outcome) VALUES (?, 'loginToken', NULL, 'secret', ?, 'sent')`,
      [id, at],
    ),
  ]);
}

const differences = ({ world }: Life) => differencesBetween(world.simulator, world.warehouse);

const tombstones = async ({ world }: Life): Promise<string[]> =>
  (await world.sql('SELECT id FROM clients WHERE _deleted_at IS NOT NULL'))
    .map((row) => String(row.id))
    .sort();

const backfill: Story<{ edited: string; turn: number }> = {
  run: (engine) => runBackfill(engine, { restart: false }),
  recover: ({ world }) => world.sync(),
  steps: ['acquire', 'commit', 'get', 'list', 'release'],
  pointsMin: 80,
  async play(life, turn) {
    const { source } = life.world.simulator;
    const [edited = '', changed = '', leaky = ''] = some(life, turn, 3);
    await life.edit(edited, 'fax', `fax ${turn}`);
    await leakSecret(life, leaky);
    await lose(life, `_base IS NULL AND id <> '${leaky}'`);
    await life.world.warehouse.commit(
      ['mirror_backfills', 'mirror_windows', 'mirror_places'].map((table) =>
        statement(`DELETE FROM ${table}`),
      ),
    );
    source.update(changed, { workPhone: `work ${turn}` });
    removeNewest(life);
    source.insert({}, { createdOn: turn % 2 === 0 ? null : '2020-02-02T00:00:00Z' });
    return { edited, turn };
  },
  async check(life, { edited, turn }) {
    const { world } = life;
    expect(await differences(life)).toEqual([]);
    expect(world.simulator.source.get(edited)).toMatchObject({ fax: `fax ${turn}` });
    expect(await world.sql('SELECT state FROM mirror_backfills')).toEqual([{ state: 'done' }]);
    expect(await world.sql('SELECT id FROM mirror_windows')).toEqual([]);
    expect(await world.sql('SELECT id FROM clients WHERE login_token IS NOT NULL')).toEqual([]);
    expect(await world.sql("SELECT id FROM mirror_edits WHERE field = 'loginToken'")).toEqual([]);
  },
};

const pull: Story<{ gone: string; edited: string; disputed: string; bad: string; turn: number }> = {
  run: runPull,
  recover: ({ world }) => world.sync(),
  steps: ['acquire', 'commit', 'get', 'list', 'release'],
  pointsMin: 30,
  async play(life, turn) {
    const { world } = life;
    const { source } = world.simulator;
    const [edited = '', disputed = '', changed = '', bad = ''] = some(life, turn, 4);
    // Neither a page's last row, from which the next one begins, nor changed within the time that a walk takes,
    // which a later one looks back: either would bring it again, whatever was lost.
    source.update(changed, { workPhone: `work ${turn}` });
    await delay(LONGER_THAN_A_WALK_MS);
    await life.edit(edited, 'fax', `fax ${turn}`);
    source.update(edited, { workPhone: `there ${turn}` });
    await life.edit(disputed, 'homePhone', `here ${turn}`);
    source.update(disputed, { homePhone: `there ${turn}` });
    source.spoil(bad, { fico: 'many' });
    source.update(bad, { workPhone: `bad ${turn}` });
    const gone = removeNewest(life);
    await world.sql(`INSERT INTO mirror_refetch (id, reason, listed_at, due_at)
      VALUES ('${gone}', 'gone', '2026-01-01T00:00:00.0000000Z', '2026-01-01T00:00:00.0000000Z')`);
    source.insert();
    return { gone, edited, disputed, bad, turn };
  },
  async check(life, { gone, edited, disputed, bad, turn }) {
    const { world } = life;
    const { source } = world.simulator;
    expect((await differences(life)).filter((line) => !line.startsWith(bad))).toEqual([]);
    expect(await tombstones(life)).toContain(gone);
    expect(source.get(edited)).toMatchObject({ fax: `fax ${turn}`, workPhone: `there ${turn}` });
    expect(
      await world.sql(`SELECT resolution FROM mirror_conflicts WHERE client_id = '${disputed}'
        AND local = '"here ${turn}"'`),
    ).toEqual([{ resolution: 'remote' }]);
    expect(await world.sql('SELECT client_id FROM mirror_quarantine')).toEqual([{ client_id: bad }]);
    source.spoil(bad, null);
    source.update(bad, { workPhone: `good ${turn}` });
  },
};

const CHOICE = { deep: true, dryRun: false, allowMassDelete: false, groupMax: 2 };

const reconcile: Story<{ edited: string; gone: string; turn: number }> = {
  run: (engine) => runReconcile(engine, CHOICE),
  recover: ({ world }) => runReconcile(world.engine, CHOICE),
  steps: ['acquire', 'commit', 'get', 'list', 'release'],
  pointsMin: 80,
  async play(life, turn) {
    const { source } = life.world.simulator;
    // Several at one instant go through the scratch table.
    if (turn === 0) for (let n = 0; n < 5; n += 1) source.insert({}, { createdOn: '2010-06-01T00:00:00Z' });
    const [edited = ''] = life.world.ids();
    const [gone = '', lost = '', stale = ''] = some(life, turn, 3, 1);
    await life.edit(edited, 'fax', `fax ${turn}`);
    await lose(life, `id = '${lost}'`);
    source.update(stale, { workPhone: `work ${turn}` }, { keepStamp: true });
    for (const row of life.removed.splice(0)) source.restore(row);
    life.removed.push(source.remove(gone) as ClientRow);
    return { edited, gone, turn };
  },
  async check(life, { edited, gone, turn }) {
    // What is edited is the push's, whatever a reconcile finds.
    expect((await differences(life)).filter((line) => !line.startsWith(edited))).toEqual([]);
    expect(await life.world.row(edited)).toMatchObject({ fax: `fax ${turn}` });
    expect(await tombstones(life)).toEqual([gone]);
    expect(await life.world.sql('SELECT id FROM mirror_sweep_ids')).toEqual([]);
  },
};

describeBoth('a run that dies at any commit, lease or request', (begin, kind) => {
  it('leaves a backfill that goes on to the same mirror', { timeout: 600_000 }, () =>
    killEverywhere(begin, kind, backfill),
  );
  it('leaves a pull that misses nothing and drops no edit', { timeout: 600_000 }, () =>
    killEverywhere(begin, kind, pull),
  );
  it('leaves a reconcile that deletes what was proved gone and nothing else', { timeout: 600_000 }, () =>
    killEverywhere(begin, kind, reconcile),
  );
});
