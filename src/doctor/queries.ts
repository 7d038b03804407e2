/**
 * Does the API do what the pager stands on: order, filter, stamps that find their own rows, skip, select, an
 * honest 404? Each check asks a question whose answer an API that ignores the parameter gets wrong.
 */
import { randomUUID } from 'node:crypto';
import type { Config } from '../../config/settings.ts';
import type { Instant } from '../clients/instant.ts';
import { fault, type Outcome, ok, skipped, warning } from './finding.ts';
import type { Probe, SeenRow } from './probe.ts';

type Key = 'createdOn' | 'updatedOn';

/** Rows that show whether an order is kept. */
const SAMPLE = 50;
/** Rows at one instant among which the one with the stamp must be. */
const TIE_MAX = 500;
const PAGING = 'Without it no read can be complete: ask the API for OData paging, or use another base URL.';

export async function checkTop(probe: Probe): Promise<Outcome> {
  const { rows } = await probe.list({ top: 1 });
  if (rows.length <= 1) return ok('$top is honoured');
  return warning(
    `$top=1 answered ${rows.length} rows`,
    'The mirror works all the same; pages are as the API cuts them.',
  );
}

export async function checkOrder(probe: Probe): Promise<Outcome> {
  const up = stampsOf((await probe.list({ orderby: 'createdOn,id', top: SAMPLE })).rows);
  const down = stampsOf((await probe.list({ orderby: 'createdOn desc,id', top: SAMPLE })).rows);
  if (!isAscending(up)) return fault('$orderby=createdOn,id answered rows out of order', PAGING);
  if (!isAscending(down.toReversed()))
    return fault('$orderby=createdOn desc,id answered rows out of order', PAGING);
  return new Set([...up, ...down]).size < 2
    ? skipped('all clients seen were created at one instant: nothing to order')
    : ok('$orderby is honoured, up and down');
}

export async function checkFilter(probe: Probe): Promise<Outcome> {
  const oldest = stampsOf((await probe.list({ orderby: 'createdOn,id', top: 1 })).rows)[0];
  if (oldest === undefined) return skipped('no client with createdOn to compare with');
  const before = await probe.list({ filter: `createdOn lt ${oldest}`, top: 1 });
  if (before.rows.length > 0) {
    return fault(`$filter=createdOn lt ${oldest} answered a client, and that is the oldest`, PAGING);
  }
  const untouched = await probe.list({ filter: 'updatedOn eq null', orderby: 'createdOn,id', top: SAMPLE });
  return untouched.rows.some((row) => row.updatedOn !== null)
    ? fault('$filter=updatedOn eq null answered a client that has an updatedOn', PAGING)
    : ok('$filter is honoured, null included');
}

/** The stamp of a row, sent back, must find the row: a server that rounds or shifts it loses rows silently. */
export async function checkStamp(probe: Probe, key: Key): Promise<Outcome> {
  const row = finest((await probe.list({ orderby: `${key} desc,id`, top: SAMPLE })).rows, key);
  const stamp = row?.[key];
  if (row === undefined || stamp == null) return skipped(`no client with ${key} to look for`);
  const same = await probe.list({ filter: `${key} eq ${stamp}`, orderby: `${key},id`, top: TIE_MAX });
  if (same.rows.some((one) => one[key] !== stamp)) {
    return fault(`$filter=${key} eq ${stamp} answered clients with another ${key}`, PAGING);
  }
  const from = await probe.list({ filter: `${key} ge ${stamp}`, orderby: `${key},id`, top: TIE_MAX });
  const missing = [same, from].some(
    ({ rows }) => rows.length < TIE_MAX && !rows.some((one) => one.id === row.id),
  );
  return missing
    ? fault(
        `the client stamped ${stamp} is not found by its own ${key}`,
        'The API rounds or shifts the stamps of a filter, so that a pull could miss clients. Ask its maker to compare all digits.',
      )
    : ok(`a stamp sent back finds its own row (${stamp})`);
}

export async function checkSkip(probe: Probe): Promise<Outcome> {
  const query = { orderby: 'createdOn,id' };
  const [first, second] = (await probe.list({ ...query, top: 2 })).rows;
  if (first === undefined || second === undefined) return skipped('fewer than two clients');
  const [behind] = (await probe.list({ ...query, skip: 1, top: 1 })).rows;
  return behind?.id !== first.id
    ? ok('$skip is honoured')
    : fault('$skip=1 answered the first client', PAGING);
}

export async function checkSelect(probe: Probe): Promise<Outcome> {
  const effect = 'Lists are read whole then; excluded fields travel, and are dropped on arrival.';
  if (probe.select === null) return warning('$select is refused', effect);
  const [row] = (await probe.list({ top: 1, select: ['id', 'createdOn'] })).rows;
  const more = row?.names.filter((name) => name !== 'id' && name !== 'createdOn') ?? [];
  return more.length === 0
    ? ok('$select is honoured')
    : warning(`$select=id,createdOn answered ${more.length} more fields`, effect);
}

export async function checkExcluded(probe: Probe, config: Config): Promise<Outcome> {
  if (config.excludeFields.length === 0) return ok('no field is excluded');
  const { rows } = await probe.list({ top: SAMPLE });
  const travelled = config.excludeFields.filter((name) => rows.some((row) => row.names.includes(name)));
  if (travelled.length === 0) return ok(`left out of the answers: ${config.excludeFields.join(', ')}`);
  return warning(
    `${travelled.join(', ')} travels although it was not asked for`,
    'It is dropped on arrival and never stored. To keep it off the wire, the API must honour $select.',
  );
}

export async function checkPageSize(probe: Probe, pageSize: number): Promise<Outcome> {
  const query = {
    orderby: 'createdOn,id',
    ...(probe.select === null ? {} : { select: ['id', 'createdOn'] }),
  };
  const got = (await probe.list({ ...query, top: pageSize })).rows.length;
  if (got >= pageSize) return ok(`pages of ${pageSize} are answered in full`);
  if (got === 0) return skipped('no client to fill a page with');
  const { rows } = await probe.list({ ...query, skip: got, top: 1 });
  if (rows.length === 0) return ok(`all ${got} clients fit in one page`);
  return ok(`the API caps a page at ${got}; ${pageSize} are asked for, and the mirror keeps to the cap`);
}

export async function checkById(probe: Probe, known: string | null): Promise<Outcome> {
  if (known !== null) {
    const answer = await probe.get(known);
    if (!answer.found)
      return fault(
        'a client of the list is 404 by its id',
        'Deletions cannot be told from this: do not reconcile.',
      );
  }
  const absent = await probe.get(randomUUID());
  return absent.found
    ? fault('a made-up id was answered with a client', 'Deletions cannot be proven: do not reconcile.')
    : ok('a client is found by its id, and a made-up id is 404');
}

function stampsOf(rows: readonly SeenRow[]): readonly Instant[] {
  return rows.map((row) => row.createdOn).filter((stamp) => stamp !== null);
}

function isAscending(stamps: readonly Instant[]): boolean {
  return stamps.every((stamp, index) => index === 0 || stamp >= (stamps[index - 1] ?? ''));
}

/** The row whose stamp has the most digits that say something: rounding shows on it, if on any. */
function finest(rows: readonly SeenRow[], key: Key): SeenRow | undefined {
  const digits = (row: SeenRow): number => row[key]?.replace(/0*Z$/, '').length ?? 0;
  const usable = rows.filter((row) => row.id !== null && row[key] !== null);
  return usable.toSorted((a, b) => digits(b) - digits(a))[0];
}
