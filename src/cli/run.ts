/**
 * The command line, run: all of the program but the process around it. What only a running command needs is loaded
 * once there is one, so that `--help` and a mistyped word answer at once.
 */
import { parseCommandLine } from './program.ts';
import type { Surroundings } from './session.ts';
import { COMMANDS, GROUPS } from './table.ts';
import { readVersion } from './version.ts';

/**
 * @param argv the words behind `clients-mirror`.
 * @returns the exit code. @throws SyncError USAGE when the words are no command line.
 */
export async function run(argv: readonly string[], surroundings: Surroundings): Promise<number> {
  const parsed = parseCommandLine(argv, COMMANDS, { version: readVersion, groups: GROUPS });
  if (parsed.kind === 'show') {
    const { stdout, stderr } = surroundings;
    (parsed.isError ? stderr : stdout).write(parsed.text);
    return parsed.isError ? 2 : 0;
  }
  const { runCommand } = await import('./session.ts');
  return await runCommand(parsed, surroundings);
}
