/**
 * Are traces wanted? The usual variables of OpenTelemetry say so, and they alone: what they mean beyond that (where to,
 * with which headers, how many) is read by OpenTelemetry itself, which is loaded only if they ask for it.
 */

export interface TraceWish {
  readonly wanted: boolean;
  /** Why not, where somebody asked for what is not to be had; null: nothing to tell. */
  readonly problem: string | null;
}

const NO: TraceWish = { wanted: false, problem: null };
const KNOWN_PROTOCOLS: ReadonlySet<string> = new Set(['http/protobuf', 'http/json']);

/** Reads `OTEL_*`: traces are sent where an endpoint or the exporter `otlp` is named, and nothing forbids it. */
export function parseTraceWish(env: Readonly<Record<string, string | undefined>>): TraceWish {
  const of = (name: string): string => (env[name] ?? '').trim().toLowerCase();
  if (of('OTEL_SDK_DISABLED') === 'true') return NO;
  const exporters = of('OTEL_TRACES_EXPORTER');
  const endpoint = of('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') || of('OTEL_EXPORTER_OTLP_ENDPOINT');
  if (exporters === 'none' || (exporters === '' && endpoint === '')) return NO;
  if (exporters !== '' && !exporters.split(/\s*,\s*/).includes('otlp')) {
    return { wanted: false, problem: 'no traces: OTEL_TRACES_EXPORTER may be otlp or none' };
  }
  const protocol = of('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL') || of('OTEL_EXPORTER_OTLP_PROTOCOL');
  if (protocol !== '' && !KNOWN_PROTOCOLS.has(protocol)) {
    return {
      wanted: false,
      problem: 'no traces: OTEL_EXPORTER_OTLP_PROTOCOL may be http/json; port 4318 mostly',
    };
  }
  return { wanted: true, problem: null };
}
