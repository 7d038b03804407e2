import { describe, expect, it } from 'vitest';
import { createSlots } from '../../src/api/slots.ts';

describe('createSlots', () => {
  it('hands a slot on in the order of asking', async () => {
    const slots = createSlots(1);
    const order: string[] = [];
    const release = await slots.acquire();
    const waiting = ['a', 'b', 'c'].map(async (name) => {
      const done = await slots.acquire();
      order.push(name);
      done();
    });
    release();
    await Promise.all(waiting);
    expect(order).toEqual(['a', 'b', 'c']);
  });

  it('forgets who gave up waiting', async () => {
    const slots = createSlots(1);
    const release = await slots.acquire();
    const controller = new AbortController();
    const given = slots.acquire(controller.signal);
    const next = slots.acquire();
    controller.abort(new Error('stop'));
    await expect(given).rejects.toThrow('stop');
    release();
    (await next)();
    await expect(slots.acquire(controller.signal)).rejects.toThrow('stop');
    (await slots.acquire())();
  });
});
