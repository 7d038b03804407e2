import { describe, expect, it } from 'vitest';
import { addSeconds, type Instant } from '../../src/clients/instant.ts';
import type { ClientRecord, RejectedRow } from '../../src/clients/record.ts';
import type { Refetch } from '../../src/ledger/refetch.ts';
import { planRefetch } from '../../src/rows/refetch.ts';

const LOOKBACK = 300;
const OLD = '2026-01-01T00:00:00.0000000Z' as Instant;
const NEW = '2026-01-02T00:00:00.0000000Z' as Instant;
const NOW = '2026-02-01T00:00:00.0000000Z' as Instant;

const row = (updatedOn: Instant | null): ClientRecord => ({
  id: 'a',
  createdOn: OLD,
  updatedOn,
  values: [],
  extra: null,
});
const listed = (more: Partial<Refetch> = {}): Refetch => ({
  id: 'a',
  reason: 'older',
  listedAt: OLD,
  dueAt: OLD,
  listings: 3,
  seen: null,
  seenAt: null,
  ...more,
});

function plan(answer: ClientRecord | RejectedRow, held: Instant | null | 'nothing', item = listed()) {
  return planRefetch({
    item,
    held: held === 'nothing' ? undefined : { updatedOn: held, dirty: false },
    lookbackSeconds: LOOKBACK,
    row: answer,
    answer: { noted: 7, at: NOW },
  });
}

const kinds = (writes: ReturnType<typeof plan>) =>
  writes.map((write) => (write.kind === 'rows' ? `rows ${write.trust}` : write.kind));

describe('planRefetch', () => {
  it('takes an answer that is not older, and ticks the id off unless it was listed again', () => {
    for (const held of [OLD, NEW, 'nothing'] as const) {
      const writes = plan(row(NEW), held);
      expect(kinds(writes)).toEqual(['rows list', 'statement']);
      expect(writes[1]).toMatchObject({ params: ['a', 3] });
    }
  });

  it('only notes an older answer at first sight, and looks again a lookback later', () => {
    const [note, ...more] = plan(row(OLD), NEW);
    expect(more).toEqual([]);
    expect(note).toMatchObject({ kind: 'statement', params: [OLD, NOW, addSeconds(NOW, LOOKBACK), 'a'] });
  });

  it('believes the source when it says the same a lookback later', () => {
    const item = listed({ seen: OLD, seenAt: addSeconds(NOW, -LOOKBACK) });
    expect(kinds(plan(row(OLD), NEW, item))).toEqual(['rows believed', 'statement']);
  });

  it('waits while the lookback has not passed', () => {
    const item = listed({ seen: OLD, seenAt: addSeconds(NOW, 1 - LOOKBACK) });
    expect(plan(row(OLD), NEW, item)).toEqual([]);
  });

  it('begins to wait anew when the source says something else', () => {
    const item = listed({ seen: OLD, seenAt: addSeconds(NOW, -LOOKBACK) });
    expect(plan(row(null), NEW, item)).toMatchObject([
      { kind: 'statement', params: ['', NOW, expect.anything(), 'a'] },
    ]);
  });

  it('holds a client that was never updated for the oldest', () => {
    expect(kinds(plan(row(null), null))).toEqual(['rows list', 'statement']);
    expect(kinds(plan(row(null), OLD))).toEqual(['statement']);
  });

  it('sends a row that does not fit to quarantine, whatever its stamp', () => {
    const bad: RejectedRow = { id: 'a', createdOn: OLD, updatedOn: undefined, reason: 'broken', raw: '{}' };
    expect(kinds(plan(bad, NEW))).toEqual(['quarantine', 'statement']);
  });
});
