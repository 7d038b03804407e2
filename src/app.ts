/**
 * The joinery: makes the parts from a Config and hands them to the use cases. No logic lives here.
 */
import type { Config } from '../config/settings.ts';
import { type ClientsApi, createApi } from './api/api.ts';
import { createReader } from './api/reader.ts';
import { createTokenSource } from './api/token.ts';
import { createTransport } from './api/transport.ts';
import type { Clock } from './clock.ts';
import { createEmitter, type Emit } from './events.ts';
import { type FaultPoint, withFaultPoints } from './faultPoint.ts';
import { planSettings, readSettings } from './ledger/settings.ts';
import { shapeOf } from './ledger/windows.ts';
import type { PushEngine } from './push/engine.ts';
import { createSource } from './rows/source.ts';
import { openWarehouse } from './warehouse/open.ts';
import type { Warehouse } from './warehouse/warehouse.ts';

export interface AppOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  /** Where a test may end the process. */
  readonly faultPoint?: FaultPoint | undefined;
}

/** Opens the API alone, for direct calls. */
export function openApi({ config, clock, emit }: Omit<AppOptions, 'signal'>): ClientsApi {
  const token =
    config.apiTokenFile === null ? { token: config.apiToken ?? '' } : { file: config.apiTokenFile };
  const transport = createTransport({
    baseUrl: config.apiUrl ?? '',
    tokenSource: createTokenSource(token, clock),
    clock,
    emit,
    concurrency: config.concurrency,
  });
  return createApi(transport);
}

/** Opens the warehouse alone, for commands that only look. Creates or migrates its schema. */
export async function openMirror({
  config,
  clock,
  faultPoint,
}: Pick<AppOptions, 'config' | 'clock' | 'faultPoint'>): Promise<Warehouse> {
  const url = config.warehouse.kind === 'sqlite' ? `sqlite:${config.warehouse.path}` : config.warehouse.url;
  return openWarehouse({ url, schema: config.schema, clock, onStep: faultPoint });
}

/** Runs `work` with both sides open, and closes them whatever happens. */
export async function withEngine<T>(
  options: AppOptions,
  work: (engine: PushEngine) => Promise<T>,
): Promise<T> {
  const { config, clock, signal } = options;
  const emitter = createEmitter();
  emitter.subscribe(options.emit);
  const { emit } = emitter;
  const opened = { warehouse: await openMirror(options), api: openApi({ config, clock, emit }) };
  const { warehouse, api } = withFaultPoints(opened, options.faultPoint);
  try {
    const stored = await bringSettingsUpToDate(warehouse, config, emit);
    const excluded = new Set(config.excludeFields);
    const { acceptsNul } = warehouse;
    const { ownerId } = config;
    const found = JSON.parse(stored.get('fields') ?? '[]') as string[];
    const refused = JSON.parse(stored.get('refused') ?? '[]') as string[];
    const reader = createReader(api, { ownerId, excluded, found, refused, acceptsNul, emit });
    return await work({
      warehouse,
      source: createSource({ reader, warehouse, clock, emit, ownerId }),
      clock,
      ...emitter,
      signal,
      options: {
        pageSize: config.pageSize,
        concurrency: config.concurrency,
        lookbackSeconds: config.lookbackSeconds,
        keepDays: config.keepDays,
        shape: shapeOf(ownerId, excluded),
      },
      api,
      push: { policy: config.conflicts, sends: config.push, deletes: config.pushDeletes },
    });
  } finally {
    api.close();
    await warehouse.close();
  }
}

/** What the triggers must know. The excluded fields are a backfill's to change, which erases them. */
async function bringSettingsUpToDate(warehouse: Warehouse, config: Config, emit: Emit) {
  const stored = await readSettings(warehouse);
  const wanted = { push: String(config.push), push_deletes: String(config.pushDeletes) };
  const changes = planSettings(stored, wanted);
  if (changes.length > 0) await warehouse.commit(changes.map((change) => change.write));
  for (const { name, from, to } of changes) {
    if (from !== null) emit({ type: 'notice', message: `setting ${name} of the warehouse: ${from} → ${to}` });
  }
  return stored;
}
