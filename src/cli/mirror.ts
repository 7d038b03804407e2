/** What the commands that look into the warehouse alone have in common: it is opened, and closed whatever happens. */
import type { Warehouse } from '../warehouse/warehouse.ts';
import type { CommandContext } from './command.ts';

/** Runs `work` with the warehouse open. Creates or migrates its schema, as every command does. */
export async function withMirror<T>(
  context: CommandContext,
  work: (warehouse: Warehouse) => Promise<T>,
): Promise<T> {
  const { openMirror } = await import('../app.ts');
  const warehouse = await openMirror(context);
  try {
    return await work(warehouse);
  } finally {
    await warehouse.close();
  }
}

/** Every row of a list that is read by pages, each behind the last id of the one before. */
export async function readAll<T extends { readonly id: string }>(
  readPage: (after: string | null) => Promise<readonly T[]>,
): Promise<readonly T[]> {
  const rows: T[] = [];
  for (let after: string | null = null; ; ) {
    const page = await readPage(after);
    rows.push(...page);
    const last = page.at(-1);
    if (last === undefined) return rows;
    after = last.id;
  }
}
