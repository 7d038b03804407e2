/** `conflicts list|resolve`: edits that met a remote change of the same field. */
import { oneOf } from '../../../config/kinds.ts';
import type { ShownConflict } from '../../decisions/conflictList.ts';
import { SyncError } from '../../errors.ts';
import { defineCommand } from '../command.ts';
import { withHand } from '../hand.ts';
import { showTime, showValue } from '../values.ts';

export const conflictsList = defineCommand({
  name: 'conflicts list',
  summary: 'the open ones, and marked as resolved those of the last MIRROR_KEEP_DAYS',
  description: [
    'Each with the values of base (what both sides last agreed on), local and remote; open ones first.',
    'A conflict without a field is of the whole client: it was deleted at the source while it was edited here.',
  ].join(' '),
  needs: ['warehouse', 'mirror'],
  json: true,
  async run(context) {
    const { readShownConflicts } = await import('../../decisions/conflictList.ts');
    const conflicts = await withHand(context, (hand) => readShownConflicts(hand, context.config.keepDays));
    context.print(conflicts, conflicts.length === 0 ? 'no conflicts' : conflicts.map(line).join('\n'));
    return 0;
  },
});

export const conflictsResolve = defineCommand({
  name: 'conflicts resolve',
  summary: 'say which side of a conflict stands',
  description: `  local   the local value is sent; of a deleted client: it is created anew
  remote  the source's value stands and the edit is dropped

${[
  'A conflict that was resolved the other way gives its losing value back as a new edit, for the next push.',
  'Where the field was edited again since, nothing is done: that edit waits in `edits list`.',
  "A client's id means its open conflicts; where it has none, the newest of each field.",
].join(' ')}`,
  arguments: {
    id: { help: 'id of a conflict as `conflicts list` prints it, or of a client', required: true },
  },
  options: { take: { help: 'the side that stands; required', kind: oneOf('local', 'remote') } },
  needs: ['warehouse', 'mirror'],
  json: true,
  async run(context, { args, flags }) {
    const { take } = flags;
    if (take === undefined) {
      throw new SyncError('USAGE', 'conflicts resolve needs --take local or --take remote', { hint: '' });
    }
    const { resolveConflicts } = await import('../../decisions/resolve.ts');
    const resolved = await withHand(context, (hand) => resolveConflicts(hand, args.id, take));
    const results = resolved.map(({ conflict: { id, clientId, field }, outcome, says }) => {
      return { id, clientId, field, take, outcome, says };
    });
    const lines = results.map(
      ({ id, clientId, field, says }) => `${id}  ${nameOf({ clientId, field })}: ${says}`,
    );
    context.print(results, lines.join('\n'));
    return results.every(({ outcome }) => outcome !== 'cannot') ? 0 : 1;
  },
});

function nameOf({ clientId, field }: Pick<ShownConflict, 'clientId' | 'field'>): string {
  return field === null ? `${clientId} (whole client)` : `${clientId} ${field}`;
}

function line(conflict: ShownConflict): string {
  const { id, state, resolution, resolvedAt, at, message } = conflict;
  const marked = state === 'open' ? 'open' : `resolved: ${resolution} at ${showTime(resolvedAt)}`;
  const said = message === null ? '' : `  (${message})`;
  return `${id}  ${marked}  ${nameOf(conflict)}  since ${showTime(at)}  ${sides(conflict)}${said}`;
}

function sides({ isHidden, base, local, remote }: ShownConflict): string {
  if (isHidden) return '(hidden)';
  return `base ${showValue(base)}, local ${showValue(local)}, remote ${showValue(remote)}`;
}
