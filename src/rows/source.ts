/**
 * The source as the use cases read it: every answer comes with the revision counter noted before its request was
 * sent, which is what tells a slow answer from a new one, and with our clock's time of its arrival.
 */

import type { ClientReader } from '../api/reader.ts';
import type { PageAnswer, PageRequest } from '../api/readInOrder.ts';
import { FIELDS } from '../clients/fields.ts';
import { type Instant, instantFromMs } from '../clients/instant.ts';
import { isRejected, type ReadRow } from '../clients/record.ts';
import type { Clock } from '../clock.ts';
import { isSyncError } from '../errors.ts';
import type { Emit } from '../events.ts';
import { dropSetting, putSetting } from '../ledger/settings.ts';
import type { Warehouse } from '../warehouse/warehouse.ts';

export interface SourceAnswer extends PageAnswer {
  readonly date: Instant | null;
  /** `warehouse.revision()` before the request. */
  readonly noted: number;
  readonly at: Instant;
}

export type SourceClient = {
  readonly noted: number;
  readonly at: Instant;
  /** The server's time; null: it sends none. */
  readonly date: Instant | null;
} /** inScope: false when the client belongs to an owner who is not mirrored. */ & (
  | {
      readonly found: true;
      readonly row: ReadRow;
      readonly inScope: boolean;
      /** For `If-Match`; null where the source sends none. */
      readonly etag: string | null;
    }
  | { readonly found: false }
);

export interface Source {
  /** Finds out which fields the source has, and remembers it in the warehouse for the runs to come. */
  discover(signal: AbortSignal): Promise<void>;
  page(request: PageRequest, signal: AbortSignal): Promise<SourceAnswer>;
  /** As page, but only ids and stamps travel: for comparing, never for storing. */
  stamps(request: PageRequest, signal: AbortSignal): Promise<SourceAnswer>;
  byIds(ids: readonly string[], signal: AbortSignal): Promise<SourceAnswer>;
  byId(id: string, signal: AbortSignal): Promise<SourceClient>;
  /** Fields and JSON types of one client; null: there is none. */
  inspect(id: string, signal: AbortSignal): Promise<ReadonlyMap<string, string> | null>;
  /** Whoever owns them; several clients may have the same externalId. */
  byExternalIds(keys: readonly string[], signal: AbortSignal): Promise<SourceAnswer>;
}

export interface SourceParts {
  readonly reader: ClientReader;
  readonly warehouse: Warehouse;
  readonly clock: Clock;
  readonly emit: Emit;
  /** Whose clients are mirrored; null: everybody's. */
  readonly ownerId: string | null;
}

export function createSource(parts: SourceParts): Source {
  const { reader, warehouse, clock } = parts;
  const now = (): Instant => instantFromMs(clock.now());
  // A page too large for the bound on a body is asked for again in halves; a short page is never the end.
  let topMax = Number.POSITIVE_INFINITY;
  let known = reader.refused().length;

  /** The next run need not be refused again: at rest each refusal would be a request a cycle. */
  async function rememberRefused(): Promise<void> {
    const refused = reader.refused();
    if (refused.length === known) return;
    known = refused.length;
    await warehouse.commit([putSetting('refused', JSON.stringify(refused))]);
  }

  async function page(request: PageRequest, signal: AbortSignal): Promise<SourceAnswer> {
    const top = Math.min(request.top, topMax);
    const noted = await warehouse.revision();
    try {
      const answer = await reader.page({ ...request, top }, signal);
      const at = now();
      await rememberRefused();
      return { ...answer, noted, at };
    } catch (error) {
      // Two is the least: one row is the seam.
      if (!isSyncError(error, 'BODY_TOO_LARGE') || top <= 2) throw error;
      topMax = Math.min(topMax, Math.ceil(top / 2));
      parts.emit({
        type: 'notice',
        message: `a page of ${top} clients is too large: asking for ${topMax} at a time`,
      });
      return page(request, signal);
    }
  }

  return {
    async discover(signal) {
      const found = await reader.discover(signal);
      known = reader.refused().length;
      await warehouse.commit([putSetting('fields', JSON.stringify(found)), dropSetting('refused')]);
    },
    page,
    inspect: (id, signal) => reader.inspect(id, signal),
    async stamps(request, signal) {
      const noted = await warehouse.revision();
      return { ...(await reader.stamps(request, signal)), noted, at: now() };
    },
    async byIds(ids, signal) {
      const noted = await warehouse.revision();
      return { ...(await reader.byIds(ids, signal)), noted, at: now() };
    },
    async byExternalIds(keys, signal) {
      const noted = await warehouse.revision();
      return { ...(await reader.byExternalIds(keys, signal)), noted, at: now() };
    },
    async byId(id, signal) {
      const noted = await warehouse.revision();
      const answer = await reader.byId(id, signal);
      const { date } = answer;
      if (!answer.found) return { found: false, noted, at: now(), date };
      return {
        found: true,
        row: answer.row,
        inScope: isInScope(answer.row, parts.ownerId),
        etag: answer.etag,
        noted,
        at: now(),
        date,
      };
    },
  };
}

const OWNER_ID = FIELDS.findIndex((field) => field.name === 'ownerId');

/** Only a client that is seen to belong to somebody else is out of scope. */
function isInScope(row: ReadRow, ownerId: string | null): boolean {
  return ownerId === null || isRejected(row) || row.values[OWNER_ID] === ownerId;
}
