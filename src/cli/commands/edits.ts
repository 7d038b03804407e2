/** `edits list|retry|discard`: local edits that are not yet at the source. */

import type { OpenEdit } from '../../decisions/openClients.ts';
import { SyncError } from '../../errors.ts';
import { defineCommand } from '../command.ts';
import { withHand } from '../hand.ts';
import { plural } from '../summary.ts';
import { showTime, showValue } from '../values.ts';

const IDS = [
  "An edit's id is CLIENT:FIELD: the client's id and the field's name (its column does as well).",
  'A row inserted here is CLIENT:create, one deleted here CLIENT:delete.',
  'CLIENT alone means all of its edits.',
].join(' ');

const ID = {
  id: { help: 'id of an edit as `edits list` prints it, or of a client', required: true },
} as const;

export const editsList = defineCommand({
  name: 'edits list',
  summary: 'every local edit that is not at the source, with its state and since when',
  description: `States:
  pending    waits for the next push
  in flight  is on its way to the source just now
  conflict   met a remote change and waits for \`conflicts resolve\`
  refused    a dead letter, with the server's words: edit the field again,
             \`edits retry\` or \`edits discard\`

${IDS}`,
  needs: ['warehouse', 'mirror'],
  json: true,
  async run(context) {
    const { readOpenEdits } = await import('../../decisions/openClients.ts');
    const edits = await withHand(context, ({ warehouse, clock, excluded }) =>
      readOpenEdits(warehouse, { nowMs: clock.now(), excluded }),
    );
    context.print(edits, edits.length === 0 ? 'no local edit waits' : edits.map(line).join('\n'));
    return 0;
  },
});

export const editsRetry = defineCommand({
  name: 'edits retry',
  summary: 'send a refused edit again with the next push',
  description: `Puts a refused edit back into the queue, as it is.

${IDS}`,
  arguments: ID,
  needs: ['warehouse', 'mirror'],
  json: true,
  async run(context, { args }) {
    const { retryEdits } = await import('../../decisions/retry.ts');
    const { retried, others } = await withHand(context, (hand) => retryEdits(hand, args.id));
    const lines = [
      ...retried.map(({ id }) => `${id}: the next push sends it again`),
      ...others.map((edit) => `${edit.id}: ${NOT_REFUSED[edit.state]}`),
    ];
    context.print({ retried, others }, lines.join('\n'));
    return 0;
  },
});

const NOT_REFUSED: Readonly<Record<OpenEdit['state'], string>> = {
  pending: 'not refused; the next push sends it',
  'in flight': 'not refused; it is on its way just now',
  conflict: 'in conflict: `clients-mirror conflicts resolve`',
  refused: 'refused',
};

export const editsDiscard = defineCommand({
  name: 'edits discard',
  summary: "give a local edit up: the source's value comes back",
  description: [
    "The source's value is also read again by the next cycle; a row inserted here goes, one deleted here returns.",
    'What was given up stays readable in `explain CLIENT` for MIRROR_KEEP_DAYS.',
    'An edit on its way to the source cannot be discarded until it has settled.',
    `--all says how many edits it discarded.\n\n${IDS}`,
  ].join(' '),
  arguments: { id: { help: ID.id.help, required: false } },
  options: { all: { help: 'discard every edit that `edits list` shows' } },
  needs: ['warehouse', 'mirror'],
  json: true,
  async run(context, { args, flags }) {
    if ((args.id === undefined) === !flags.all) {
      throw new SyncError('USAGE', 'edits discard takes either an ID or --all', { hint: '' });
    }
    const { discardAll, discardEdits } = await import('../../decisions/discard.ts');
    if (args.id !== undefined) {
      const { id } = args;
      const discarded = await withHand(context, (hand) => discardEdits(hand, id));
      context.print({ discarded }, discarded.map((edit) => `${edit.id}: ${BACK[edit.kind]}`).join('\n'));
      return 0;
    }
    const result = await withHand(context, discardAll);
    const { discarded, clients, left } = result;
    const text = `${plural(discarded, 'edit')} of ${plural(clients, 'client')} discarded`;
    const rest = `${plural(left, 'edit')} may be at the source by now: run \`push\`, or try again in a moment`;
    context.print(result, left === 0 ? text : `${text}; ${rest}`);
    return left === 0 ? 0 : 1;
  },
});

const BACK: Readonly<Record<OpenEdit['kind'], string>> = {
  field: "discarded; the source's value is back",
  create: 'discarded; the row is gone',
  delete: 'discarded; the row is back',
};

function line(edit: OpenEdit): string {
  const said = edit.message === null ? '' : `  (${edit.message})`;
  return `${edit.id}  ${edit.state}  since ${showTime(edit.since)}  ${change(edit)}${said}`;
}

function change({ kind, isHidden, base, value }: OpenEdit): string {
  if (isHidden) return '(hidden)';
  if (kind === 'create') return `new ${showValue(value)}`;
  return kind === 'delete' ? `deleted ${showValue(base)}` : `${showValue(base)} → ${showValue(value)}`;
}
