/**
 * What became of a job that threw, in BullMQ's words: our error table decides, here and nowhere else, whether it
 * is tried again, when, by whom, or never. What ends up in Redis has no secret in it.
 */
import { DelayedError, type Job, RateLimitError, UnrecoverableError } from 'bullmq';
import { isSyncError, type SyncError } from '../src/errors.ts';
import { BACKOFF_MS_MAX } from './queue.ts';

/** What another holder is at is looked at again after this long. */
const HELD_MS = 2_000;
/** The API asks for fewer requests and does not say for how long. */
const THROTTLED_MS = 30_000;

export interface FailureContext {
  readonly job: Job;
  readonly token: string;
  /** A scheduled job has its next turn: it gives way where another does its work. */
  readonly isScheduled: boolean;
  /** Keeps all workers from taking jobs for so many milliseconds. */
  readonly holdBack: (delayMs: number) => Promise<void>;
  readonly redact: (text: string) => string;
  readonly now: () => number;
}

/**
 * @returns the job's result where giving way is all there is to do.
 * @throws what BullMQ understands.
 */
export async function settleFailure(error: unknown, context: FailureContext): Promise<{ skipped: string }> {
  if (!isSyncError(error)) throw redacted(error, context);
  switch (error.code) {
    case 'LEASE_HELD':
      if (context.isScheduled) return { skipped: error.message };
      return putBack(context, HELD_MS);
    case 'STOPPED':
    case 'LEASE_LOST':
      return putBack(context, 0);
    case 'THROTTLED':
      await context.holdBack(error.details.retryAfterMs ?? THROTTLED_MS);
      throw new RateLimitError();
    default:
      throw error.retry === 'never' ? new UnrecoverableError(tell(error, context)) : redacted(error, context);
  }
}

/** Another worker, or this one, takes it again; no attempt is used up. */
async function putBack(context: FailureContext, delayMs: number): Promise<never> {
  // Where Redis is away, or the job is somebody else's by now, it is put back without our help.
  await context.job.moveToDelayed(context.now() + delayMs, context.token).catch(() => undefined);
  throw new DelayedError();
}

/** Milliseconds before the next attempt: doubled each time, with jitter, so that workers do not knock together. */
export function backoffMs(attemptsMade: number, random: () => number = Math.random): number {
  const whole = Math.min(1_000 * 2 ** Math.min(attemptsMade - 1, 20), BACKOFF_MS_MAX);
  return Math.round(whole * (0.5 + random() / 2));
}

function tell(error: SyncError, { redact }: FailureContext): string {
  return redact(`${error.code}: ${error.message}`);
}

function redacted(error: unknown, context: FailureContext): Error {
  if (isSyncError(error)) return new Error(tell(error, context));
  const made = new Error(context.redact(error instanceof Error ? error.message : String(error)));
  if (error instanceof Error && error.stack !== undefined) made.stack = context.redact(error.stack);
  return made;
}
