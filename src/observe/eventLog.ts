/**
 * The core's events as a calm log: a line when a run begins and ends, one every ten seconds between, and each
 * warning a person could act on; of a flood of warnings the first few and a count.
 */
import type { RunKind, SyncEvent } from '../events.ts';
import type { Log } from './log.ts';
import { countOf, countText, durationText, shareText } from './numbers.ts';
import { addEvent, emptyTally, rowsPerSecond, type Tally } from './tally.ts';

const SUMMARY_EVERY_MS = 10_000;
/** Warnings of one type told one by one between two summaries. */
const WARNINGS_MAX = 3;

export interface EventLogOptions {
  readonly log: Log;
  readonly now: () => number;
  /** false on a terminal, where the progress bar tells the same. */
  readonly summaries: boolean;
}

export interface EventLog {
  emit(event: SyncEvent): void;
  /** Tells what was held back. */
  close(): void;
}

export function createEventLog(options: EventLogOptions): EventLog {
  const { log, now } = options;
  const starts = new Map<RunKind, number>();
  const held = new Map<string, number>();
  let tally: Tally = emptyTally(now());
  let lastMs = tally.startedMs;

  function tell(event: SyncEvent): void {
    const line = lineOf(event);
    if (line === null) return;
    if (line.level === 'warn') {
      const count = (held.get(event.type) ?? 0) + 1;
      held.set(event.type, count);
      if (count > WARNINGS_MAX) return;
    }
    log[line.level](line.message, line.fields);
  }

  function flush(): void {
    for (const [type, count] of held) {
      const more = count - WARNINGS_MAX;
      if (more > 0) log.warn(`${countText(more)} more of these: ${FLOODS[type] ?? type}`);
    }
    held.clear();
  }

  function tellNowAndThen(nowMs: number): void {
    if (nowMs - lastMs < SUMMARY_EVERY_MS) return;
    lastMs = nowMs;
    flush();
    if (options.summaries && tally.kind !== null) log.info(summaryOf(tally, nowMs));
  }

  function emit(event: SyncEvent): void {
    const nowMs = now();
    tally = addEvent(tally, event, nowMs);
    if (event.type === 'runStarted') starts.set(event.kind, nowMs);
    if (event.type === 'runFinished') {
      flush();
      const tookMs = nowMs - (starts.get(event.kind) ?? nowMs);
      log.info(`${event.kind} done: ${finishOf(event)} in ${durationText(tookMs)}`);
      // The next run of this process is counted from nothing.
      if (tally.kind === event.kind) tally = emptyTally(nowMs);
      return;
    }
    tell(event);
    tellNowAndThen(nowMs);
  }

  return { emit, close: flush };
}

const FLOODS: Readonly<Record<string, string>> = {
  requestRetried: 'requests that are tried again',
  rowQuarantined: 'rows that cannot be mirrored (`clients-mirror quarantine list` shows all)',
  editRefused: 'edits that the source refused (`clients-mirror edits list` shows all)',
  conflictFound: 'fields changed on both sides (`clients-mirror conflicts list` shows all)',
  notice: 'notices',
};

interface Line {
  readonly level: 'debug' | 'info' | 'warn';
  readonly message: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** One event → at most one line. */
function lineOf(event: SyncEvent): Line | null {
  switch (event.type) {
    case 'runStarted':
      return {
        level: 'info',
        message: event.resumed ? `${event.kind} goes on where it was` : `${event.kind} begins`,
      };
    case 'requestRetried': {
      const when = `trying again in ${durationText(event.delayMs)} (attempt ${event.attempt + 1})`;
      return { level: 'warn', message: `${event.method} ${event.path}: ${event.reason}; ${when}` };
    }
    case 'rowQuarantined':
      return {
        level: 'warn',
        message: `client ${event.id ?? 'without id'} cannot be mirrored: ${event.reason}`,
      };
    case 'notice':
      return { level: 'warn', message: event.message };
    case 'tokenReread':
      return { level: 'info', message: 'the token was read again' };
    case 'pageCapped': {
      const asked = `${countText(event.asked)} were asked for`;
      return {
        level: 'info',
        message: `the API answers at most ${countText(event.got)} rows a request (${asked})`,
      };
    }
    case 'editRefused':
      return {
        level: 'warn',
        message: `the source refused ${whatOf(event)} (its words: \`clients-mirror edits list\`)`,
      };
    case 'conflictFound':
      if (event.resolution === 'rewritten') return null;
      return {
        level: 'warn',
        message: `${whatOf(event)} was changed on both sides: ${event.resolution ?? 'waits for a person'} (\`clients-mirror conflicts list\`)`,
      };
    // Several of these come with every page; runFinished is told with its figures.
    case 'pageCommitted':
    case 'backfillProgress':
    case 'sweepProgress':
    case 'runFinished':
      return null;
    default: {
      const { type, ...fields } = event;
      return { level: 'debug', message: type, fields };
    }
  }
}

function whatOf({ id, field }: { readonly id: string; readonly field: string | null }): string {
  return field === null ? `client ${id}` : `${field} of client ${id}`;
}

function finishOf(event: Extract<SyncEvent, { type: 'runFinished' }>): string {
  return `${countOf(event.rows, 'row')} read, ${countOf(event.requests, 'request')}`;
}

function summaryOf(tally: Tally, nowMs: number): string {
  const parts = [
    tally.share === null ? null : shareText(tally.share),
    countOf(tally.rows, 'row'),
    `${countText(rowsPerSecond(tally, nowMs))} rows/s`,
    countOf(tally.requests, 'request'),
  ];
  return `${tally.kind}: ${parts.filter((part) => part !== null).join(', ')}`;
}
