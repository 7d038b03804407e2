/**
 * Compares one span of `createdOn` as two streams that meet at instants: whatever the source's order of ids, the
 * rows before the last key read are complete on its side, and are compared with the mirror's as a set.
 *
 * Memory holds a page, a chunk of the mirror and the ids at the last key. Where these are too many, each row is
 * looked up by its id as it comes, and the ids go to a scratch table, which shows at the group's end what the
 * mirror holds beyond them.
 */
import { ahead, type Place, readInOrder } from '../api/readInOrder.ts';
import { type Instant, instantFromMs, nextTick } from '../clients/instant.ts';
import { type ClientRecord, isRejected, type ReadRow } from '../clients/record.ts';
import { type NewFinding, noteFinding } from '../ledger/findings.ts';
import { readMirrored, readUnmet } from '../ledger/mirrored.ts';
import { countIds, finishSpan, forgetIds, noteIds, type Span, saveSpan } from '../ledger/sweeps.ts';
import type { Engine } from '../rows/engine.ts';
import type { Lease, Write } from '../warehouse/warehouse.ts';
import { CHUNK, compareRows, compareStretch } from './compare.ts';
import { absent, type Pulled } from './judge.ts';

/** How often progress without findings is written down. */
const SAVE_EVERY_MS = 1_000;

export interface SweepContext {
  readonly engine: Engine;
  readonly sweepId: number;
  readonly lease: Lease;
  readonly signal: AbortSignal;
  readonly isDeep: boolean;
  readonly pulled: Pulled;
  /** Ids at one instant that are held in memory. */
  readonly groupMax: number;
  /** Told of rows as they are read. */
  readonly onRead?: (count: number) => void;
}

/** A span under way. */
interface Reading {
  readonly span: Span;
  /** Everything before it is compared; null: nothing is. */
  low: Instant | null;
  /** Rows from `low` on that are not compared yet; one may be there twice. */
  waiting: ClientRecord[];
  /** The group that goes through the scratch table; null: none does. */
  scratch: { readonly key: Instant | null } | null;
  rows: number;
  findings: NewFinding[];
  savedAtMs: number;
}

/** Reads the span from where it stands to its end. What it finds is in `mirror_findings` by then. */
export async function sweepSpan(context: SweepContext, span: Span): Promise<void> {
  const { place } = span;
  const reading: Reading = {
    span,
    low: place.key ?? span.low,
    waiting: [],
    scratch: place.seen > 0 ? { key: place.key } : null,
    rows: span.rows,
    findings: [],
    savedAtMs: context.engine.clock.now(),
  };
  for await (const page of pagesOf(context, span)) await takePage(context, reading, page);
  const wasScratch = reading.scratch !== null;
  if (reading.scratch !== null) await endScratch(context, reading, reading.scratch.key);
  if (span.lane === 'values' || !wasScratch) await compareBefore(context, reading, span.high);
  await save(context, reading, [forgetIds(span.id), finishSpan(span.id, reading.rows)]);
}

function pagesOf({ engine, isDeep, signal }: SweepContext, span: Span) {
  const { source, options, emit } = engine;
  const range = { key: 'createdOn', lane: span.lane, from: span.low, to: span.high, also: null } as const;
  const begun = span.place.seen > 0 || span.place.key !== null;
  const from = begun ? { from: span.place } : {};
  const list = isDeep ? source.page : source.stamps;
  return ahead(
    (inner) => readInOrder(list, range, { top: options.pageSize, emit, signal: inner, ...from }),
    signal,
  );
}

