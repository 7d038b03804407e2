/** A person at the commands beside a world: decisions about edits, and a user who edits between read and commit. */
import type { Hand } from '../../src/decisions/hand.ts';
import { type OpenEdit, readOpenEdits } from '../../src/decisions/openClients.ts';
import type { World } from '../push/world.ts';

export function handOf({ warehouse, clock }: World, parts: Partial<Hand> = {}): Hand {
  return { warehouse, clock, excluded: new Set(['loginToken']), sends: true, ...parts };
}

/** A hand whose n-th commit comes after a user's statement. */
export function racedHand(world: World, statement: string, times = 1): Hand {
  let left = times;
  const { warehouse } = world;
  return handOf(world, {
    warehouse: {
      ...warehouse,
      async commit(writes, lease) {
        if (left > 0) {
          left -= 1;
          await world.sql(statement);
        }
        return warehouse.commit(writes, lease);
      },
    },
  });
}

export function listEdits(
  world: World,
  excluded: readonly string[] = ['loginToken'],
): Promise<readonly OpenEdit[]> {
  return readOpenEdits(world.warehouse, { nowMs: world.clock.now(), excluded: new Set(excluded) });
}

/** `<state> <id without the client> <base> <value>` of each open edit. */
export async function shortEdits(world: World): Promise<readonly string[]> {
  const edits = await listEdits(world);
  return edits.map(({ id, state, base, value }) => {
    const part = id.slice(id.indexOf(':') + 1);
    return part === 'create' || part === 'delete'
      ? `${state} ${part}`
      : `${state} ${part} ${base} → ${value}`;
  });
}

export const edit = (id: string, set: string): string => `UPDATE clients SET ${set} WHERE id = '${id}'`;

/** Puts the row's edits on their way and leaves them there: an intent under a claim of another process. */
export async function claimed(
  world: World,
  id: string,
  sent: Readonly<Record<string, unknown>> | null,
  live = true,
) {
  const untilMs = live ? Date.now() + 3_600_000 : 1;
  const text = sent === null ? 'NULL' : `'${JSON.stringify(sent)}'`;
  await world.sql(
    `INSERT INTO mirror_pushes (id, holder, sent, before, claimed_ms) VALUES ('${id}', 'another 1', ${text}, ${sent === null ? 'NULL' : "'{}'"}, ${untilMs})`,
  );
}
