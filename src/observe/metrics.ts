/**
 * The worker's figures for Prometheus. What happens in this process is counted from its events; how the mirror
 * stands is read when somebody asks, and is the same from every worker of one mirror.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type Instant, instantToMs } from '../clients/instant.ts';
import type { Emit } from '../events.ts';

/** What is told of how the mirror stands: a part of its status. */
export interface Standing {
  readonly clients: { readonly live: number; readonly deleted: number };
  readonly cursor: Instant | null;
  readonly lagSeconds: number | null;
  readonly pending: number;
  readonly conflicts: number;
  readonly quarantined: number;
  readonly deadLetters: number;
  readonly massEdit: object | null;
  readonly refetch: number;
  readonly backfill: string;
  readonly certificate: {
    readonly to: Instant;
    readonly clients: number;
    readonly missing: number;
    readonly stale: number;
    readonly extra: number;
  } | null;
  readonly lateness: {
    readonly count: number;
    readonly medianSeconds: number;
    readonly p99Seconds: number;
    readonly maxSeconds: number;
    readonly over: number;
    readonly lookbackSeconds: number | null;
  } | null;
  readonly drift: readonly { readonly change: string }[];
  readonly lastRuns: readonly { readonly kind: string; readonly state: string }[];
}

export interface MirrorState {
  /** null: the warehouse does not answer; the figures it gives are left out rather than told wrong. */
  readonly status: Standing | null;
  /** When the oldest edit that waits was made, in milliseconds since 1970; null: none waits; undefined: not known. */
  readonly oldestPendingMs: number | null | undefined;
  readonly redisIsUp: boolean;
  readonly warehouseIsUp: boolean;
}

export interface Metrics {
  readonly emit: Emit;
  jobDone(job: string, outcome: string, durationMs: number): void;
  /** @param nowMs our clock. */
  render(state: MirrorState, nowMs: number): Promise<{ readonly type: string; readonly text: string }>;
}

const JOB_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600];
const REQUEST_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export function createMetrics(): Metrics {
  const register = new Registry();
  collectDefaultMetrics({ register });
  const count = createCounters(register);
  return {
    emit: count.emit,
    jobDone: count.jobDone,
    async render(state, nowMs) {
      const standing = await renderSamples(samplesOf(state, nowMs));
      return { type: register.contentType, text: `${standing}${await register.metrics()}` };
    },
  };
}

function createCounters(register: Registry) {
  const registers = [register];
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name, help, labelNames, registers });
  const rows = counter('mirror_rows_total', 'Rows of the source, read and written', ['kind', 'what']);
  const requests = counter('mirror_requests_total', 'Answers of the API', ['method', 'status']);
  const bytes = counter('mirror_request_bytes_total', 'Bytes of the answers of the API');
  const retries = counter('mirror_request_retries_total', 'Requests tried again', ['method']);
  const edits = counter('mirror_edits_total', 'Local edits, by what became of them', ['outcome']);
  const conflicts = counter('mirror_conflicts_total', 'Fields found changed on both sides');
  const quarantined = counter(
    'mirror_rows_quarantined_total',
    'Rows of the source that could not be mirrored',
  );
  const requestSeconds = new Histogram({
    name: 'mirror_request_duration_seconds',
    help: 'How long the API takes to answer',
    labelNames: ['method'],
    buckets: REQUEST_SECONDS,
    registers,
  });
  const jobSeconds = new Histogram({
    name: 'mirror_run_duration_seconds',
    help: 'How long a job of the worker takes',
    labelNames: ['job', 'outcome'],
    buckets: JOB_SECONDS,
    registers,
  });
  const emit: Emit = (event) => {
    switch (event.type) {
      case 'requestDone':
        requests.inc({ method: event.method, status: event.status ?? 'none' });
        requestSeconds.observe({ method: event.method }, event.durationMs / 1000);
        bytes.inc(event.bodyBytes);
        break;
      case 'requestRetried':
        retries.inc({ method: event.method });
        break;
      case 'pageCommitted':
        rows.inc({ kind: event.kind, what: 'read' }, event.rows);
        rows.inc({ kind: event.kind, what: 'written' }, event.written);
        break;
      case 'editSettled':
        edits.inc({ outcome: event.outcome });
        break;
      case 'conflictFound':
        conflicts.inc();
        break;
      case 'rowQuarantined':
        quarantined.inc();
        break;
      default:
    }
  };
  return {
    emit,
    jobDone(job: string, outcome: string, durationMs: number) {
      jobSeconds.observe({ job, outcome }, durationMs / 1000);
    },
  };
}

interface Sample {
  readonly name: string;
  readonly help: string;
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
}

