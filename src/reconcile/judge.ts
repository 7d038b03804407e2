/** One client on both sides: what a sweep finds at odds. Pure. */
import { FIELDS } from '../clients/fields.ts';
import type { Instant } from '../clients/instant.ts';
import type { ClientRecord } from '../clients/record.ts';
import type { NewFinding } from '../ledger/findings.ts';
import type { Mirrored } from '../ledger/mirrored.ts';

/** What the pulls had surely seen when the sweep began: a later stamp is news, not drift. null: nothing. */
export interface Pulled {
  readonly updated: Instant | null;
  readonly created: Instant | null;
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

function isNews({ createdOn, updatedOn }: ClientRecord, pulled: Pulled): boolean {
  const [stamp, limit] = updatedOn === null ? [createdOn, pulled.created] : [updatedOn, pulled.updated];
  return stamp !== null && (limit === null || stamp > limit);
}