async function takePage(
  context: SweepContext,
  reading: Reading,
  page: { readonly rows: readonly ReadRow[]; readonly place: Place },
): Promise<void> {
  const { rows, place } = page;
  for (const row of rows) {
    const read = isRejected(row) ? readStamps(row) : row;
    if (read !== null) reading.waiting.push(read);
  }
  const isMoving = reading.span.lane === 'values' && place.key !== null;
  if (reading.scratch !== null && isMoving && place.key !== reading.scratch.key) {
    await endScratch(context, reading, reading.scratch.key);
  }
  if (reading.scratch === null && isMoving && (reading.low === null || reading.low < (place.key ?? ''))) {
    await compareBefore(context, reading, place.key);
  }
  if (reading.scratch === null && reading.waiting.length > context.groupMax)
    reading.scratch = { key: place.key };
  if (reading.scratch !== null) await spill(context, reading, place);
  const isDue = context.engine.clock.now() - reading.savedAtMs >= SAVE_EVERY_MS;
  if (reading.scratch === null && (reading.findings.length > 0 || isDue)) {
    await save(context, reading, [saveSpan(reading.span.id, restAt(reading.low), reading.rows)]);
  }
  context.engine.emit({
    type: 'pageCommitted',
    kind: 'reconcile',
    rows: rows.length,
    written: 0,
    key: place.key,
  });
  context.onRead?.(rows.length);
}

function restAt(key: Instant | null): Place {
  return { key, seen: 0, seam: null };
}

/** A row that cannot be mirrored is at the source all the same; without a place it is in no set. */
function readStamps(row: Exclude<ReadRow, ClientRecord>): ClientRecord | null {
  const { id, createdOn, updatedOn } = row;
  if (id === null || createdOn === undefined) return null;
  return { id, createdOn, updatedOn: updatedOn ?? null, values: [], extra: null };
}

/** Compares all before `high` (null: to the end) with what the mirror holds there. */
async function compareBefore(context: SweepContext, reading: Reading, high: Instant | null): Promise<void> {
  const { span, low } = reading;
  const ready: ClientRecord[] = [];
  const later: ClientRecord[] = [];
  for (const row of reading.waiting) {
    const isReady = high === null || row.createdOn === null || row.createdOn < high;
    (isReady ? ready : later).push(row);
  }
  reading.waiting = later;
  const stretch = { lane: span.lane, low, high } as const;
  reading.rows += await compareStretch(context, stretch, ready, async (found) => {
    reading.findings.push(...found);
    if (reading.findings.length >= CHUNK) await save(context, reading, []);
  });
  reading.low = high;
}

/** Looks the waiting rows of a large group up at once and notes their ids. */
async function spill(context: SweepContext, reading: Reading, place: Place): Promise<void> {
  const { engine, isDeep } = context;
  const rows = reading.waiting;
  for (let start = 0; start < rows.length; start += CHUNK) {
    const part = rows.slice(start, start + CHUNK);
    const ids = part.map((row) => row.id);
    reading.findings.push(
      ...(await compareRows(context, part, await readMirrored(engine.warehouse, ids, isDeep))),
    );
  }
  reading.waiting = [];
  const noted = noteIds(
    reading.span.id,
    rows.map((row) => row.id),
  );
  await save(context, reading, [...noted, saveSpan(reading.span.id, place, reading.rows)]);
}

/** The group is read: what the mirror holds at its instant beyond the ids met is not in the source's lists. */
async function endScratch(context: SweepContext, reading: Reading, key: Instant | null): Promise<void> {
  const { warehouse } = context.engine;
  const { span } = reading;
  const later = reading.waiting.filter((row) => row.createdOn !== key);
  reading.waiting = reading.waiting.filter((row) => row.createdOn === key);
  await spill(context, reading, { key, seen: 1, seam: null });
  reading.rows += await countIds(warehouse, span.id);
  let after: string | null = null;
  do {
    const ids: string[] = await readUnmet(warehouse, span.id, key, { after, limit: CHUNK });
    reading.findings.push(...ids.map(absent));
    if (reading.findings.length > 0) await save(context, reading, []);
    after = ids.at(-1) ?? null;
  } while (after !== null);
  reading.waiting = later;
  reading.scratch = null;
  // The lane of nulls is one group, and ends with it.
  if (key === null) return;
  reading.low = nextTick(key);
  await save(context, reading, [forgetIds(span.id), saveSpan(span.id, restAt(reading.low), reading.rows)]);
}

async function save(context: SweepContext, reading: Reading, writes: readonly Write[]): Promise<void> {
  const { clock, warehouse } = context.engine;
  reading.savedAtMs = clock.now();
  const at = instantFromMs(reading.savedAtMs);
  const found = reading.findings.map((one) => noteFinding(context.sweepId, one, at));
  await warehouse.commit([...found, ...writes], context.lease);
  reading.findings = [];
}
