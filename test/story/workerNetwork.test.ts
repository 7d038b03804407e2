/** The network between a worker and Redis is cut: nobody tells either of them, and what is said is lost. */
import { afterEach, describe, expect, it } from 'vitest';
import type { RunningCli } from '../support/cli.ts';
import { type Mirror, startMirror } from '../support/mirror.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { backfillsDone, equality, eventually } from '../support/story.ts';
import { connectToMirror } from '../support/storyUser.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcpProxy.ts';

let mirror: Mirror;
let redis: TestRedis;
let wire: TcpProxy;
let worker: RunningCli;

afterEach(async () => {
  worker.child.kill('SIGKILL');
  await worker.done;
  await wire.close();
  await redis.close();
  await mirror.close();
});

async function readiness(): Promise<number> {
  const face = /HTTP face at (\S+)/.exec(worker.output().stderr)?.[1] ?? '';
  return (await fetch(`${face}/readyz`)).status;
}

describe('a worker whose network to Redis is cut', () => {
  it('says so, goes on by itself when it is mended, and does nothing twice', async () => {
    redis = await startRedis();
    wire = await startTcpProxy(redis.port);
    mirror = await startMirror('sqlite', { clients: 300, logMax: 1_000 });
    worker = mirror.start(['worker'], {
      REDIS_URL: `redis://127.0.0.1:${wire.port}`,
      HTTP_ADDRESS: '127.0.0.1:0',
      MIRROR_PULL_SECONDS: '1',
      MIRROR_PUSH_SECONDS: '1',
    });
    await eventually(() => backfillsDone(mirror, 1));
    const { source } = mirror.simulator;
    const [first, second] = source.all();
    wire.cut();
    await eventually(async () => (await readiness()) === 503, 15_000);
    source.update(first?.id ?? '', { fax: 'changed meanwhile' });
    const user = await connectToMirror(mirror);
    await user.run(`UPDATE clients SET fax = 'edited meanwhile' WHERE id = '${second?.id}'`);
    await user.close();
    wire.mend();
    await eventually(async () => (await readiness()) === 200, 20_000);
    await eventually(async () => source.get(second?.id ?? '')?.fax === 'edited meanwhile', 40_000);
    await eventually(() => equality(mirror));
    expect(mirror.simulator.requests.count({ method: 'PATCH' })).toBe(1);
    expect(await backfillsDone(mirror, 1)).toBe(true);
    worker.child.kill('SIGTERM');
    expect(await worker.done).toMatchObject({ exit: 0 });
    expect(worker.output().stderr).toContain('Redis is back');
  }, 120_000);
});
