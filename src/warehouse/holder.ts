/**
 * Who holds a lease, as text, and whether that process is gone. A killed run is started again at once on the
 * same machine; of another machine, or another container, only the lease's expiry tells.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

const SEPARATOR = ' ';

/** `host kernel-boot pid-namespace pid pid-start-time random`: unique to one opened warehouse. */
export function newHolder(): string {
  const parts = [
    hostname(),
    kernel(),
    namespace(),
    String(process.pid),
    startTime(process.pid),
    randomUUID(),
  ];
  return parts.map((part) => part.replaceAll(SEPARATOR, '_')).join(SEPARATOR);
}

/** Is it certain that the holder's process has ended? Only a process that this one could see can be. */
export function isGone(holder: string): boolean {
  const [, boot, space, pid, started] = holder.split(SEPARATOR);
  if (boot === '-' || boot !== kernel() || space !== namespace()) return false;
  if (!/^\d+$/.test(pid ?? '')) return false;
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
  // The number may have been given to another process since.
  return started !== '-' && started !== startTime(Number(pid));
}

function kernel(): string {
  return readOr('-', () => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
}

function namespace(): string {
  return readOr('-', () => readlinkSync('/proc/self/ns/pid'));
}

/** Field 22 of /proc/PID/stat, counted behind the command's name, which may hold anything. */
function startTime(pid: number): string {
  return readOr('-', () => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '-';
  });
}

function readOr(fallback: string, read: () => string): string {
  try {
    return read();
  } catch {
    return fallback;
  }
}
