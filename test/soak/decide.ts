/** People who decide about edits and conflicts, with the program's own commands. */
import type { FieldValue } from '../../src/clients/record.ts';
import { EDITED, type Edit } from '../simulation/users.ts';
import type { World } from './world.ts';

interface Told {
  readonly id: number;
  readonly clientId: string;
  readonly field: string | null;
  readonly outcome: string;
}

export async function decide(world: World): Promise<void> {
  const { chance, processes } = world;
  const what = chance.weighted({ resolve: 5, discard: 1, retry: 2 });
  const draw = chance.below(1_000);
  const take = chance.of(['local', 'remote'] as const);
  const run = async <T>(args: readonly string[]): Promise<T | null> => {
    const { stdout } = await processes.start([...args, '--json']).done;
    return stdout.trim() === '' ? null : (JSON.parse(stdout) as T);
  };
  const list = what === 'resolve' ? ['conflicts', 'list'] : ['edits', 'list'];
  const open = await run<readonly { readonly id: number | string }[]>(list);
  const one = open?.[draw % open.length];
  if (one === undefined) return;
  if (what !== 'resolve') {
    await run(['edits', what, String(one.id)]);
    return;
  }
  const tick = world.history.tick();
  const told = await run<readonly Told[]>(['conflicts', 'resolve', String(one.id), '--take', take]);
  for (const { id, clientId, field, outcome } of told ?? []) {
    if (outcome === 'resolved')
      world.decisions.push(...(await editsOf(world, { tick, id, clientId, field, take })));
  }
}

interface Decision {
  readonly tick: number;
  readonly id: number;
  readonly clientId: string;
  readonly field: string | null;
  readonly take: 'local' | 'remote';
}

/** A decision is an edit like others: of the value that was taken, or of all that was dropped. */
async function editsOf(
  { looker }: World,
  { tick, id, clientId, field, take }: Decision,
): Promise<readonly Edit[]> {
  const about = { tick, id: clientId, kind: 'field', isDropped: take === 'remote' } as const;
  if (field !== null) {
    const [row] = await looker.reads(`SELECT local, remote FROM mirror_conflicts WHERE id = ${id}`);
    const text = row?.[take] ?? null;
    const value = text === null ? null : (JSON.parse(String(text)) as FieldValue);
    return [{ ...about, field, value: typeof value === 'object' && value !== null ? String(text) : value }];
  }
  if (take === 'remote') return EDITED.map(({ name }) => ({ ...about, field: name, value: null }));
  const [row] = await looker.reads(`SELECT external_id FROM clients WHERE id = '${clientId}'`);
  const value = String(row?.external_id ?? '')
    .trim()
    .toLowerCase();
  return [{ tick, id: clientId, kind: 'insert', field: '', value }];
}
