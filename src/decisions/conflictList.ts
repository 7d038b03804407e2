/** The conflicts as a person is shown them: open ones first, excluded fields hidden. */
import { addSeconds, instantFromMs } from '../clients/instant.ts';
import type { Values } from '../clients/merge.ts';
import type { FieldValue } from '../clients/record.ts';
import { type ConflictEntry, parseRowValues, readConflicts } from '../ledger/journal.ts';
import type { Hand } from './hand.ts';

/** Values of a whole client are objects by API name: only the fields that were edited. */
export interface ShownConflict extends Omit<ConflictEntry, 'base' | 'local' | 'remote'> {
  readonly state: 'open' | 'resolved';
  readonly base: FieldValue | Values;
  readonly local: FieldValue | Values;
  readonly remote: FieldValue | Values;
  /** The field is excluded by now: base, local and remote are null here. */
  readonly isHidden: boolean;
}

const DAY_SECONDS = 86_400;

/** The open conflicts, then those resolved within `keepDays`; of each the older first. */
export async function readShownConflicts(hand: Hand, keepDays: number): Promise<readonly ShownConflict[]> {
  const since = addSeconds(instantFromMs(hand.clock.now()), -keepDays * DAY_SECONDS);
  const all = (await readConflicts(hand.warehouse, since)).map((one) => showConflict(one, hand.excluded));
  return [...all.filter(({ state }) => state === 'open'), ...all.filter(({ state }) => state === 'resolved')];
}

export function showConflict(entry: ConflictEntry, excluded: ReadonlySet<string>): ShownConflict {
  const { field } = entry;
  const isHidden = field !== null && excluded.has(field);
  const show = (value: FieldValue): FieldValue | Values => {
    if (isHidden || value === null) return null;
    return field === null ? withoutHidden(parseRowValues(value), excluded) : value;
  };
  const [base, local, remote] = [show(entry.base), show(entry.local), show(entry.remote)];
  return { ...entry, base, local, remote, state: entry.resolvedAt === null ? 'open' : 'resolved', isHidden };
}

/** Without excluded fields. */
export function withoutHidden(values: Values, excluded: ReadonlySet<string>): Values {
  return Object.fromEntries(Object.entries(values).filter(([field]) => !excluded.has(field)));
}
