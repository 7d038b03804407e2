/**
 * The two streams of a command. A reader that went away (`clients-mirror api list | head -1`) is no error:
 * what is left is dropped and the command ends as it would have. Any other failure to write (a full disk) is
 * kept, so that a result that was lost is never reported as done.
 */
import type { Output } from './command.ts';

export interface OwnedOutput extends Output {
  /** Waits until everything is with the system. @throws the error that lost some of it. */
  drain(): Promise<void>;
}

interface Stream extends NodeJS.WritableStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export function createOutput(stream: Stream): OwnedOutput {
  let failure: NodeJS.ErrnoException | undefined;
  const fail = (error: NodeJS.ErrnoException): void => {
    failure ??= error;
  };
  stream.on('error', fail);
  return {
    isTerminal: stream.isTTY === true,
    columns: () => stream.columns ?? 80,
    write(text) {
      if (failure !== undefined) return;
      try {
        stream.write(text);
      } catch (error) {
        fail(error as NodeJS.ErrnoException);
      }
    },
    async drain() {
      if (failure === undefined) {
        await new Promise<void>((resolve) => {
          stream.once('error', () => resolve());
          stream.write('', () => resolve());
        });
      }
      if (failure !== undefined && failure.code !== 'EPIPE') throw failure;
    },
  };
}
