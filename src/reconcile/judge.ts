/** One client on both sides: what a sweep finds at odds. Pure. */
import { FIELDS } from '../clients/fields.ts';
import { addSeconds, type Instant } from '../clients/instant.ts';
import type { ClientRecord } from '../clients/record.ts';
import type { NewFinding } from '../ledger/findings.ts';
import type { Mirrored } from '../ledger/mirrored.ts';

/** What the pulls had seen when the sweep began: keys that complete ones had passed; null: nothing. */
export interface Pulled {
  readonly updated: Instant | null;
  readonly created: Instant | null;
  readonly lookbackSeconds: number;
}

/** @param isDeep the row has its fields, and they are compared too. */
export function judge(
  row: ClientRecord,
  held: Mirrored | undefined,
  pulled: Pulled,
  isDeep: boolean,
): NewFinding | null {
  const found = (what: NewFinding['what'], fields: readonly string[] = []): NewFinding => {
    return { id: row.id, what, fields, isNews: isNews(row, pulled) };
  };
  if (held === undefined) return found('missing');
  if (held.isDeleted) return found('returned');
  const fields = isDeep && !held.isDirty && row.values.length > 0 ? differingFields(row, held) : [];
  if (held.updatedOn !== row.updatedOn) return found('stale', fields);
  if (held.createdOn !== row.createdOn) return found('differs', ['createdOn']);
  return fields.length > 0 ? found('differs', fields) : null;
}

export function absent(id: string): NewFinding {
  return { id, what: 'absent', fields: [], isNews: false };
}

/** Names of the fields that differ, `_extra` for those that this version does not know. */
function differingFields(row: ClientRecord, held: Mirrored): string[] {
  const names: string[] = [];
  for (let index = 0; index < row.values.length; index += 1) {
    if (row.values[index] !== held.values[index]) names.push(FIELDS[index]?.name ?? '');
  }
  if (row.extra !== held.extra) names.push('_extra');
  return names;
}

/** Stamped after what the pulls had surely seen: no drift, for the next pull would have brought it. */
function isNews(row: ClientRecord, pulled: Pulled): boolean {
  const passed = passedBy(row, pulled);
  const stamp = row.updatedOn ?? row.createdOn;
  return stamp !== null && (passed === null || stamp > addSeconds(passed, -pulled.lookbackSeconds));
}

/** The key of the stream that the row belongs to. */
export function passedBy({ updatedOn }: ClientRecord, { updated, created }: Pulled): Instant | null {
  return updatedOn === null ? created : updated;
}