/** What is not known is not told: a 0 would be a lie that an alert believes. Pure. */
function samplesOf(state: MirrorState, nowMs: number): readonly Sample[] {
  const { status, oldestPendingMs, redisIsUp, warehouseIsUp } = state;
  const up = { name: 'mirror_up', help: 'Does what the worker stands on answer?' };
  const parts: readonly Sample[] = [
    { ...up, labels: { part: 'redis' }, value: Number(redisIsUp) },
    { ...up, labels: { part: 'warehouse' }, value: Number(warehouseIsUp) },
  ];
  if (status === null) return parts;
  const ageSeconds = (atMs: number | null) => (atMs === null ? 0 : Math.max(0, (nowMs - atMs) / 1000));
  const clients = { name: 'mirror_clients', help: 'Clients in the mirror' };
  const failed = { name: 'mirror_last_run_failed', help: '1 when the last run of the kind failed' };
  const plain: readonly Figure[] = [
    ['mirror_lag_seconds', 'Time since the last complete pull began', status.lagSeconds],
    [
      'mirror_cursor_age_seconds',
      'Age of the newest stamp that the pull has reached',
      status.cursor === null ? null : ageSeconds(instantToMs(status.cursor)),
    ],
    ['mirror_edits_pending', 'Local edits that wait for a push', status.pending],
    [
      'mirror_edits_oldest_pending_seconds',
      'Age of the oldest edit that waits; 0: none',
      oldestPendingMs === undefined ? null : ageSeconds(oldestPendingMs),
    ],
    ['mirror_conflicts_open', 'Conflicts that wait for a person', status.conflicts],
    ['mirror_dead_letters', 'Edits that the source refused', status.deadLetters],
    ['mirror_quarantined', 'Rows of the source in quarantine', status.quarantined],
    ['mirror_refetch', 'Single clients to be read again', status.refetch],
    [
      'mirror_certificate_age_seconds',
      'Time since a reconcile compared all clients',
      status.certificate === null ? null : ageSeconds(instantToMs(status.certificate.to)),
    ],
    ...certificateFigures(status.certificate),
    ['mirror_backfill_done', '1 when a backfill is finished', Number(status.backfill === 'done')],
    ['mirror_mass_edit_held', '1 when a mass edit waits for a person', Number(status.massEdit !== null)],
  ];
  return [
    ...parts,
    { ...clients, labels: { state: 'live' }, value: status.clients.live },
    { ...clients, labels: { state: 'deleted' }, value: status.clients.deleted },
    ...plain.flatMap(([name, help, value]) => (value === null ? [] : [{ name, help, value }])),
    ...latenessSamples(status.lateness),
    ...driftSamples(status.drift),
    ...status.lastRuns.map(({ kind, state: end }) => ({
      ...failed,
      labels: { kind },
      value: Number(end === 'failed'),
    })),
  ];
}

/** Name, help and value; null: not known. */
type Figure = readonly [name: string, help: string, value: number | null];

/** What the last complete reconcile certified; nothing before the first. */
function certificateFigures(certificate: Standing['certificate']): readonly Figure[] {
  if (certificate === null) return [];
  const { clients, missing, stale, extra, to } = certificate;
  return [
    [
      'mirror_certificate_timestamp_seconds',
      'When the last complete reconcile ended',
      instantToMs(to) / 1000,
    ],
    ['mirror_certificate_clients', 'Clients that the source listed to it', clients],
    ['mirror_certificate_missing', 'Clients that the mirror still lacked when it ended', missing],
    ['mirror_certificate_stale', 'Clients of another version than at the source when it ended', stale],
    ['mirror_certificate_extra', 'Clients not in the source, but not proved gone when it ended', extra],
  ];
}

function latenessSamples(lateness: Standing['lateness']): readonly Sample[] {
  const short = {
    name: 'mirror_lookback_too_short',
    help: '1 when rows became visible later than MIRROR_LOOKBACK_SECONDS within the last month',
  };
  if (lateness === null) return [{ ...short, value: 0 }];
  const { lookbackSeconds, medianSeconds, p99Seconds, maxSeconds } = lateness;
  const late = { name: 'mirror_lateness_seconds', help: 'How late rows became visible at the source' };
  const wanted = {
    name: 'mirror_lookback_wanted_seconds',
    help: 'What MIRROR_LOOKBACK_SECONDS should be at least',
  };
  return [
    ...(
      [
        ['0.5', medianSeconds],
        ['0.99', p99Seconds],
        ['1', maxSeconds],
      ] as const
    ).map(([quantile, value]) => ({ ...late, labels: { quantile }, value })),
    { name: 'mirror_lateness_rows', help: 'Rows found late', value: lateness.count },
    {
      name: 'mirror_lateness_over_lookback_rows',
      help: 'Rows later than the lookback',
      value: lateness.over,
    },
    { ...short, value: Number(lookbackSeconds !== null) },
    ...(lookbackSeconds === null ? [] : [{ ...wanted, value: lookbackSeconds }]),
  ];
}

const CHANGES = ['appeared', 'vanished', 'changed'];

function driftSamples(drift: Standing['drift']): readonly Sample[] {
  const help = 'Fields of the source that changed within the last month';
  return CHANGES.map((change) => ({
    name: 'mirror_drift_fields',
    help,
    labels: { change },
    value: drift.filter((one) => one.change === change).length,
  }));
}

/** Gauges of a registry of their own, so that none outlives what it tells of. */
async function renderSamples(samples: readonly Sample[]): Promise<string> {
  const register = new Registry();
  const made = new Map<string, Gauge>();
  for (const { name, help, labels = {}, value } of samples) {
    const labelNames = Object.keys(labels);
    const gauge = made.get(name) ?? new Gauge({ name, help, labelNames, registers: [register] });
    made.set(name, gauge);
    gauge.set(labels, value);
  }
  return register.metrics();
}
