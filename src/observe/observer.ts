/**
 * Where a command's events go. On a terminal a progress bar shows how a run goes and the log tells the rest
 * above it; in a pipe the log tells all, calmly.
 */
import type { Emit, SyncEvent } from '../events.ts';
import { createEventLog } from './eventLog.ts';
import { createLog, LOG_LEVELS, type Log, type LogOptions } from './log.ts';
import { createStatusLine, renderProgress } from './progress.ts';
import { addEvent, emptyTally } from './tally.ts';

export interface ObserverOptions extends LogOptions {
  /** Can the log's stream take a line back? */
  readonly isTerminal: boolean;
  readonly columns: () => number;
  readonly now: () => number;
}

export interface Observer {
  readonly log: Log;
  readonly emit: Emit;
  /** Tells what was held back and takes the bar away. */
  close(): void;
}

export function createObserver(options: ObserverOptions): Observer {
  const isCalm = LOG_LEVELS.indexOf(options.level) > LOG_LEVELS.indexOf('info');
  const hasBar = options.isTerminal && options.format === 'text' && !isCalm;
  const line = createStatusLine(options.write);
  const log = createLog({ ...options, write: line.print });
  const events = createEventLog({ log, now: options.now, summaries: !hasBar });
  let tally = emptyTally(options.now());

  function drawBar(event: SyncEvent): void {
    const nowMs = options.now();
    tally = addEvent(tally, event, nowMs);
    if (event.type === 'runFinished' && event.kind === tally.kind) {
      tally = emptyTally(nowMs);
      line.close();
    } else if (tally.kind !== null) line.draw(nowMs, () => renderProgress(tally, nowMs, options.columns()));
  }

  return {
    log,
    emit(event) {
      if (hasBar) drawBar(event);
      events.emit(event);
    },
    close() {
      line.close();
      events.close();
    },
  };
}
