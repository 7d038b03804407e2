/** Rows of the source against rows of the mirror, in chunks: what is at odds, as findings. */
import type { ClientRecord } from '../clients/record.ts';
import type { NewFinding } from '../ledger/findings.ts';
import { holdsJust, type Mirrored, readDeletedHere, readStretch, type Stretch } from '../ledger/mirrored.ts';
import type { Engine } from '../rows/engine.ts';
import { absent, judge, type Pulled } from './judge.ts';

/** Rows of the mirror read at a time. */
export const CHUNK = 2_000;

export interface Comparison {
  readonly engine: Engine;
  readonly isDeep: boolean;
  readonly pulled: Pulled;
}

/**
 * The source's rows of a stretch, all of them, against the mirror's; a row may be there twice, the last is meant.
 * Gives what is at odds to `take`, and returns how many clients the source has there.
 */
export async function compareStretch(
  comparison: Comparison,
  stretch: Stretch,
  read: readonly ClientRecord[],
  take: (found: readonly NewFinding[]) => Promise<void>,
): Promise<number> {
  const { engine, isDeep } = comparison;
  // Mostly nothing differs, which is seen at a fraction of the cost of rows.
  if (!isDeep && read.length > 0 && (await holdsJust(engine.warehouse, stretch, read))) return read.length;
  const rows = new Map(read.map((row) => [row.id, row]));
  const count = rows.size;
  let after: Mirrored | null = null;
  do {
    const chunk: Mirrored[] = await readStretch(engine.warehouse, stretch, { after, limit: CHUNK }, isDeep);
    const found: NewFinding[] = [];
    for (const held of chunk) {
      const finding = judgeHeld(held, rows.get(held.id), comparison);
      if (finding !== null) found.push(finding);
      rows.delete(held.id);
    }
    if (found.length > 0) await take(found);
    after = chunk.length === CHUNK ? (chunk.at(-1) ?? null) : null;
  } while (after !== null);
  const left = [...rows.values()];
  for (let start = 0; start < left.length; start += CHUNK) {
    await take(await compareRows(comparison, left.slice(start, start + CHUNK), new Map()));
  }
  return count;
}

function judgeHeld(
  held: Mirrored,
  row: ClientRecord | undefined,
  { pulled, isDeep }: Comparison,
): NewFinding | null {
  if (row !== undefined) return judge(row, held, pulled, isDeep);
  return held.isDeleted ? null : absent(held.id);
}

/** Rows of the source, at most a chunk, against those of them that the mirror was found to hold. */
export async function compareRows(
  { engine, pulled, isDeep }: Comparison,
  rows: readonly ClientRecord[],
  mirrored: ReadonlyMap<string, Mirrored>,
): Promise<readonly NewFinding[]> {
  const found = rows.flatMap((row) => judge(row, mirrored.get(row.id), pulled, isDeep) ?? []);
  const missing = found.filter((one) => one.what === 'missing').map((one) => one.id);
  // What was deleted here and is not yet deleted there is the push's.
  const away = await readDeletedHere(engine.warehouse, missing);
  return found.filter((one) => !away.has(one.id));
}
