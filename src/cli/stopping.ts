/**
 * SIGINT and SIGTERM. The first one asks: the run's signal is aborted, the work in flight ends and its state is
 * kept. The second one kills, as the system would have without us.
 */
import { SyncError } from '../errors.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export interface Stopping {
  readonly signal: AbortSignal;
  /** Gives the signals back to the system. */
  close(): void;
}

export function createStopping(): Stopping {
  const controller = new AbortController();
  const stop = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) {
      close();
      process.kill(process.pid, name);
      return;
    }
    controller.abort(new SyncError('STOPPED', `stopped by ${name}, state kept`));
  };
  const close = (): void => {
    for (const name of SIGNALS) process.off(name, stop);
  };
  for (const name of SIGNALS) process.on(name, stop);
  return { signal: controller.signal, close };
}
