/**
 * What a worker looks after while its processors work: that the schedulers are there (a flushed or restarted Redis
 * has none), that Redis is one that keeps what it is given, and that an edit in Postgres is pushed at once.
 */
import type { Config } from '../config/settings.ts';
import type { Clock } from '../src/clock.ts';
import type { Log } from '../src/observe/log.ts';
import type { PushEngine } from '../src/push/engine.ts';
import { listenForEdits } from '../src/warehouse/postgres/listen.ts';
import type { Queues } from './queue.ts';
import type { RedisConnections } from './redis.ts';

const LOOK_EVERY_MS = 5_000;
/** Edits that come together are pushed together. */
const GATHER_MS = 20;
const VERSION_MIN = [6, 2] as const;

export interface UpkeepOptions {
  readonly engine: PushEngine;
  readonly queues: Queues;
  readonly redis: RedisConnections;
  readonly config: Config;
  readonly log: Log;
  readonly redact: (text: string) => string;
  readonly signal: AbortSignal;
}

/** Looks after things until the signal is aborted; never throws. */
export async function keepUp(options: UpkeepOptions): Promise<void> {
  await Promise.all([keepSchedulers(options), keepListening(options)]);
}

async function keepSchedulers({ engine, queues, config, log, redact, signal, redis }: UpkeepOptions) {
  while (!signal.aborted) {
    try {
      await queues.upsertSchedulers(config);
    } catch (error) {
      // That Redis is away is told once, by its connection.
      if ((await redis.check()) === null) log.warn(`schedulers: ${redact((error as Error).message)}`);
    }
    await engine.clock.sleep(LOOK_EVERY_MS, signal).catch(() => undefined);
  }
}

async function keepListening({ engine, queues, config, log, redact, signal }: UpkeepOptions) {
  if (config.warehouse.kind !== 'postgres' || !config.push) return;
  const url = config.listenUrl ?? config.warehouse.url;
  const push = createGatherer(engine.clock, () => queues.pushSoon());
  await listenForEdits({
    ...{ url, schema: config.schema, clock: engine.clock, signal },
    onEdit: push,
    onState: (reason) => {
      const every = `edits are looked for every ${config.pushSeconds} s`;
      if (reason === null) log.info('edits are told by Postgres again');
      else log.warn(`LISTEN: ${redact(reason)}; until it works ${every}`);
    },
  });
}

/** Calls `work` once for all who ask within a moment. */
function createGatherer(clock: Clock, work: () => Promise<void>): () => void {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    void clock
      .sleep(GATHER_MS)
      .then(() => {
        isDue = false;
        return work();
      })
      // Redis is away: the edit waits in the warehouse for the next look.
      .catch(() => undefined);
  };
}

/** A Redis that evicts keys, or is too old, works until the day it does not. */
export async function warnOfRedis(redis: RedisConnections, log: Log): Promise<void> {
  const info = await redis.commands.info().catch(() => '');
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
  if (policy !== undefined && policy !== 'noeviction') {
    log.warn(
      `Redis evicts keys when its memory is full (maxmemory-policy ${policy}), and with them jobs: set noeviction`,
    );
  }
  const version = /^redis_version:(\S+)/m.exec(info)?.[1];
  if (version !== undefined && isOlder(version)) {
    log.warn(`Redis ${version} is older than ${VERSION_MIN.join('.')}: upgrade it`);
  }
}

function isOlder(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major < VERSION_MIN[0] || (major === VERSION_MIN[0] && minor < VERSION_MIN[1]);
}
