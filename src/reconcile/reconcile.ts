/**
 * Reconcile: what no pull can see. The API lists no deletions and no count, so every id and stamp is read and
 * compared; what differs is read again, what the lists leave out is proved gone by id, and what is true afterwards
 * is certified. One at a time, under the lease `reconcile`; a pull may run beside it. A killed one goes on.
 */
import { addSeconds, instantFromMs } from '../clients/instant.ts';
import { isSyncError } from '../errors.ts';
import { type Certificate, makeCertificate } from '../ledger/certificates.ts';
import {
  countFindings,
  type Finding,
  type FindingCount,
  pruneFindings,
  readFindings,
} from '../ledger/findings.ts';
import { withLease } from '../ledger/leases.ts';
import { countSwept, finishSweep, holdSweep, type Sweep, type SweepMode } from '../ledger/sweeps.ts';
import type { Engine } from '../rows/engine.ts';
import { workRefetch } from '../rows/refetch.ts';
import { createCount, type RunSummary, recordRun } from '../rows/run.ts';
import type { Lease } from '../warehouse/warehouse.ts';
import { takeCensus } from './census.ts';
import { confirmAll } from './confirm.ts';
import { findGuard, guard } from './guard.ts';
import { mendAll, settleWaiting } from './mend.ts';
import type { SweepContext } from './span.ts';
import { openSweep, readPulled, sweepAll } from './sweep.ts';

/** Ids at one instant held in memory; more go through a scratch table. */
const GROUP_MAX = 10_000;
/** Findings that a report names; `mirror_findings` has them all. */
const NAMED_MAX = 1_000;

export interface ReconcileChoice {
  /** Compare every field, not stamps alone. */
  readonly deep: boolean;
  /** Find and tell, and change nothing. */
  readonly dryRun: boolean;
  /** Delete even where a guard would stop. */
  readonly allowMassDelete: boolean;
  /** For tests: see GROUP_MAX. */
  readonly groupMax?: number;
}

export interface ReconcileReport extends RunSummary {
  /** What `tombstones recheck` takes. */
  readonly run: number;
  readonly certificate: Certificate;
  /** What was at odds, the first of them by name. */
  readonly findings: readonly Finding[];
  /** How many more there were. */
  readonly unnamed: number;
  /** A dry run: what would stop a real one; null: nothing. */
  readonly guard: string | null;
}

/**
 * Compares all of the source with all of the mirror, mends the mirror and certifies what is true then.
 * @throws SyncError GUARDED when far too many clients seem deleted; LEASE_HELD when another one is under way.
 */
export function reconcile(engine: Engine, choice: ReconcileChoice): Promise<ReconcileReport> {
  return withLease(engine, 'reconcile', async (lease, signal) => {
    const inner = { ...engine, signal };
    if (choice.dryRun) return rehearse(inner, lease, choice);
    let report: Omit<ReconcileReport, keyof RunSummary> | undefined;
    const summary = await recordRun(inner, { kind: 'reconcile', exclusive: true }, async () => {
      report = await work(inner, lease, choice);
    });
    return { ...(report as Omit<ReconcileReport, keyof RunSummary>), ...summary };
  });
}

/** Counted and told like a run; no book is kept of it, for it changes nothing. */
async function rehearse(engine: Engine, lease: Lease, choice: ReconcileChoice): Promise<ReconcileReport> {
  const count = createCount();
  const unsubscribe = engine.subscribe(count.hear);
  try {
    const report = await work(engine, lease, choice);
    const summary = count.summary();
    engine.emit({ type: 'runFinished', kind: 'reconcile', rows: summary.rows, requests: summary.requests });
    return { ...report, ...summary };
  } finally {
    unsubscribe();
  }
}

async function work(
  engine: Engine,
  lease: Lease,
  choice: ReconcileChoice,
): Promise<Omit<ReconcileReport, keyof RunSummary>> {
  const { warehouse, emit, signal } = engine;
  await engine.source.discover(signal);
  if (!choice.dryRun) await takeCensus(engine, lease);
  const mode: SweepMode = `${choice.dryRun ? 'dry ' : ''}${choice.deep ? 'deep' : 'plain'}`;
  const { sweep, isResumed } = await openSweep(engine, lease, mode, choice);
  emit({ type: 'runStarted', kind: 'reconcile', resumed: isResumed });
  const context: SweepContext = {
    engine,
    sweepId: sweep.id,
    lease,
    signal,
    isDeep: choice.deep,
    pulled: await readPulled(engine),
    groupMax: choice.groupMax ?? GROUP_MAX,
  };
  await sweepAll(context);
  let held: string | null = null;
  if (choice.dryRun) held = await findGuard(context);
  else {
    await guardSweep(context, choice);
    await mendAll(context);
    await confirmAll(context);
    await workRefetch(engine, lease);
    await settleWaiting(context);
  }
  const findings = await readFindings(warehouse, sweep.id, NAMED_MAX);
  const counts = await countFindings(warehouse, sweep.id);
  const certificate = await finish(context, sweep, { deep: choice.deep, dryRun: choice.dryRun, counts });
  const atOdds = counts
    .filter(({ outcome }) => outcome !== 'agreed')
    .reduce((sum, { count }) => sum + count, 0);
  return { run: sweep.id, certificate, findings, unnamed: atOdds - findings.length, guard: held };
}

async function guardSweep(context: SweepContext, choice: ReconcileChoice): Promise<void> {
  try {
    await guard(context, choice.allowMassDelete);
  } catch (error) {
    if (isSyncError(error, 'GUARDED')) {
      await context.engine.warehouse.commit([holdSweep(context.sweepId)], context.lease);
    }
    throw error;
  }
}

async function finish(
  context: SweepContext,
  sweep: Sweep,
  did: { readonly deep: boolean; readonly dryRun: boolean; readonly counts: readonly FindingCount[] },
): Promise<Certificate> {
  const { engine, lease } = context;
  const { warehouse, clock, options } = engine;
  const to = instantFromMs(clock.now());
  const clients = await countSwept(warehouse, sweep.id);
  const counted = { clients, deep: did.deep, from: sweep.startedAt, to };
  const certificate = makeCertificate(counted, did.counts);
  const text = did.dryRun ? null : JSON.stringify(certificate);
  const before = addSeconds(to, -options.keepDays * 86_400);
  await warehouse.commit(
    [...finishSweep(sweep.id, to, text), ...pruneFindings(warehouse.kind, before)],
    lease,
  );
  return certificate;
}
