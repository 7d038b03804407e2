/** The book of a run, around the work that is its own. */
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { createEmitter } from '../../src/events.ts';
import type { Engine } from '../../src/rows/engine.ts';
import { recordRun } from '../../src/rows/run.ts';
import { makeSqlite } from '../support/sqlite.ts';

describe('recordRun', () => {
  it('hears nothing any more once it has ended, also where it could not begin', async () => {
    const test = await makeSqlite();
    const warehouse = await test.open();
    const emitter = createEmitter();
    let hearing = 0;
    const engine = {
      ...{ warehouse, clock: systemClock, emit: emitter.emit, options: { keepDays: 30 } },
      subscribe(listener: Parameters<typeof emitter.subscribe>[0]) {
        hearing += 1;
        const leave = emitter.subscribe(listener);
        return () => {
          hearing -= 1;
          leave();
        };
      },
    } as unknown as Engine;
    const run = () =>
      recordRun(engine, { kind: 'pull', exclusive: true }, async () => expect(hearing).toBe(1));
    await run();
    expect(hearing).toBe(0);
    await warehouse.close();
    await expect(run()).rejects.toThrow();
    expect(hearing).toBe(0);
    await test.dispose();
  });
});
