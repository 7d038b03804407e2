/** Tells the world what a commit wrote down about local edits. */
import type { EditedWrite } from '../ledger/editedWrites.ts';
import type { Pass } from './engine.ts';
import type { RecordWrite } from './plan.ts';

export function tellRecords(pass: Pass, writes: readonly EditedWrite[]): void {
  const { emit } = pass.engine;
  for (const { read, records } of writes) for (const record of records) emit(eventOf(read.id, record));
  if (writes.length > 0) {
    emit({ type: 'pageCommitted', kind: 'push', rows: writes.length, written: writes.length, key: null });
  }
}

function eventOf(id: string, record: RecordWrite) {
  if (record.kind === 'closeConflict') {
    return { type: 'conflictClosed', id, field: record.field, resolution: record.resolution } as const;
  }
  if (record.kind === 'conflict') {
    return { type: 'conflictFound', id, field: record.field, resolution: record.resolution } as const;
  }
  const { field, outcome } = record;
  if (outcome === 'sent') return { type: 'editSent', id, field } as const;
  if (outcome === 'refused' || outcome === 'ignored') return { type: 'editRefused', id, field } as const;
  return { type: 'editSettled', id, field, outcome } as const;
}
