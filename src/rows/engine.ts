/** What every use case is given: the two sides, the clock, and the options that are the same for a whole run. */
import type { Clock } from '../clock.ts';
import type { Emitter } from '../events.ts';
import type { Shape } from '../ledger/windows.ts';
import type { Warehouse } from '../warehouse/warehouse.ts';
import type { Source } from './source.ts';

export interface Engine extends Emitter {
  readonly warehouse: Warehouse;
  readonly source: Source;
  readonly clock: Clock;
  /** Aborted when the process is asked to stop. */
  readonly signal: AbortSignal;
  readonly options: EngineOptions;
}

export interface EngineOptions {
  /** Rows asked for at a time. */
  readonly pageSize: number;
  /** Pages read side by side by a backfill. */
  readonly concurrency: number;
  readonly lookbackSeconds: number;
  /** How long finished runs are remembered. */
  readonly keepDays: number;
  /** What is mirrored: a changed shape needs a backfill. */
  readonly shape: Shape;
}
