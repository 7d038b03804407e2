/** Which of OpenTelemetry's usual variables ask for traces. */
import { describe, expect, it } from 'vitest';
import { parseTraceWish } from '../../src/observe/otel.ts';

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };

describe('parseTraceWish', () => {
  it('wants none where nothing asks for them', () => {
    expect(parseTraceWish({})).toEqual({ wanted: false, problem: null });
    expect(parseTraceWish({ OTEL_SERVICE_NAME: 'mirror' })).toEqual({ wanted: false, problem: null });
  });

  it.each([
    ENDPOINT,
    { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://collector:4318/v1/traces' },
    { OTEL_TRACES_EXPORTER: 'otlp' },
    { OTEL_TRACES_EXPORTER: 'console, otlp' },
    { ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' },
  ])('wants them with %o', (env) => {
    expect(parseTraceWish(env)).toEqual({ wanted: true, problem: null });
  });

  it.each([{ OTEL_SDK_DISABLED: 'TRUE' }, { OTEL_TRACES_EXPORTER: 'none' }])('wants none with %o', (env) => {
    expect(parseTraceWish({ ...ENDPOINT, ...env })).toEqual({ wanted: false, problem: null });
  });

  it.each([
    [{ OTEL_TRACES_EXPORTER: 'zipkin' }, 'OTEL_TRACES_EXPORTER'],
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'OTEL_EXPORTER_OTLP_PROTOCOL'],
  ])('says what it cannot do with %o', (env, named) => {
    const { wanted, problem } = parseTraceWish({ ...ENDPOINT, ...env });
    expect(wanted).toBe(false);
    expect(problem).toContain(named);
  });
});
