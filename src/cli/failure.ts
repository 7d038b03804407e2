/**
 * How a command that threw ends: the exit code and the lines for stderr. A SyncError is told in one line with
 * its remedy below; anything else is a bug of ours, and says so.
 */
import { isSyncError, type SyncError } from '../errors.ts';

export interface Failure {
  readonly exit: number;
  /** For stderr, newline included. */
  readonly text: string;
}

/** @param withStack adds the stack traces, for `--log-level debug`. */
export function describeFailure(error: unknown, withStack: boolean): Failure {
  const stack = withStack && error instanceof Error ? [stackOf(error)] : [];
  if (isSyncError(error)) return { exit: error.exit, text: lines([...wordsOf(error), ...stack]) };
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const remedy = withStack ? '' : ' and add what --log-level debug prints';
  return {
    exit: 1,
    text: lines([
      `clients-mirror: unexpected ${firstLine(message)}`,
      `  This is a bug: please report it${remedy}. Nothing is lost: run the command again.`,
      ...stack,
    ]),
  };
}

function wordsOf(error: SyncError): readonly string[] {
  const said = error.message.split('\n').map((line) => `clients-mirror: ${line}`);
  return error.hint === '' ? said : [...said, `  ${error.hint}`];
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${stackOf(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}

function firstLine(message: string): string {
  return message.split('\n')[0] ?? '';
}

function lines(all: readonly string[]): string {
  return `${all.join('\n')}\n`;
}
