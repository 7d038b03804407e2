import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { isGone, newHolder } from '../../src/warehouse/holder.ts';

/** The same holder with one part changed: host, boot, namespace, pid, start time, random. */
function withPart(index: number, value: string): string {
  const parts = newHolder().split(' ');
  parts[index] = value;
  return parts.join(' ');
}

describe('newHolder', () => {
  it('is new for each warehouse that is opened, and names this process', () => {
    const [first, second] = [newHolder(), newHolder()];
    expect(first).not.toBe(second);
    expect(first.split(' ')).toHaveLength(6);
    expect(first.split(' ')[3]).toBe(String(process.pid));
  });
});

describe.skipIf(process.platform !== 'linux')('isGone', () => {
  it('knows a living process for alive', () => {
    expect(isGone(newHolder())).toBe(false);
  });

  it('knows that a process has ended, also where its number was given away', () => {
    const ended = spawnSync(process.execPath, ['--version']).pid;
    expect(isGone(withPart(3, String(ended)))).toBe(true);
    expect(isGone(withPart(4, '1'))).toBe(true);
  });

  it('is never sure of another machine, another container, or a text it cannot read', () => {
    const ended = String(spawnSync(process.execPath, ['--version']).pid);
    for (const [index, value] of [
      [1, 'another-boot'],
      [2, 'pid:[1]'],
    ] as const) {
      const parts = withPart(3, ended).split(' ');
      parts[index] = value;
      expect(isGone(parts.join(' '))).toBe(false);
    }
    for (const text of ['', 'somebody', withPart(3, 'x'), withPart(3, '-1')])
      expect(isGone(text)).toBe(false);
  });
});
