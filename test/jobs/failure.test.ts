/** What becomes of a job that threw. */
import { DelayedError, type Job, RateLimitError, UnrecoverableError } from 'bullmq';
import { describe, expect, it } from 'vitest';
import { backoffMs, type FailureContext, settleFailure } from '../../jobs/failure.ts';
import { SyncError } from '../../src/errors.ts';

function context(more: Partial<FailureContext> = {}) {
  const moved: number[] = [];
  const held: number[] = [];
  const job = { moveToDelayed: async (atMs: number) => void moved.push(atMs) } as unknown as Job;
  return {
    moved,
    held,
    context: {
      job,
      token: 'token',
      isScheduled: false,
      holdBack: async (delayMs: number) => void held.push(delayMs),
      redact: (text: string) => text.replaceAll('secret', '…'),
      now: () => 1_000,
      ...more,
    },
  };
}

describe('settleFailure', () => {
  it('lets a scheduled job give way where another does its work', async () => {
    const { context: at, moved } = context({ isScheduled: true });
    const result = await settleFailure(new SyncError('LEASE_HELD', "another run holds the lease 'pull'"), at);
    expect(result).toEqual({ skipped: "another run holds the lease 'pull'" });
    expect(moved).toEqual([]);
  });

  it('looks again at what another holds, without using up an attempt', async () => {
    const { context: at, moved } = context();
    await expect(settleFailure(new SyncError('LEASE_HELD', 'held'), at)).rejects.toBeInstanceOf(DelayedError);
    expect(moved).toEqual([3_000]);
  });

  it('gives what was stopped or lost to the next worker at once', async () => {
    for (const code of ['STOPPED', 'LEASE_LOST'] as const) {
      const { context: at, moved } = context({ isScheduled: true });
      await expect(settleFailure(new SyncError(code, 'x'), at)).rejects.toBeInstanceOf(DelayedError);
      expect(moved).toEqual([1_000]);
    }
  });

  it('holds all workers back for as long as the API asks', async () => {
    const { context: at, held } = context();
    const throttled = new SyncError('THROTTLED', '429', { retryAfterMs: 12_345 });
    await expect(settleFailure(throttled, at)).rejects.toBeInstanceOf(RateLimitError);
    await expect(settleFailure(new SyncError('THROTTLED', '429'), at)).rejects.toBeInstanceOf(RateLimitError);
    expect(held).toEqual([12_345, 30_000]);
  });

  it('never tries again what only a person can mend, and again what may pass', async () => {
    const { context: at } = context();
    await expect(settleFailure(new SyncError('SHAPE_CHANGED', 'x'), at)).rejects.toBeInstanceOf(
      UnrecoverableError,
    );
    const later = settleFailure(new SyncError('WAREHOUSE_AWAY', 'x'), at);
    await expect(later).rejects.toThrow('WAREHOUSE_AWAY: x');
    await expect(later).rejects.not.toBeInstanceOf(UnrecoverableError);
  });

  it('lets no secret into Redis, neither by a message nor by a stack', async () => {
    const { context: at } = context();
    for (const error of [new SyncError('NETWORK', 'with secret'), new Error('with secret')]) {
      const told = (await settleFailure(error, at).catch((thrown: unknown) => thrown)) as Error;
      expect(`${told.message}${told.stack}`).not.toContain('secret');
    }
  });
});

describe('backoffMs', () => {
  it('doubles from a second to five minutes, with jitter below', () => {
    expect([1, 2, 3, 10, 500].map((attempt) => backoffMs(attempt, () => 1))).toEqual([
      1_000, 2_000, 4_000, 300_000, 300_000,
    ]);
    expect(backoffMs(1, () => 0)).toBe(500);
  });
});
