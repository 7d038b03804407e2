/**
 * Runs a command in this process, by the same code as the executable: for tests of what a command does and says, where
 * a process of its own would only cost its start. Streams, signals and the build are tested with cli.ts.
 */
import { Writable } from 'node:stream';
import { describeFailure } from '../../src/cli/failure.ts';
import { createOutput } from '../../src/cli/output.ts';
import { run } from '../../src/cli/run.ts';
import type { CliResult } from './cli.ts';

/** Runs `clients-mirror …args` with these variables and no others. */
export async function runHere(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<CliResult> {
  const [stdout, stderr] = [collect(), collect()];
  const exit = await run(args, { env, stdout: stdout.output, stderr: stderr.output }).catch(
    (error: unknown) => {
      const failure = describeFailure(error, false);
      stderr.output.write(failure.text);
      return failure.exit;
    },
  );
  return { exit, signal: null, stdout: stdout.text(), stderr: stderr.text() };
}

function collect() {
  const chunks: string[] = [];
  const stream = new Writable({
    decodeStrings: false,
    write(chunk, _, done) {
      chunks.push(String(chunk));
      done();
    },
  });
  return { output: createOutput(stream), text: () => chunks.join('') };
}
