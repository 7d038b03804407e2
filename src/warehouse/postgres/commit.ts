/**
 * One commit: fence and writes, sent in one go but for what stands behind a page that quick.ts tries; then the answers
 * are judged, and only then it is committed. The fence comes first and holds the lease's row until the end, so that
 * nobody takes the lease over meanwhile.
 */
import { SyncError } from '../../errors.ts';
import type { Habit } from '../decide.ts';
import { NEXT_REVISION } from '../dialect.ts';
import { quarantineKey } from '../quarantineKey.ts';
import type { Lease, QuarantineWrite, Write, WriteResult } from '../warehouse.ts';
import { inOrder, type Send } from './connection.ts';
import { sendFence } from './lease.ts';
import { writeRows } from './rows.ts';
import { numberParameters } from './values.ts';

interface Commit {
  readonly writes: readonly Write[];
  readonly lease: Lease | undefined;
  readonly habit: Habit;
  /** From 1. */
  readonly attempt: number;
}

/** The body of a transaction that does all writes. Throws pg's own error, or LEASE_LOST or EXPECTATION. */
export async function commit(
  send: Send,
  { writes, lease, habit, attempt }: Commit,
): Promise<readonly WriteResult[]> {
  const fence = lease === undefined ? Promise.resolve() : sendFence(send, lease);
  // Of many small writes of rows each would be waited for; and who guessed wrong once would do so again.
  const isPage = writes.filter(({ kind }) => kind === 'rows').length === 1;
  const guess: Habit = isPage && attempt === 1 ? habit : { page: 'mixed' };
  const [fenced, results] = await Promise.allSettled([fence, applyAll(send, writes, guess)]);
  // A lost lease first: it explains what else may have gone wrong.
  if (fenced.status === 'rejected') throw fenced.reason;
  if (results.status === 'rejected') throw results.reason;
  if (isPage) habit.page = guess.page;
  return results.value;
}

/** Sent without waiting, but for what comes behind rows that are written by a guess, which may be wrong. */
async function applyAll(send: Send, writes: readonly Write[], guess: Habit): Promise<readonly WriteResult[]> {
  const sent: Promise<WriteResult>[] = [];
  for (const write of writes) {
    const isGuessed = write.kind === 'rows' && guess.page !== 'mixed';
    sent.push(apply(send, write, guess));
    if (isGuessed) await inOrder(sent);
  }
  return inOrder(sent);
}

function apply(send: Send, write: Write, habit: Habit): Promise<WriteResult> {
  switch (write.kind) {
    case 'rows':
      return writeRows(send, write, habit);
    case 'quarantine':
      return quarantine(send, write);
    case 'tombstone':
      return send(TOMBSTONE, [write.at, write.ids, write.noted]);
    case 'statement':
      return run(send, write);
  }
}

async function run(send: Send, write: Write & { kind: 'statement' }): Promise<WriteResult> {
  const answer = await send(numberParameters(write.sql), write.params);
  if (write.expect !== undefined && answer.count !== write.expect) {
    throw new SyncError(
      'EXPECTATION',
      `a statement was to touch ${write.expect} rows, it touched ${answer.count}`,
    );
  }
  return answer;
}

const QUARANTINE = `INSERT INTO mirror_quarantine AS q (id, client_id, reason, raw, at)
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) AS i (id, client_id, reason, raw, at)
  ORDER BY id
  ON CONFLICT (id) DO UPDATE SET reason = excluded.reason, raw = excluded.raw, at = excluded.at
  WHERE (q.reason, q.raw) IS DISTINCT FROM (excluded.reason, excluded.raw)`;

async function quarantine(send: Send, write: QuarantineWrite): Promise<WriteResult> {
  // One statement may touch a key once: the last version of a row counts.
  const rows = [...new Map(write.rows.map((row) => [quarantineKey(row), row]))];
  return send(QUARANTINE, [
    rows.map(([key]) => key),
    rows.map(([, row]) => row.id),
    rows.map(([, row]) => row.reason),
    rows.map(([, row]) => row.raw),
    rows.map(() => write.at),
  ]);
}

/** A row that a user holds is left alone: its tombstone can wait for the next proof. */
const TOMBSTONE = `UPDATE clients SET _deleted_at = $1, _revision = greatest(${NEXT_REVISION}, _revision + 1)
  WHERE id = ANY (ARRAY(
    SELECT id FROM clients
    WHERE id = ANY ($2::uuid[]) AND _deleted_at IS NULL AND _base IS NULL AND _create IS NULL AND _revision <= $3
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED))`;
