/**
 * Traces, made from events as log and metrics are: below the span of a command or a job one for each run, and below
 * that one for each request. Where an event belongs is told by the asynchronous context it was emitted in. No value
 * of a client becomes an attribute: of a path its shape is told, of an error its code.
 */
import { ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider, type SpanExporter } from '@opentelemetry/sdk-trace-node';
import type { Clock } from '../clock.ts';
import { isSyncError } from '../errors.ts';
import type { Emit, SyncEvent } from '../events.ts';

const NAME = 'clients-mirror';
const EXPORT_DONE = 0;
/** What ended otherwise than it was meant to, without anything being wrong. */
const NO_FAULT: ReadonlySet<string> = new Set(['LEASE_HELD', 'STOPPED']);

export interface TraceOptions {
  readonly version: string;
  readonly clock: Clock;
  /** Told when spans could not be sent, once until they can be again. */
  readonly onLost: (reason: string) => void;
}

export interface Traces {
  readonly emit: Emit;
  /** Runs `work` in a span of its own. */
  readonly span: <T>(name: string, work: () => Promise<T>) => Promise<T>;
  /** Runs `work` in the span that is active already, a job's; what it leaves open ends with it. */
  readonly within: <T>(work: () => Promise<T>) => Promise<T>;
  /** Sends what is not sent yet, for so many milliseconds at the most; never throws. */
  readonly close: (withinMs: number) => Promise<void>;
}

interface OpenRun {
  readonly kind: string;
  readonly span: Span;
}

/** Starts OpenTelemetry for this process, as its `OTEL_*` variables say. */
export function createTraces(options: TraceOptions): Traces {
  const { clock } = options;
  const own = resourceFromAttributes({ 'service.name': NAME, 'service.version': options.version });
  const provider = new NodeTracerProvider({
    resource: own.merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor(telling(new OTLPTraceExporter(), options.onLost))],
  });
  provider.register();
  const tracer = provider.getTracer(NAME, options.version);
  const runs = new WeakMap<Span, OpenRun[]>();

  function startBelow(parent: Span, name: string, more: { kind?: SpanKind; startTime?: number }): Span {
    const top = runs.get(parent)?.at(-1)?.span ?? parent;
    return tracer.startSpan(name, more, trace.setSpan(ROOT_CONTEXT, top));
  }

  function finishRun(parent: Span, event: Extract<SyncEvent, { type: 'runFinished' }>): void {
    const open = runs.get(parent) ?? [];
    const index = open.findLastIndex(({ kind }) => kind === event.kind);
    // A window of a backfill begins without a word: its job's span is the run's.
    const ended = index < 0 ? [] : open.splice(index);
    const span = ended[0]?.span ?? parent;
    span.setAttributes({
      'mirror.run.kind': event.kind,
      'mirror.rows': event.rows,
      'mirror.requests': event.requests,
    });
    for (const one of ended.reverse()) one.span.end();
  }

  function hear(parent: Span, event: SyncEvent): void {
    if (event.type === 'runStarted') {
      const span = startBelow(parent, `run ${event.kind}`, {});
      span.setAttributes({ 'mirror.run.kind': event.kind, 'mirror.run.resumed': event.resumed });
      runs.set(parent, [...(runs.get(parent) ?? []), { kind: event.kind, span }]);
    } else if (event.type === 'runFinished') {
      finishRun(parent, event);
    } else if (event.type === 'requestDone') {
      const endMs = clock.now();
      const route = routeOf(event.path);
      const more = { kind: SpanKind.CLIENT, startTime: endMs - event.durationMs };
      const span = startBelow(parent, `${event.method} ${route}`, more);
      span.setAttributes({
        'http.request.method': event.method,
        'url.template': route,
        'http.response.body.size': event.bodyBytes,
        ...(event.status === null ? {} : { 'http.response.status_code': event.status }),
      });
      if (event.status === null || event.status >= 400) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end(endMs);
    } else if (event.type === 'requestRetried') {
      const attributes = { 'mirror.attempt': event.attempt, 'mirror.delay_ms': event.delayMs };
      (runs.get(parent)?.at(-1)?.span ?? parent).addEvent('request retried', attributes);
    }
  }

  async function settle<T>(span: Span, work: () => Promise<T>): Promise<T> {
    let error: unknown = null;
    try {
      return await work();
    } catch (thrown) {
      error = thrown;
      fail(span, error);
      throw thrown;
    } finally {
      for (const run of (runs.get(span) ?? []).splice(0).reverse()) {
        if (error !== null) fail(run.span, error);
        run.span.end();
      }
    }
  }

  return {
    emit(event) {
      const parent = trace.getActiveSpan();
      if (parent !== undefined) hear(parent, event);
    },
    span: (name, work) =>
      tracer.startActiveSpan(name, async (span) => {
        try {
          return await settle(span, work);
        } finally {
          span.end();
        }
      }),
    within(work) {
      const span = trace.getActiveSpan();
      return span === undefined ? work() : settle(span, work);
    },
    async close(withinMs) {
      const done = new AbortController();
      const sent = provider.shutdown().catch(() => undefined);
      const late = clock.sleep(withinMs, done.signal).catch(() => undefined);
      await Promise.race([sent, late]);
      done.abort();
    },
  };
}

function fail(span: Span, error: unknown): void {
  const type = isSyncError(error) ? error.code : error instanceof Error ? error.name : 'unknown';
  span.setAttribute('error.type', type);
  if (!NO_FAULT.has(type)) span.setStatus({ code: SpanStatusCode.ERROR });
}

/** A path without what is a client's own. */
function routeOf(path: string): string {
  return path.replace(/^\/clients\/[^/]+/, '/clients/{id}').split('?')[0] ?? '';
}

/** A collector that is away must not go unnoticed, nor fill the log. */
function telling(inner: SpanExporter, onLost: (reason: string) => void): SpanExporter {
  let isLost = false;
  return {
    export(spans, done) {
      inner.export(spans, (result) => {
        const failed = result.code !== EXPORT_DONE;
        if (failed && !isLost) onLost(result.error?.message ?? 'no reason given');
        isLost = failed;
        done(result);
      });
    },
    shutdown: () => inner.shutdown(),
    forceFlush: async () => inner.forceFlush?.(),
  };
}
