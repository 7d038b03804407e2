/**
 * A page of the source on its way into `clients`: one statement, one plan, set-based over arrays, unless the page is so
 * simple that quick.ts can write it.
 *
 * The statement inserts first, which is all it may ever wait for, while it holds nothing that a user could want; then it locks
 * what is free of the rows that differ and skips the rest; then it writes those. What it could not take is
 * listed in `mirror_refetch` in the same statement. Rows that are the same are only read: no lock, no dead tuple.
 */
import type { ClientRecord } from '../../clients/record.ts';
import { type Habit, newestOfEach } from '../decide.ts';
import { DELETE_MARK, NEXT_REVISION } from '../dialect.ts';
import { settlesQuarantine } from '../quarantineKey.ts';
import type { RowsResult, RowsWrite } from '../warehouse.ts';
import { binaryArray } from './arrays.ts';
import { CLEAN, COMPARED, inputFrom, list, NAMES, NEWER, OVERWRITE, STAMP, toArrays } from './columns.ts';
import { type Answer, inOrder, type Send } from './connection.ts';
import { type Page, writeQuickly } from './quick.ts';

const FIRST_ARRAY = 4;

const FRESH = `(${NEWER} OR (($3::boolean OR ${STAMP('i')} = ${STAMP('c')}) AND c._revision <= $1))`;
const SAME = `c._deleted_at IS NULL AND (${list('c', COMPARED)}) IS NOT DISTINCT FROM (${list('i', COMPARED)})`;

/** A dead letter that never got there, or is gone from there, makes nobody wait who has its externalId. */
const IS_DEAD = `p._parked IS NOT DISTINCT FROM p._edits AND NOT EXISTS (SELECT FROM mirror_pushes m
  WHERE m.id = p.id::text AND m.sent IS NOT NULL AND m.before::json ->> 'gone' IS NULL)`;

/** $1 noted, $2 at, $3 believed, $4 … one array a column; $4 is the ids. */
const UPSERT = `WITH input AS MATERIALIZED (
  ${inputFrom(FIRST_ARRAY)}
), counter AS MATERIALIZED (
  SELECT ${NEXT_REVISION} AS value
), known AS MATERIALIZED (
  SELECT ctid AS place, * FROM clients WHERE id = ANY ($4::uuid[])
), classed AS MATERIALIZED (
  SELECT i.id, c.place, CASE
    WHEN c.id IS NULL THEN CASE
      WHEN EXISTS (SELECT FROM mirror_deletes d WHERE d.id = i.id::text) THEN 'same'
      WHEN EXISTS (SELECT FROM clients p WHERE p._create IS NOT NULL
        AND lower(trim(p.external_id)) = lower(trim(i.external_id)) AND NOT (${IS_DEAD})) THEN 'creating'
      ELSE 'new' END
    WHEN NOT (${CLEAN}) THEN 'dirty'
    WHEN ${SAME} THEN 'same'
    WHEN ${FRESH} THEN 'differs'
    WHEN ${STAMP('i')} < ${STAMP('c')} THEN 'older'
    ELSE 'raced' END AS class
  FROM input i LEFT JOIN known c ON c.id = i.id
), inserted AS (
  INSERT INTO clients (${NAMES.join(', ')}, _revision)
  SELECT ${list('i', NAMES)}, (SELECT value FROM counter)
  FROM input i JOIN classed k ON k.id = i.id WHERE k.class = 'new' ORDER BY i.id
  ON CONFLICT (id) DO NOTHING RETURNING id
), locked AS MATERIALIZED (
  SELECT id, ctid AS place FROM clients
  WHERE ctid = ANY (ARRAY(SELECT place FROM classed WHERE class = 'differs')) AND (SELECT count(*) FROM inserted) >= 0
  ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
), updated AS (
  UPDATE clients c SET ${OVERWRITE},
    _revision = greatest((SELECT value FROM counter), c._revision + 1)
  FROM input i
  WHERE c.id = i.id AND c.ctid = ANY (ARRAY(SELECT place FROM locked)) AND ${CLEAN} AND ${FRESH}
  RETURNING c.id
), left_over AS (
  SELECT id::text AS id, CASE class WHEN 'new' THEN 'raced' WHEN 'differs' THEN 'locked' ELSE class END AS reason
  FROM classed WHERE class <> 'same'
    AND id NOT IN (SELECT id FROM inserted UNION ALL SELECT id FROM updated)
), listed AS (
  INSERT INTO mirror_refetch AS r (id, reason, listed_at, due_at)
  SELECT id, reason, $2, $2 FROM left_over ORDER BY id
  ON CONFLICT (id) DO UPDATE SET listings = r.listings + 1, due_at = least(r.due_at, excluded.due_at)
  RETURNING 1
)
SELECT (SELECT count(*) FROM inserted) AS inserted, (SELECT string_agg(id::text, ' ') FROM inserted) AS new_ids,
  (SELECT count(*) FROM updated) AS updated, (SELECT count(*) FROM listed) AS deferred`;

/** Planned without its parameters, a page looks like ten rows, which would be joined each with each. */
const JOIN_BY_HASH = 'SET LOCAL enable_nestloop = off';
const JOIN_AS_BEFORE = 'SET LOCAL enable_nestloop TO DEFAULT';

