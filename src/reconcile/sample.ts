/** A sample: random clients compared field by field, in seconds. It finds wrong rows, never missing ones. */
import { isRejected } from '../clients/record.ts';
import type { Finding } from '../ledger/findings.ts';
import { readMirrored, readRandomIds } from '../ledger/mirrored.ts';
import type { Engine } from '../rows/engine.ts';
import { inLanes } from '../rows/lanes.ts';
import { judge } from './judge.ts';
import { readPulled } from './sweep.ts';

export interface SampleReport {
  /** Clients compared. */
  readonly clients: number;
  /** What differs: named, and changed by the next reconcile only. */
  readonly findings: readonly Omit<Finding, 'outcome'>[];
}

/** Ids asked for at a time. */
const BATCH = 600;

/** Compares `count` random live clients of the mirror with the source; changes nothing, and takes no lease. */
export async function compareSample(engine: Engine, count: number): Promise<SampleReport> {
  const { warehouse, source, options, signal } = engine;
  const pulled = await readPulled(engine);
  const ids = await readRandomIds(warehouse, count);
  const findings: Omit<Finding, 'outcome'>[] = [];
  for (let start = 0; start < ids.length; start += BATCH) {
    signal.throwIfAborted();
    const part = ids.slice(start, start + BATCH);
    const answer = await source.byIds(part, signal);
    const held = await readMirrored(warehouse, part, true);
    const rows = new Map(answer.rows.map((row) => [row.id, row]));
    for (const row of answer.rows) {
      if (isRejected(row)) continue;
      const found = judge(row, held.get(row.id), pulled, true);
      if (found !== null && !found.isNews) findings.push(found);
    }
    const left = part.filter((id) => !rows.has(id));
    const reads = await inLanes(left, options.concurrency, async (id) => ({
      id,
      read: await source.byId(id, signal),
    }));
    for (const { id, read } of reads) {
      if (!read.found || !read.inScope) findings.push({ id, what: 'absent', fields: [], isNews: false });
    }
  }
  return { clients: ids.length, findings };
}
