/**
 * The checks, in the order in which one stands on another: what the API does is asked only where it answers.
 * Each reports; none throws, except when the run is stopped.
 */
import { type Config, SETTINGS } from '../../config/settings.ts';
import type { ClientsApi } from '../api/endpoints.ts';
import type { Clock } from '../clock.ts';
import { checkClock } from './clockSkew.ts';
import { type Finding, look, type Outcome, ok, warning } from './finding.ts';
import { createProbe, type Probe, type Seen } from './probe.ts';
import {
  checkById,
  checkExcluded,
  checkFilter,
  checkOrder,
  checkPageSize,
  checkSelect,
  checkSkip,
  checkStamp,
  checkTop,
} from './queries.ts';
import { checkRedis } from './redis.ts';
import { checkSettings } from './settings.ts';
import { checkToken } from './token.ts';
import { checkWarehouse, type OpenWarehouse } from './warehouse.ts';

export interface DoctorOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly openApi: () => ClientsApi;
  readonly openWarehouse: OpenWarehouse;
}

/** Yields each finding as soon as it is there. @throws the signal's reason only. */
export async function* examine(options: DoctorOptions): AsyncGenerator<Finding> {
  const { config, clock, signal } = options;
  yield await look('settings', signal, () => checkSettings(config));
  yield await look('token', signal, () => checkToken(config, clock.now()));
  if (config.apiUrl !== null) yield* examineApi(options);
  yield await look('warehouse', signal, () => checkWarehouse(config, options.openWarehouse));
  const redisDefault = SETTINGS.find((row) => row.key === 'redisUrl')?.default;
  yield await look('redis', signal, () =>
    checkRedis(config.redisUrl, config.redisUrl === redisDefault, signal),
  );
}

async function* examineApi(options: DoctorOptions): AsyncGenerator<Finding> {
  const { config, clock, signal } = options;
  let api: ClientsApi | undefined;
  try {
    let reached: { readonly probe: Probe; readonly first: Seen } | undefined;
    yield await look('api', signal, async () => {
      api = options.openApi();
      const began = clock.now();
      reached = await createProbe(api, config, signal);
      return greet(reached.first, clock.now() - began);
    });
    if (reached === undefined) return;
    const { probe, first } = reached;
    yield await look('clock', signal, () => checkClock(first.date, clock.now()));
    for (const [check, run] of queriesOf(probe, first, config)) yield await look(check, signal, run);
  } finally {
    api?.close();
  }
}

function queriesOf(
  probe: Probe,
  first: Seen,
  config: Config,
): readonly (readonly [string, () => Promise<Outcome>])[] {
  return [
    ['$top', () => checkTop(probe)],
    ['$skip', () => checkSkip(probe)],
    ['$orderby', () => checkOrder(probe)],
    ['$filter', () => checkFilter(probe)],
    ['createdOn', () => checkStamp(probe, 'createdOn')],
    ['updatedOn', () => checkStamp(probe, 'updatedOn')],
    ['$select', () => checkSelect(probe)],
    ['excluded fields', () => checkExcluded(probe, config)],
    ['page size', () => checkPageSize(probe, config.pageSize)],
    ['one client', () => checkById(probe, first.rows[0]?.id ?? null)],
  ];
}

function greet(first: Seen, tookMs: number): Outcome {
  if (first.rows.length > 0) return ok(`answers a list of clients, in ${tookMs} ms`);
  return warning(
    'answers, and shows no client',
    'Check whether the token may see the clients, and MIRROR_OWNER_ID if it is set.',
  );
}