/**
 * Afterwards, with a view of its own: what of these ids is in quarantine, and what a user's delete that committed
 * between the statement's view and its insert has put on `mirror_deletes`. Both are rare; each has its statement.
 */
const LOOK = `SELECT id, raw FROM mirror_quarantine WHERE id = ANY ($1::text[])
  UNION ALL SELECT id, NULL FROM mirror_deletes WHERE parked = 0 AND id = ANY ($1::text[])`;
/** As it was seen: a newer version may have come since. */
const CURE = `DELETE FROM mirror_quarantine q USING unnest($1::text[], $2::text[]) AS i (id, raw)
  WHERE q.id = i.id AND q.raw = i.raw`;
/**
 * Only what this transaction inserted, so nothing is waited for and no foreign key of a user's is in the way. A row that
 * was there before may stand on `mirror_deletes` too: the source refused its delete, which is tried again.
 */
const MARK_SLIPPED_IN = `UPDATE clients SET _revision = ${DELETE_MARK}
  WHERE id = ANY ($1::uuid[]) AND _base IS NULL AND _create IS NULL`;
const DELETE_SLIPPED_IN = `DELETE FROM clients WHERE id = ANY ($1::uuid[]) AND _revision = ${DELETE_MARK}`;

/** Writes the rows inside a transaction of the caller. */
export async function writeRows(send: Send, write: RowsWrite, habit: Habit): Promise<RowsResult> {
  const rows = newestOfEach(write.rows);
  if (rows.length === 0) return { inserted: 0, updated: 0, unchanged: 0, deferred: 0 };
  const ids = binaryArray('text', rows, (row) => row.id);
  const page: Page = { rows, arrays: toArrays(rows), look: () => send(LOOK, [ids]) };
  // Where nothing is guessed it is sent before anything is awaited: the rest of the commit is sent right behind it.
  const became =
    habit.page === 'mixed'
      ? await writeThoroughly(send, write, page)
      : await writeByGuess(send, write, page, habit);
  const { inserted, updated, deferred } = became;
  habit.page = kindOf(became, rows.length);
  await tidy(send, rows, became, write.trust);
  return { inserted, updated, deferred, unchanged: write.rows.length - inserted - updated - deferred };
}

/** After a guess that was wrong, as all are while a user's create waits, the next page is not guessed at. */
function kindOf({ inserted, updated, isMissed }: Became, count: number): Habit['page'] {
  if (isMissed) return 'mixed';
  return inserted === count ? 'new' : updated === count ? 'newer' : 'mixed';
}

/** What became of the rows, with the answer to the look behind them. */
interface Became {
  readonly inserted: number;
  readonly updated: number;
  readonly deferred: number;
  readonly look: Answer;
  /** A guess at the page was wrong. */
  readonly isMissed: boolean;
  isInserted(id: string): boolean;
}

async function writeByGuess(send: Send, write: RowsWrite, page: Page, habit: Habit): Promise<Became> {
  const quick = await writeQuickly(send, page, habit);
  if (quick === null) return { ...(await writeThoroughly(send, write, page)), isMissed: true };
  const isNew = quick.as === 'new';
  const [inserted, updated] = isNew ? [page.rows.length, 0] : [0, page.rows.length];
  return { inserted, updated, deferred: 0, look: quick.look, isMissed: false, isInserted: () => isNew };
}

async function writeThoroughly(
  send: Send,
  { noted, at, trust }: RowsWrite,
  { arrays, look }: Page,
): Promise<Became> {
  const params = [noted, at, trust === 'believed', ...arrays];
  const sent = [send(JOIN_BY_HASH), send(UPSERT, params), send(JOIN_AS_BEFORE), look()];
  const [, counts, , seen] = await inOrder(sent);
  const became = counts?.rows[0];
  return {
    inserted: Number(became?.inserted),
    updated: Number(became?.updated),
    deferred: Number(became?.deferred),
    look: seen as Answer,
    isMissed: false,
    isInserted: (id) => String(became?.new_ids ?? '').includes(id),
  };
}

async function tidy(
  send: Send,
  rows: readonly ClientRecord[],
  { look, isInserted }: Became,
  trust: RowsWrite['trust'],
): Promise<void> {
  const found = look.rows;
  if (found.length === 0) return;
  const stamps = new Map(rows.map((row) => [row.id, row.updatedOn]));
  const idsOf = (list: Answer['rows']): string[] => list.map(({ id }) => String(id));
  const slippedIn = idsOf(found.filter(({ raw }) => raw === null)).filter(isInserted);
  // An older good version does not tell that a newer one could not be mirrored.
  const cured = found.filter(
    ({ id, raw }) =>
      raw !== null &&
      (trust === 'believed' || settlesQuarantine(stamps.get(String(id)) ?? null, String(raw))),
  );
  if (cured.length > 0) await send(CURE, [idsOf(cured), cured.map(({ raw }) => String(raw))]);
  if (slippedIn.length > 0) {
    await inOrder([send(MARK_SLIPPED_IN, [slippedIn]), send(DELETE_SLIPPED_IN, [slippedIn])]);
  }
}
