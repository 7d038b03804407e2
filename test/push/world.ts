/**
 * A mirror between a real simulator and a real warehouse, both databases alike: backfilled, edited by a user with
 * plain SQL, pushed. Faults go between the parts: the n-th commit or request may fail, before or after its effect.
 */
import { createApi } from '../../src/api/api.ts';
import type { ClientsApi } from '../../src/api/endpoints.ts';
import { createReader } from '../../src/api/reader.ts';
import { createTokenSource } from '../../src/api/token.ts';
import { createTransport } from '../../src/api/transport.ts';
import type { ConflictPolicy } from '../../src/clients/merge.ts';
import { systemClock } from '../../src/clock.ts';
import { createEmitter, type SyncEvent } from '../../src/events.ts';
import { LEASE_TTL_MS } from '../../src/ledger/leases.ts';
import { putSetting } from '../../src/ledger/settings.ts';
import { shapeOf } from '../../src/ledger/windows.ts';
import type { PushEngine } from '../../src/push/engine.ts';
import { createSource } from '../../src/rows/source.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../src/simulator/simulator.ts';
import { runBackfill, runPull, runPush, runSync } from '../../src/sync.ts';
import type { Warehouse } from '../../src/warehouse/warehouse.ts';
import type { TestWarehouse } from '../contract/warehouse.ts';
import { createFakeClock, type FakeClock } from '../support/fakeClock.ts';

export interface WorldOptions {
  readonly make: () => Promise<TestWarehouse>;
  readonly simulator?: SimulatorOptions;
  readonly policy?: ConflictPolicy;
  readonly sends?: boolean;
  readonly deletes?: boolean;
  readonly ownerId?: string | null;
  readonly excluded?: readonly string[];
  readonly concurrency?: number;
  readonly lookbackSeconds?: number;
  readonly attemptsMax?: number;
  /** Time passes by itself: for what waits in the background, as a lease does. */
  readonly realTime?: boolean;
}

export interface World {
  readonly kind: Warehouse['kind'];
  readonly simulator: Simulator;
  readonly api: ClientsApi;
  readonly warehouse: Warehouse;
  readonly engine: PushEngine;
  readonly clock: FakeClock;
  readonly events: SyncEvent[];
  /** A statement of a user; rows of a SELECT or RETURNING. */
  sql(text: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** One row by its id. */
  row(id: string): Promise<Readonly<Record<string, unknown>>>;
  push(allowMassEdit?: boolean): ReturnType<typeof runPush>;
  pull(): ReturnType<typeof runPull>;
  sync(): ReturnType<typeof runSync>;
  /** The same mirror, run by another process: another engine, with parts of it replaced. */
  another(parts: Partial<EngineParts>): PushEngine;
  /** Every claim runs out now. */
  expireClaims(): Promise<void>;
  /** Ids of some clients at the source, sorted. */
  ids(): readonly string[];
  close(): Promise<void>;
}

export interface EngineParts {
  readonly warehouse: Warehouse;
  readonly api: ClientsApi;
  readonly push: Partial<PushEngine['push']>;
}

export async function createWorld(options: WorldOptions): Promise<World> {
  // A lease is prolonged when its time has come: were its sleep to pass at once, it would be all day long.
  const fake = createFakeClock(Date.now(), (ms) => ms !== LEASE_TTL_MS / 3);
  const clock: FakeClock = options.realTime ? { ...fake, ...systemClock } : fake;
  const simulator = await startSimulator({ clients: 20, clock: () => clock.now(), ...options.simulator });
  const made = await options.make();
  const warehouse = await made.open();
  const emitter = createEmitter();
  const events: SyncEvent[] = [];
  emitter.subscribe((event) => events.push(event));
  const excluded = new Set(options.excluded ?? ['loginToken']);
  const ownerId = options.ownerId ?? null;
  const concurrency = options.concurrency ?? 4;
  const token = createTokenSource({ token: simulator.token }, clock);
  const transport = createTransport({
    baseUrl: simulator.url,
    tokenSource: token,
    clock,
    emit: emitter.emit,
    concurrency,
    ...(options.attemptsMax === undefined ? {} : { attemptsMax: options.attemptsMax }),
  });
  const api = createApi(transport);
  const push = {
    policy: options.policy ?? 'remote',
    sends: options.sends ?? true,
    deletes: options.deletes ?? false,
  } as const;
  const another = (parts: Partial<EngineParts>): PushEngine => {
    const on = { warehouse: parts.warehouse ?? warehouse, api: parts.api ?? api };
    const { acceptsNul } = on.warehouse;
    const reader = createReader(on.api, { ownerId, excluded, found: [], acceptsNul, emit: emitter.emit });
    return {
      ...on,
      source: createSource({ reader, warehouse: on.warehouse, clock, emit: emitter.emit, ownerId }),
      clock,
      ...emitter,
      signal: new AbortController().signal,
      options: {
        pageSize: 1000,
        concurrency,
        lookbackSeconds: options.lookbackSeconds ?? 300,
        keepDays: 30,
        shape: shapeOf(ownerId, excluded),
      },
      push: { ...push, ...parts.push },
    };
  };
  const engine = another({});
  await warehouse.commit([
    putSetting('push', String(push.sends)),
    putSetting('push_deletes', String(push.deletes)),
  ]);
  await runBackfill(engine, { restart: false });
  const user = await made.userConnection();
  const sql = async (text: string) => user.run(text);
  simulator.requests.clear();
  return {
    kind: warehouse.kind,
    simulator,
    api,
    warehouse,
    engine,
    clock,
    events,
    sql,
    async row(id) {
      const [found] = await sql(`SELECT * FROM clients WHERE id = '${id}'`);
      if (found === undefined) throw new Error(`no row ${id}`);
      return found;
    },
    push: (allowMassEdit = false) => runPush(engine, { allowMassEdit }),
    pull: () => runPull(engine),
    sync: () => runSync(engine),
    another,
    async expireClaims() {
      await sql('UPDATE mirror_pushes SET claimed_ms = 0');
    },
    ids: () =>
      simulator.source
        .all()
        .map((row) => row.id)
        .sort(),
    async close() {
      api.close();
      await user.close();
      await warehouse.close();
      await made.dispose();
      await simulator.close();
    },
  };
}
