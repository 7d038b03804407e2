/** The job `push`: carries the local edits to the source. The guard against a missing WHERE holds here as well. */
import { runPush } from '../src/sync.ts';
import type { JobContext, JobResult } from './context.ts';

export async function processPush({ engine }: JobContext): Promise<JobResult> {
  return { ...(await runPush(engine, { allowMassEdit: false })) };
}
