/** The job `pull`: what changed at the source; a mirror without a finished backfill gets one, shared by all workers. */
import { needsBackfill } from '../src/pull/backfill.ts';
import { runPull } from '../src/sync.ts';
import { shareBackfill } from './backfill.ts';
import type { JobContext, JobResult } from './context.ts';

export async function processPull({ engine, queues, lanes }: JobContext): Promise<JobResult> {
  if (!(await needsBackfill(engine))) return { ...(await runPull(engine)) };
  const shared = await shareBackfill(engine, { queues, lanes: await lanes(), restart: false });
  return { backfill: shared.backfillId, windows: shared.windowsAdded };
}
