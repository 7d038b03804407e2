/**
 * The program as a process, which it alone ends: everything else returns an exit code or throws.
 */
import { describeFailure } from './failure.ts';
import { createOutput, type OwnedOutput } from './output.ts';
import { run } from './run.ts';

const stdout = createOutput(process.stdout);
const stderr = createOutput(process.stderr);

async function end(exit: number): Promise<void> {
  const lost = await firstLoss([stdout, stderr]);
  if (lost !== undefined) stderr.write(`clients-mirror: the output could not be written: ${lost.message}\n`);
  process.exit(lost === undefined ? exit : Math.max(exit, 1));
}

async function firstLoss(outputs: readonly OwnedOutput[]): Promise<Error | undefined> {
  for (const output of outputs) {
    try {
      await output.drain();
    } catch (error) {
      return error as Error;
    }
  }
  return undefined;
}

async function fail(error: unknown): Promise<void> {
  const failure = describeFailure(error, isDebug(process.argv));
  stderr.write(failure.text);
  await end(failure.exit);
}

/** Before the command line is read, and when reading it is what failed. */
function isDebug(argv: readonly string[]): boolean {
  return argv.includes('--log-level=debug') || argv[argv.indexOf('--log-level') + 1] === 'debug';
}

process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);
run(process.argv.slice(2), { env: process.env, stdout, stderr }).then(end, fail);
