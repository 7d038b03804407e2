/**
 * A user at the distribution's own `sqlite3`, whose library may be years older than the mirror's: one process,
 * one session, statements through its input.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import type { UserConnection } from '../contract/warehouse.ts';

/** Its version, or null where there is none. */
export function sqliteCommandVersion(): string | null {
  const { status, stdout } = spawnSync('sqlite3', ['--version'], { encoding: 'utf8' });
  return status === 0 ? (stdout.split(' ')[0] ?? null) : null;
}

export function connectWithCommand(path: string): UserConnection {
  const shell = spawn('sh', ['-c', 'exec sqlite3 -json -batch "$0" 2>&1', path]);
  shell.stdout.setEncoding('utf8');
  shell.stdin.write('.timeout 5000\n');
  let count = 0;
  return {
    async run(sql) {
      count += 1;
      const end = `--done-${count}--\n`;
      shell.stdin.write(`${sql};\n.print ${end}`);
      let said = '';
      while (!said.endsWith(end)) {
        const [chunk] = await once(shell.stdout, 'data');
        said += chunk;
      }
      const answer = said.slice(0, -end.length).trim();
      if (/error/i.test(answer) && !answer.startsWith('[')) throw new Error(answer);
      return answer === '' ? [] : JSON.parse(answer);
    },
    async close() {
      const exited = once(shell, 'exit');
      shell.stdin.end();
      await exited;
    },
  };
}
