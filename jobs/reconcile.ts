/** The job `reconcile`: the nightly proof that nothing was missed. What would delete much waits for a person. */
import { tellCertificate } from '../src/ledger/certificates.ts';
import { needsBackfill } from '../src/pull/backfill.ts';
import { runReconcile } from '../src/sync.ts';
import type { JobContext, JobResult } from './context.ts';

export async function processReconcile({ engine }: JobContext): Promise<JobResult> {
  if (await needsBackfill(engine)) return { skipped: 'a backfill comes first' };
  const choice = { deep: false, dryRun: false, allowMassDelete: false };
  const { rows, written, requests, certificate } = await runReconcile(engine, choice);
  return { rows, written, requests, certificate: tellCertificate(certificate) };
}
