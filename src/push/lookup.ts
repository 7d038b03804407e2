/**
 * Looks clients up by externalId: the key by which a create whose answer was lost is found at the source. Servers trim
 * and change case, so that is how keys are compared.
 */
import { FIELDS } from '../clients/fields.ts';
import { isRejected, type ReadRow } from '../clients/record.ts';
import type { Pass } from './engine.ts';

const EXTERNAL_ID = FIELDS.findIndex((field) => field.name === 'externalId');

export function keyOf(externalId: unknown): string {
  return String(externalId ?? '')
    .trim()
    .toLowerCase();
}

/** By key, the ids of the clients that have it now. A key that nobody has is not in the answer. */
export async function lookUp(
  pass: Pass,
  externalIds: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, string[]>();
  if (externalIds.length === 0) return found;
  const { rows } = await pass.engine.source.byExternalIds(externalIds, pass.engine.signal);
  for (const row of rows) {
    const key = keyOf(externalIdOf(row));
    if (row.id !== null && key !== '') found.set(key, [...(found.get(key) ?? []), row.id]);
  }
  return found;
}

function externalIdOf(row: ReadRow): unknown {
  if (!isRejected(row)) return row.values[EXTERNAL_ID];
  const raw: unknown = JSON.parse(row.raw);
  return typeof raw === 'object' && raw !== null && 'externalId' in raw ? raw.externalId : null;
}
