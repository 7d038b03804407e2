/**
 * How the checks of the API ask: each list with `$select` where the API takes it, so that excluded fields do not
 * travel for a check either, and twice at the most: a mirror outlives a passing fault, so it is no finding, and
 * one that stays is told at once instead of after all the patience that a pull has.
 */
import type { Config } from '../../config/settings.ts';
import type { ClientAnswer, ClientsApi, ListAnswer, ListQuery } from '../api/endpoints.ts';
import { FIELDS } from '../clients/fields.ts';
import { type Instant, parseInstant } from '../clients/instant.ts';
import { isSyncError } from '../errors.ts';

/** A row as it came, with the little that the checks look at. */
export interface SeenRow {
  readonly id: string | null;
  readonly createdOn: Instant | null;
  readonly updatedOn: Instant | null;
  readonly names: readonly string[];
}

export interface Seen {
  readonly rows: readonly SeenRow[];
  readonly date: Instant | null;
}

export interface Probe {
  list(query: ListQuery): Promise<Seen>;
  /** The fields asked for; null: the API refuses `$select`. */
  readonly select: readonly string[] | null;
  get(id: string): Promise<ClientAnswer>;
}

/** contactAddress is in no published schema: a strict API may refuse to select it, and is well all the same. */
const PUBLISHED = FIELDS.map((field) => field.name).filter((name) => name !== 'contactAddress');

/** What `$select` asks for under these settings. */
function selectionOf(config: Config): readonly string[] {
  return PUBLISHED.filter((name) => !config.excludeFields.includes(name));
}

/** The first request of all: one row. Answers how to ask from now on. @throws SyncError by the error table. */
export async function createProbe(
  api: ClientsApi,
  config: Config,
  signal: AbortSignal,
): Promise<{ readonly probe: Probe; readonly first: Seen }> {
  const options = { signal, retry: false };
  const wanted = selectionOf(config);
  const scope = config.ownerId === null ? {} : { ownerId: config.ownerId };
  const ask = async (query: ListQuery, select: readonly string[] | null): Promise<Seen> =>
    see(await twice(() => api.list({ ...scope, ...query, ...(select === null ? {} : { select }) }, options)));
  const make = (select: readonly string[] | null): Probe => ({
    list: (query) => ask(query, query.select ?? select),
    select,
    get: (id) => twice(() => api.get(id, options)),
  });
  try {
    return { first: await ask({ top: 1 }, wanted), probe: make(wanted) };
  } catch (error) {
    if (!isSyncError(error, 'UNLISTED') || error.details.status !== 400) throw error;
    return { first: await ask({ top: 1 }, null), probe: make(null) };
  }
}

async function twice<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!isSyncError(error) || error.retry !== 'now') throw error;
    return await ask();
  }
}

function see(answer: ListAnswer): Seen {
  return { date: answer.date, rows: answer.rows.map(seeRow) };
}

function seeRow(raw: unknown): SeenRow {
  const row = (typeof raw === 'object' && raw !== null ? raw : {}) as Readonly<Record<string, unknown>>;
  return {
    id: typeof row.id === 'string' ? row.id.toLowerCase() : null,
    createdOn: parseInstant(row.createdOn),
    updatedOn: parseInstant(row.updatedOn),
    names: Object.keys(row).filter((name) => !name.includes('@')),
  };
}
