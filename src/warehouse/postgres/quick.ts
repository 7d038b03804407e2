/**
 * What a page is tried with first, on the guess that it is like the last one: a first backfill's holds nothing but new
 * clients, a pull's nothing but newer versions of known ones. All of it or nothing: what is not so simple is left to the
 * statement of rows.ts.
 */
import type { Instant } from '../../clients/instant.ts';
import type { ClientRecord } from '../../clients/record.ts';
import type { Habit } from '../decide.ts';
import { NEXT_REVISION } from '../dialect.ts';
import { CLEAN, COLUMNS, inputFrom, list, NAMES, NEWER, OVERWRITE } from './columns.ts';
import { type Answer, inOrder, type Send } from './connection.ts';

/**
 * Clients nobody here knows, one array a column, then the first and the last `_created_on` among them. Writes none
 * where one is known, whose lock it might have to wait for: a client's time of creation stays, so a look between the two
 * tells it at the cost of one client. Nor where a delete or a create of a user's would have to be looked at. Without ON
 * CONFLICT, which costs a fifth more: one who has inserted the same client since is a collision.
 */
const INSERT = `INSERT INTO clients (${NAMES.join(', ')}, _revision)
  SELECT ${list('i', NAMES)}, (SELECT ${NEXT_REVISION}) FROM (${inputFrom(1)}) i
  WHERE NOT EXISTS (SELECT FROM clients WHERE _created_on BETWEEN $${COLUMNS.length + 1} AND $${COLUMNS.length + 2})
    AND NOT EXISTS (SELECT FROM mirror_deletes) AND NOT EXISTS (SELECT FROM clients WHERE _create IS NOT NULL)
  ORDER BY i.id`;

/**
 * Newer versions, one array a column. Locks in the order of ids what nobody holds, and writes only if that is all of them.
 */
const UPDATE = `WITH newer AS MATERIALIZED (
  SELECT c.ctid AS place, i.* FROM (${inputFrom(1)}) i JOIN clients c ON c.id = i.id
  WHERE ${CLEAN} AND ${NEWER} ORDER BY c.id FOR NO KEY UPDATE OF c SKIP LOCKED
) UPDATE clients c SET ${OVERWRITE}, _revision = greatest((SELECT ${NEXT_REVISION}), c._revision + 1)
  FROM newer i WHERE c.ctid = i.place AND (SELECT count(*) FROM newer) = cardinality($1::uuid[])`;

/** Its locks go with it: what comes behind may have to wait, and must hold nothing then. */
const [BEFORE_UPDATE, UNDO_UPDATE] = ['SAVEPOINT quick', 'ROLLBACK TO SAVEPOINT quick'];

export interface Page {
  readonly rows: readonly ClientRecord[];
  readonly arrays: readonly unknown[];
  /** Sent behind it without waiting. */
  readonly look: () => Promise<Answer>;
}

/** What was written, with the answer to the look behind it. */
interface QuickResult {
  readonly as: 'new' | 'newer';
  readonly look: Answer;
}

/** Writes the whole page, or nothing: null. */
export async function writeQuickly(send: Send, page: Page, habit: Habit): Promise<QuickResult | null> {
  const { rows, arrays, look } = page;
  if (habit.page === 'newer') {
    const sent = [send(BEFORE_UPDATE), send(UPDATE, arrays), look()];
    const [, updated, seen] = await inOrder(sent);
    if (updated?.count === rows.length) return { as: 'newer', look: seen as Answer };
    await send(UNDO_UPDATE);
    return null;
  }
  const created = habit.page === 'new' ? createdBetween(rows) : null;
  if (created === null) return null;
  try {
    const [inserted, seen] = await inOrder([send(INSERT, [...arrays, ...created]), look()]);
    return inserted?.count === rows.length ? { as: 'new', look: seen as Answer } : null;
  } catch (error) {
    // Somebody else has just inserted one of them, or its time of creation is another here: guess no more for now.
    habit.page = 'mixed';
    throw error;
  }
}

/** The first and the last time of creation among them; null where one has none. */
function createdBetween(rows: readonly ClientRecord[]): readonly [Instant, Instant] | null {
  let [first, last] = [rows[0]?.createdOn ?? null, rows[0]?.createdOn ?? null];
  for (const { createdOn } of rows) {
    if (createdOn === null || first === null || last === null) return null;
    if (createdOn < first) first = createdOn;
    if (createdOn > last) last = createdOn;
  }
  return first === null || last === null ? null : [first, last];
}
