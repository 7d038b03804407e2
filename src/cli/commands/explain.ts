/** `explain`: one client's life in order. */
import type { Life, LifeEvent } from '../../decisions/life.ts';
import { defineCommand } from '../command.ts';
import { withHand } from '../hand.ts';
import { showTime, showValue } from '../values.ts';

export const explainCommand = defineCommand({
  name: 'explain',
  summary: "one client's life in order: pulled, edited, merged, pushed, refused",
  description: [
    'Tells what the warehouse remembers of a client, the oldest first, each with its time and values: changes at the',
    'source, the last complete pull, edits made here, merges and conflicts, what was pushed and what became of it.',
    'Settled edits and conflicts are remembered for MIRROR_KEEP_DAYS. Values of excluded fields are hidden.',
    'A client that was inserted here is found under its local id as well.',
  ].join(' '),
  arguments: { id: { help: 'id of the client', required: true } },
  needs: ['warehouse', 'mirror'],
  json: true,
  async run(context, { args }) {
    const { readLife } = await import('../../decisions/life.ts');
    const life = await withHand(context, (hand) => readLife(hand, args.id));
    context.print(life, render(life));
    return 0;
  },
});

function render({ id, otherIds, state, events }: Life): string {
  const also = otherIds.length === 0 ? '' : ` (also ${otherIds.join(', ')})`;
  return [`client ${id}${also}: ${state}`, ...events.map(line)].join('\n');
}

function line(event: LifeEvent): string {
  const said = event.message === null ? '' : `  (${event.message})`;
  const field = event.field === null ? '' : `  ${event.field}`;
  const values = event.isHidden ? '  (hidden)' : valuesOf(event);
  return `${showTime(event.at)}  ${event.event}${field}${values}${said}`;
}

const THREE_SIDED: ReadonlySet<string> = new Set(['merged', 'conflict']);

function valuesOf({ event, field, base, value, remote }: LifeEvent): string {
  if (THREE_SIDED.has(event)) {
    return `  base ${showValue(base)}, local ${showValue(value)}, remote ${showValue(remote)}`;
  }
  if (base === null && value === null) return '';
  if (field !== null) return `  ${showValue(base)} → ${showValue(value)}`;
  return `  ${showValue(value ?? base)}`;
}
