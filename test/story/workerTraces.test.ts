/** Traces as a collector gets them: the program as a whole, a collector that keeps what it is sent. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningCli } from '../support/cli.ts';
import { startHttpServer, type TestServer } from '../support/httpServer.ts';
import { type Mirror, startMirror } from '../support/mirror.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { equality, eventually } from '../support/story.ts';
import { connectToMirror } from '../support/storyUser.ts';

const CANARY = 'canary-of-a-client';

interface SentSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];
}

let mirror: Mirror;
let collector: TestServer;
let worker: RunningCli | null = null;
let redis: TestRedis | null = null;

beforeEach(async () => {
  mirror = await startMirror('sqlite', { clients: 30 });
});
afterEach(async () => {
  worker?.child.kill('SIGKILL');
  await worker?.done;
  await redis?.close();
  [worker, redis] = [null, null];
  await collector?.close();
  await mirror.close();
});

async function collect(): Promise<Readonly<Record<string, string>>> {
  collector = await startHttpServer();
  collector.otherwise({ json: {} });
  return { OTEL_EXPORTER_OTLP_ENDPOINT: collector.origin, OTEL_BSP_SCHEDULE_DELAY: '100' };
}

function spans(): readonly SentSpan[] {
  interface Body {
    readonly resourceSpans: readonly {
      readonly scopeSpans: readonly { readonly spans: readonly SentSpan[] }[];
    }[];
  }
  return collector.seen.flatMap(({ body }) =>
    (JSON.parse(body) as Body).resourceSpans.flatMap(({ scopeSpans }) =>
      scopeSpans.flatMap((one) => one.spans),
    ),
  );
}

async function editHere(id: string): Promise<void> {
  const user = await connectToMirror(mirror);
  await user.run(`UPDATE clients SET fax = '${CANARY}' WHERE id = '${id}'`);
  await user.close();
}

const named = (name: string): SentSpan | undefined => spans().find((span) => span.name === name);

/** The names from a span up to its root. */
function line(span: SentSpan | undefined): readonly string[] {
  if (span === undefined) return [];
  return [span.name, ...line(spans().find(({ spanId }) => spanId === span.parentSpanId))];
}

function attribute(span: SentSpan | undefined, key: string): unknown {
  const found = span?.attributes.find((one) => one.key === key)?.value ?? {};
  return Object.values(found)[0];
}

function expectNoSecret(): void {
  const sent = collector.seen
    .map(({ body, url, headers }) => `${url} ${JSON.stringify(headers)} ${body}`)
    .join('\n');
  const clients = mirror.simulator.source.all();
  expect(clients.length).toBeGreaterThan(0);
  for (const word of [
    mirror.simulator.token,
    CANARY,
    ...clients.flatMap(({ id, email }) => [id, String(email)]),
  ]) {
    expect(sent).not.toContain(word);
  }
}

describe('traces', () => {
  it('of a sync: a span for the command, each run and each request, and no value of a client', async () => {
    const env = await collect();
    const [first, second] = mirror.simulator.source.all();
    await mirror.ok(['sync'], { ...env, OTEL_SERVICE_NAME: 'mirror-of-the-test' });
    mirror.simulator.source.update(first?.id ?? '', { fax: CANARY });
    await editHere(second?.id ?? '');
    await mirror.ok(['sync'], env);
    expect(collector.seen.every(({ path }) => path === '/v1/traces')).toBe(true);
    expect(collector.seen[0]?.body).toContain('mirror-of-the-test');
    expect(spans().map(line)).toContainEqual(['GET /clients', 'run backfill', 'sync']);
    expect(line(named('PATCH /clients/{id}'))).toEqual(['PATCH /clients/{id}', 'run push', 'sync']);
    expect(attribute(named('run backfill'), 'mirror.rows')).toBeGreaterThanOrEqual(30);
    expect(attribute(named('PATCH /clients/{id}'), 'http.response.status_code')).toBe(200);
    expectNoSecret();
  });

  it('of a run that fails: its span ends too, with the code of the error and none of its words', async () => {
    const env = await collect();
    await mirror.ok(['backfill']);
    expect((await mirror.run(['pull'], { ...env, CLIENTS_API_TOKEN: CANARY })).exit).toBe(1);
    expect(attribute(named('run pull'), 'error.type')).toBe('AUTH');
    expect(attribute(named('pull'), 'error.type')).toBe('AUTH');
    expectNoSecret();
  });

  it('of a worker: a trace for each job, its run and its requests within, and none of BullMQ’s housekeeping', async () => {
    const env = await collect();
    redis = await startRedis();
    worker = mirror.start(['worker'], {
      ...env,
      REDIS_URL: redis.url,
      HTTP_ADDRESS: '127.0.0.1:0',
      MIRROR_PULL_SECONDS: '1',
      MIRROR_PUSH_SECONDS: '1',
    });
    await eventually(() => equality(mirror));
    const [first] = mirror.simulator.source.all();
    await editHere(first?.id ?? '');
    await eventually(
      async () => named('PATCH /clients/{id}') !== undefined && named('run pull') !== undefined,
    );
    await eventually(async () => spans().filter(({ name }) => name === 'process pull').length >= 2);
    expect(line(named('run pull'))).toEqual(['run pull', 'process pull']);
    expect(line(named('PATCH /clients/{id}'))).toEqual(['PATCH /clients/{id}', 'run push', 'process push']);
    // The windows of a backfill belong to the pull that began it, whichever worker reads them.
    expect(line(named('process window')).at(-1)).toBe('process pull');
    expect(attribute(named('process window'), 'bullmq.job.id')).toMatch(/^window-1-/);
    const pulls = spans().filter(({ name }) => name === 'process pull');
    expect(new Set(pulls.map(({ traceId }) => traceId)).size).toBe(pulls.length);
    expect(spans().map(({ name }) => name.split(' ')[0])).not.toContain('getNextJob');
    expectNoSecret();
    worker.child.kill('SIGTERM');
    expect(await worker.done).toMatchObject({ exit: 0 });
  });

  it('cost nothing where nobody asks for them: OpenTelemetry is not loaded', async () => {
    const trace = {
      NODE_OPTIONS: `--import=${new URL('../support/traceImports.mjs', import.meta.url).href}`,
    };
    const loaded = async (env: Readonly<Record<string, string>>) =>
      /^packages: (.*)$/m.exec((await mirror.ok(['sync'], { ...trace, ...env })).stdout)?.[1]?.split(' ') ??
      [];
    const plain = await loaded({});
    expect(plain).toContain('better-sqlite3');
    expect(plain.filter((name) => /opentelemetry|bullmq/.test(name))).toEqual([]);
    expect(await loaded(await collect())).toContain('@opentelemetry/api');
  });

  it('that nobody takes are told of, and hold up nothing', async () => {
    collector = await startHttpServer();
    collector.otherwise({ fault: 'stall' });
    const startedMs = Date.now();
    await mirror.ok(['sync'], { OTEL_EXPORTER_OTLP_ENDPOINT: collector.origin });
    expect(Date.now() - startedMs).toBeLessThan(15_000);
    collector.otherwise({ status: 400, text: 'no' });
    const { stderr } = await mirror.ok(['sync'], { OTEL_EXPORTER_OTLP_ENDPOINT: collector.origin });
    expect(stderr).toContain('traces cannot be sent');
  });
});
