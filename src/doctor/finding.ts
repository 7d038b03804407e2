/**
 * What a check of the doctor found. A check answers one finding and never throws: whatever goes wrong while it
 * looks is what it found, so that one fault never hides the others.
 */
import { isSyncError } from '../errors.ts';

export type Verdict = 'ok' | 'warning' | 'fault' | 'skipped';

export interface Outcome {
  readonly verdict: Verdict;
  /** One line. */
  readonly message: string;
  /** What to do about it. */
  readonly remedy?: string;
}

export interface Finding extends Outcome {
  readonly check: string;
}

export function ok(message: string): Outcome {
  return { verdict: 'ok', message };
}

export function warning(message: string, remedy: string): Outcome {
  return { verdict: 'warning', message, remedy };
}

export function fault(message: string, remedy: string): Outcome {
  return { verdict: 'fault', message, remedy };
}

export function skipped(message: string): Outcome {
  return { verdict: 'skipped', message };
}

/** Runs a check. Only being stopped is thrown. */
export async function look(
  check: string,
  signal: AbortSignal,
  run: () => Promise<Outcome> | Outcome,
): Promise<Finding> {
  signal.throwIfAborted();
  try {
    return { check, ...(await run()) };
  } catch (error) {
    signal.throwIfAborted();
    return { check, ...whatWentWrong(error) };
  }
}

function whatWentWrong(error: unknown): Outcome {
  if (isSyncError(error)) return fault(error.message, error.hint);
  const message = error instanceof Error ? error.message : String(error);
  return fault(message.split('\n')[0] ?? 'failed', 'This is a bug of clients-mirror: please report it.');
}
