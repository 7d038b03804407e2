/**
 * BullMQ's spans: who added a job, who worked on it, in one trace over all workers. BullMQ's housekeeping, several
 * spans a second without a job, is left out; of what went wrong the kind is told, not the words, which may hold a
 * client's values.
 */
import type { Span, SpanOptions, Telemetry } from 'bullmq';
import { SpanKind } from 'bullmq';
import { BullMQOtel } from 'bullmq-otel';

/** For queues and workers of a process in which OpenTelemetry was started. */
export function createTelemetry(): Telemetry {
  const { tracer, contextManager } = new BullMQOtel({ tracerName: 'clients-mirror jobs' });
  return {
    contextManager,
    tracer: {
      startSpan(name: string, options?: SpanOptions, context?: Parameters<typeof tracer.startSpan>[2]) {
        if (options?.kind === SpanKind.INTERNAL) return NO_SPAN;
        return withoutWords(tracer.startSpan(name, options, context));
      },
    },
  } as Telemetry;
}

const NO_SPAN: Span = {
  setSpanOnContext: (context) => context,
  setAttribute: () => undefined,
  setAttributes: () => undefined,
  addEvent: () => undefined,
  recordException: () => undefined,
  end: () => undefined,
};

function withoutWords(span: Span): Span {
  return {
    setSpanOnContext: (context) => span.setSpanOnContext(context),
    setAttribute: (key, value) => span.setAttribute(key, value),
    setAttributes: (attributes) => span.setAttributes(attributes),
    addEvent: (name) => span.addEvent(name),
    recordException(exception) {
      const type = exception instanceof Error ? exception.name : 'unknown';
      span.setAttribute('error.type', type);
    },
    end: () => span.end(),
  };
}
