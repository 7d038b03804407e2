/** What was asked and answered: counters that never forget, and a bounded log of the last requests. */

interface RequestEntry {
  readonly method: string;
  /** Without the base path. */
  readonly path: string;
  /** Raw, as it came. */
  readonly query: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** As text; undefined when there was none. */
  readonly body: string | undefined;
  /** null: the connection was cut without an answer. */
  readonly status: number | null;
}

export interface RequestLog {
  /** All requests so far. */
  readonly total: number;
  /** Those whose answers are still being made. */
  readonly running: number;
  /** The most that were ever running at once. */
  readonly runningMax: number;
  /** The last requests, oldest first, in order of their answers. */
  readonly log: readonly RequestEntry[];
  count(wanted: Partial<Pick<RequestEntry, 'method' | 'path' | 'status'>>): number;
  /** Forgets log and counters. */
  clear(): void;
}

export interface RequestRecorder extends RequestLog {
  begin(): void;
  end(entry: RequestEntry): void;
}

/** @param keep entries kept at the most; 0: none */
export function createRequestRecorder(keep: number): RequestRecorder {
  let log: RequestEntry[] = [];
  let total = 0;
  let running = 0;
  let runningMax = 0;
  return {
    get total() {
      return total;
    },
    get running() {
      return running;
    },
    get runningMax() {
      return runningMax;
    },
    get log() {
      return log;
    },
    count: (wanted) =>
      log.filter((entry) =>
        Object.entries(wanted).every(([name, value]) => entry[name as keyof RequestEntry] === value),
      ).length,
    clear() {
      log = [];
      total = 0;
      runningMax = running;
    },
    begin() {
      total += 1;
      running += 1;
      runningMax = Math.max(runningMax, running);
    },
    end(entry) {
      running -= 1;
      if (keep === 0) return;
      log.push(entry);
      if (log.length > keep * 2) log = log.slice(-keep);
    },
  };
}
