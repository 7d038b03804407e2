/** How a finished run is told, and things counted. */
import { countText } from '../observe/numbers.ts';
import type { RunSummary } from '../rows/run.ts';
import type { CommandContext } from './command.ts';

export function printSummary(context: CommandContext, name: string, summary: RunSummary): void {
  const { rows, written, requests } = summary;
  const changed = written === 0 ? 'nothing had changed' : `${plural(written, 'client')} written`;
  context.print(
    { rows, written, requests },
    `${name} done: ${changed} (${plural(rows, 'row')} read in ${plural(requests, 'request')})`,
  );
}

/** `1 row`, `2 rows`, `12,000 rows`. */
export function plural(count: number, noun: string): string {
  return `${countText(count)} ${noun}${count === 1 ? '' : 's'}`;
}
