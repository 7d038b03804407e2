/**
 * What a row becomes once its client is at the source: pure. A create is a push of every field whose merge base was
 * nothing, so its settle is that of any push; and where a pull has brought the same client under its own id in the
 * meantime, the two rows become one.
 */
import { FIELDS } from '../clients/fields.ts';
import { isSameValue, present, type Values } from '../clients/merge.ts';
import { canonicalJson, type FieldValue } from '../clients/record.ts';
import type { RecordWrite, RemoteAnswer, RowState, RowWrite } from './plan.ts';
import { planSettle } from './planSettle.ts';

export interface CreatedInput {
  /** The row that was inserted here, now. */
  readonly row: RowState;
  /** All that was sent: every field that can be, null where there was nothing. */
  readonly sent: Values;
  readonly readBack: Extract<RemoteAnswer, { found: true }>;
  /** The row of the same client that a pull has brought, if there is one. */
  readonly twin: RowState | null;
}

export interface CreatedPlan {
  readonly row: RowWrite;
  readonly records: readonly RecordWrite[];
}

export function planCreated({ row, sent, readBack, twin }: CreatedInput): CreatedPlan {
  const before: Record<string, FieldValue> = {};
  const pushed: Record<string, FieldValue> = {};
  for (const { name, type, nullable } of FIELDS) {
    const value = sent[name];
    if (value === undefined) continue;
    const nothing = type === 'boolean' && !nullable ? false : null;
    // What was never set here is the source's to say.
    if (value === nothing && (row.values[name] ?? nothing) === nothing) continue;
    before[name] = nothing;
    pushed[name] = value;
  }
  const settled = planSettle({
    intent: { sent: pushed, before },
    row: { ...row, base: before, isParked: false, isDeleted: false },
    readBack,
    refused: {},
    held: { refused: {}, disputed: {} },
    isLastRead: true,
  });
  // A row without a stamp is older than any answer, so nothing stays unproven.
  if (settled.kind === 'unproven') throw new Error('a create was settled with an older answer');
  const own = settled.row ?? {
    values: {},
    extra: row.extra,
    base: before,
    isParked: false,
    isDeleted: false,
  };
  const created = { field: null, base: null, value: canonicalJson(present(sent)), message: null } as const;
  const records: RecordWrite[] = [
    { kind: 'edit', ...created, outcome: 'arrived' },
    ...settled.records.filter((record) => record.kind !== 'edit' || record.outcome !== 'arrived'),
  ];
  return twin === null ? { row: own, records } : withTwin(row, own, records, twin);
}

/** The edits of the row that a pull brought go along; where both were edited the inserted row's stay. */
function withTwin(
  row: RowState,
  own: RowWrite,
  records: readonly RecordWrite[],
  twin: RowState,
): CreatedPlan {
  const values = { ...own.values };
  const base = { ...own.base };
  const lost: RecordWrite[] = [];
  for (const [field, before] of Object.entries(twin.base)) {
    const theirs = twin.values[field] ?? null;
    const ours = (field in values ? values[field] : row.values[field]) ?? null;
    if (!(field in base)) {
      base[field] = before;
      values[field] = theirs;
    } else if (!isSameValue(field, ours, theirs)) {
      const three = { field, base: before, local: theirs, remote: ours };
      const message = 'the client was edited under both of its ids';
      lost.push({ kind: 'conflict', ...three, resolution: 'local', message });
    }
  }
  return { row: { ...own, values, base, isParked: false }, records: [...records, ...lost] };
}
