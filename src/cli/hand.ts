/** What the commands that look at local edits or decide about them have in common. */
import type { Hand } from '../decisions/hand.ts';
import type { CommandContext } from './command.ts';
import { withMirror } from './mirror.ts';

/**
 * Runs `work` with the warehouse open. Hidden are the fields that the settings exclude now, and those that the
 * warehouse was last mirrored without.
 */
export async function withHand<T>(context: CommandContext, work: (hand: Hand) => Promise<T>): Promise<T> {
  const { readSettings } = await import('../ledger/settings.ts');
  return await withMirror(context, async (warehouse) => {
    const stored = (await readSettings(warehouse)).get('excluded');
    const adopted = stored === undefined ? [] : (JSON.parse(stored) as string[]);
    const excluded = new Set([...context.config.excludeFields, ...adopted]);
    return await work({ warehouse, clock: context.clock, excluded, sends: context.config.push });
  });
}
