/**
 * The accounts at the end of a simulated life, when nothing goes wrong any more and nothing waits. Each finding is a
 * line in words; none may be found.
 *
 * (a) The mirror is the source, field by field, live or tombstone, but for what is listed. (b) Each edit was at the source once it was
 * made, or a user left it, or it stands on record with its value. (c) No PATCH carries what no user changed, but for
 * the required fields, and those as new as the source was when it was read. (d) No client was created twice.
 * (e) No tombstone without a 404 (proofs.ts watches the whole life).
 * (f) At rest nothing is written on either side. (g) Nor by a reconcile, which certifies that all agrees.
 */
import { isDeepStrictEqual } from 'node:util';
import { FIELDS } from '../../src/clients/fields.ts';
import { isAlikeValue } from '../../src/clients/merge.ts';
import type { FieldValue } from '../../src/clients/record.ts';
import { type OpenEdit, readOpenEdits } from '../../src/decisions/openClients.ts';
import type { Certificate } from '../../src/ledger/certificates.ts';
import { type EditedRow, readRows } from '../../src/ledger/editedRows.ts';
import { decodeValue } from '../../src/ledger/edits.ts';
import type { Simulator } from '../../src/simulator/simulator.ts';
import type { Warehouse } from '../../src/warehouse/warehouse.ts';
import type { Patch } from './edits.ts';
import { canonical, type History } from './history.ts';
import { FUTURE } from './others.ts';
import type { Edit } from './users.ts';

export interface Account {
  readonly history: History;
  readonly simulator: Simulator;
  readonly warehouse: Warehouse;
  readonly edits: readonly Edit[];
  readonly patches: readonly Patch[];
  readonly nowMs: number;
  /** How old an answer of the source may have been. */
  readonly staleMs: number;
  readonly excluded: ReadonlySet<string>;
  /** One more cycle. */
  cycle(): Promise<void>;
  /** A reconcile that compares every field; left out: none comes by. */
  reconcile?(): Promise<Certificate>;
  /** How many of them show that rest is silent; ten by default. */
  readonly restCycles?: number;
}

export async function closeAccounts(account: Account): Promise<readonly string[]> {
  const books = await readBooks(account);
  return [
    ...mirrorIsSource(account, books, { isSwept: account.reconcile !== undefined }),
    ...noEditIsLost(account, books),
    ...noStrayColumn(account),
    ...noneTwice(account),
    ...noTombstoneWithoutProof(account, books),
    ...(await restIsSilent(account)),
    ...(await reconcileAgrees(account)),
  ];
}

/** What is at odds between mirror and source now, but for local edits. */
export async function readDifferences(account: Account, how: Comparing): Promise<readonly string[]> {
  return mirrorIsSource(account, await readBooks(account), how);
}

interface Comparing {
  /** Clients that went are tombstones: a reconcile has been by. */
  readonly isSwept?: boolean;
  /** false: ids alone. */
  readonly fields?: boolean;
  /** false: of rows with local edits ids alone. A sweep leaves their fields to the merge. */
  readonly edited?: boolean;
  /** Clients of which the mirror may not know. */
  readonly unseen?: ReadonlySet<string>;
}

interface Books {
  readonly rows: ReadonlyMap<string, EditedRow>;
  readonly tombstones: ReadonlySet<string>;
  readonly open: readonly OpenEdit[];
  /** local id → the id of the source. */
  readonly ids: ReadonlyMap<string, string>;
  readonly conflicts: readonly {
    readonly id: string;
    readonly field: string | null;
    readonly local: string | null;
  }[];
  readonly journal: readonly {
    readonly id: string;
    readonly field: string | null;
    readonly base: string | null;
    readonly value: string | null;
    readonly outcome: string;
  }[];
  readonly deletes: ReadonlySet<string>;
}

async function readBooks({ warehouse, nowMs, excluded }: Account): Promise<Books> {
  const read = async (sql: string) => warehouse.read({ sql, params: [] });
  const clients = await read('SELECT id, _deleted_at FROM clients');
  const text = (value: unknown) => (value === null ? null : String(value));
  return {
    rows: await readRows(
      warehouse,
      clients.map(({ id }) => String(id)),
    ),
    tombstones: new Set(clients.filter((row) => row._deleted_at !== null).map(({ id }) => String(id))),
    open: await readOpenEdits(warehouse, { nowMs, excluded }),
    ids: new Map(
      (await read('SELECT local_id, id FROM mirror_ids')).map((row) => [
        String(row.local_id),
        String(row.id),
      ]),
    ),
    conflicts: (await read('SELECT client_id, field, local FROM mirror_conflicts')).map((row) => ({
      id: String(row.client_id),
      field: text(row.field),
      local: text(row.local),
    })),
    journal: (await read('SELECT client_id, field, base, value, outcome FROM mirror_edits')).map((row) => ({
      id: String(row.client_id),
      field: text(row.field),
      base: text(row.base),
      value: text(row.value),
      outcome: String(row.outcome),
    })),
    deletes: new Set((await read('SELECT id FROM mirror_deletes')).map(({ id }) => String(id))),
  };
}

/** All ids that a client has had, from this one on. */
function idsFrom(id: string, { ids }: Books): readonly string[] {
  const found = [id];
  for (let next = ids.get(id); next !== undefined && !found.includes(next); next = ids.get(next))
    found.push(next);
  return found;
}

function mirrorIsSource(
  { simulator, excluded }: Account,
  { rows, tombstones, deletes }: Books,
  { isSwept = false, fields = true, edited = true, unseen = new Set() }: Comparing,
): readonly string[] {
  const findings: string[] = [];
  const source = new Map(simulator.source.all().map((row) => [row.id, canonical(row)]));
  for (const [id, values] of source) {
    if (unseen.has(id)) continue;
    const row = rows.get(id);
    if (row === undefined) {
      if (!deletes.has(id)) findings.push(`(a) ${id} is missing in the mirror`);
      continue;
    }
    if (tombstones.has(id)) findings.push(`(a) ${id} is a tombstone, and at the source`);
    const isCompared = fields && (edited || Object.keys(row.state.base).length === 0);
    for (const { name } of isCompared ? FIELDS : []) {
      if (excluded.has(name) || row.state.base[name] !== undefined) continue;
      const [here, there] = [row.state.values[name] ?? null, values[name] ?? null];
      if (here !== there) findings.push(`(a) ${id} ${name} is ${here} here and ${there} at the source`);
    }
  }
  for (const [id, { state, create }] of rows) {
    if (source.has(id) || create !== null || tombstones.has(id)) continue;
    const isMerged = Object.keys(state.base).length > 0 && !state.isParked;
    if (isSwept || isMerged) findings.push(`(a) ${id} is gone, and no tombstone`);
  }
  return findings;
}

/** Ends with a value on record, by which it can be found again. */
const KEPT_ON_RECORD = new Set(['discarded']);

function noEditIsLost(account: Account, books: Books): readonly string[] {
  const { edits, history } = account;
  const findings: string[] = [];
  for (const { id, state, field } of books.open) {
    if (state === 'pending' || state === 'in flight') findings.push(`(b) ${id} ${field} is ${state} at rest`);
  }
  // What users did to one client, under whatever id, in order.
  const byClient = new Map<string, Edit[]>();
  for (const edit of edits) {
    const key = idsFrom(edit.id, books).at(-1) ?? edit.id;
    const all = byClient.get(key);
    if (all === undefined) byClient.set(key, [edit]);
    else all.push(edit);
  }
  for (const all of byClient.values()) {
    for (const [index, edit] of all.entries()) {
      const problem = PROBLEMS[edit.kind](account, books, {
        edit,
        ids: idsFrom(edit.id, books),
        later: all.slice(index + 1),
      });
      if (problem !== null)
        findings.push(`(b) #${edit.tick} ${edit.kind} ${edit.id} ${edit.field} = ${edit.value}: ${problem}`);
    }
  }
  for (const { id, field, value, outcome } of books.journal) {
    if (outcome !== 'arrived' || field === null) continue;
    const ids = [id, ...[...books.ids].filter(([, real]) => real === id).map(([local]) => local)];
    if (!ids.some((one) => history.held(one, field, decodeValue(field, value), 0))) {
      findings.push(`(b) ${id} ${field} = ${value} is said to have arrived, and never was at the source`);
    }
  }
  return findings;
}

interface Case {
  readonly edit: Edit;
  readonly ids: readonly string[];
  /** What users did to the same client afterwards. */
  readonly later: readonly Edit[];
}

function fieldProblem(
  { history, staleMs }: Account,
  books: Books,
  { edit, ids, later }: Case,
): string | null {
  const { field, value, tick } = edit;
  if (edit.isDropped === true) return null;
  if (later.some((one) => (one.kind === 'field' && one.field === field) || one.kind === 'delete'))
    return null;
  if (ids.some((id) => history.held(id, field, value, tick))) return null;
  // A POST leaves out what is empty: emptied again before the create has settled, it is as it was sent, and what
  // others have put there meanwhile stays.
  const real = books.ids.get(edit.id);
  if (value === null && real !== undefined && history.of(real)[0]?.values?.[field] === null) return null;
  const row = ids.map((id) => books.rows.get(id)).find((found) => found !== undefined);
  const isOpen = books.open.some(
    (open) => ids.includes(open.clientId) && (open.field === field || open.kind === 'create'),
  );
  if (isOpen && row !== undefined && isAlikeValue(field, row.state.values[field] ?? null, value)) return null;
  const isLike = (text: string | null) => isAlikeValue(field, decodeValue(field, text), value);
  if (books.conflicts.some((one) => ids.includes(one.id) && one.field === field && isLike(one.local)))
    return null;
  if (
    books.conflicts.some(
      (one) => ids.includes(one.id) && one.field === null && holds(one.local, field, value),
    )
  )
    return null;
  // An answer as old as answers may be showed the same value there: both sides agreed, before the source went on.
  const about = { tick, ms: staleMs };
  const hasAgreed = books.journal.some(
    (one) => ids.includes(one.id) && one.field === field && one.outcome === 'arrived' && isLike(one.value),
  );
  if (hasAgreed && ids.some((id) => history.heldShortlyBefore(id, field, value, about))) return null;
  const isKept = books.journal.some((one) => {
    if (!ids.includes(one.id)) return false;
    // Taken back: the value is the one that it began with.
    const isEnd = KEPT_ON_RECORD.has(one.outcome) || (one.outcome === 'undone' && one.base === one.value);
    return (
      isEnd &&
      (one.field === field ? isLike(one.value) : one.field === null && holds(one.value, field, value))
    );
  });
  return isKept ? null : `neither at the source nor on record; the row has ${row?.state.values[field]}`;
}

/** Does the JSON of a whole row hold this value? */
function holds(json: string | null, field: string, value: FieldValue): boolean {
  if (json === null) return false;
  const held = (JSON.parse(json) as Readonly<Record<string, unknown>>)[field];
  const plain =
    typeof held === 'object' && held !== null ? JSON.stringify(held) : ((held ?? null) as FieldValue);
  return isAlikeValue(field, plain, value);
}

function insertProblem({ history }: Account, books: Books, { edit, ids, later }: Case): string | null {
  if (later.some(({ kind }) => kind === 'delete')) return null;
  if (ids.slice(1).some((id) => history.of(id).some(({ values }) => values !== null))) return null;
  if (books.open.some(({ kind, clientId }) => kind === 'create' && ids.includes(clientId))) return null;
  const isDiscarded = books.journal.some(
    ({ id, field, outcome }) => id === edit.id && field === null && outcome === 'discarded',
  );
  return isDiscarded ? null : 'the new client is neither at the source nor listed';
}

function deleteProblem({ history }: Account, books: Books, { edit, ids }: Case): string | null {
  if (ids.some((id) => history.wasGone(id, edit.tick))) return null;
  // An insert that never left.
  if (ids.every((id) => history.of(id).length === 0)) return null;
  if (ids.some((id) => books.deletes.has(id))) return null;
  const isOnRecord = books.journal.some(
    ({ id, field, outcome }) =>
      ids.includes(id) && field === null && ['discarded', 'refused'].includes(outcome),
  );
  return isOnRecord ? null : 'the client is still at the source, and the delete nowhere';
}

const PROBLEMS = { field: fieldProblem, insert: insertProblem, delete: deleteProblem } as const;

function noStrayColumn({ patches, history, staleMs }: Account): readonly string[] {
  const findings: string[] = [];
  for (const { id, atMs, body, sent, readAtMs, agent } of patches) {
    const where = `(c) PATCH of ${id} by ${agent}`;
    if (sent === null) {
      findings.push(`${where} without an intent`);
      continue;
    }
    for (const [field, value] of Object.entries(body)) {
      if (field in sent) continue;
      if (FIELDS.find(({ name }) => name === field)?.required !== true)
        findings.push(`${where} carries ${field} = ${value}`);
      else if (!history.heldSinceMs(id, field, value as FieldValue, Math.min(readAtMs, atMs) - staleMs)) {
        findings.push(`${where} carries ${field} = ${value}, which is older than what it read`);
      }
    }
  }
  return findings;
}

export function noneTwice({
  history,
  edits,
  staleMs,
}: Pick<Account, 'history' | 'edits' | 'staleMs'>): readonly string[] {
  const born = new Map<string, string[]>();
  for (const { id, tick, values } of history.born()) {
    const key = keyOf(values.externalId);
    // One whose answer was lost, and that others removed before anybody could look it up, is made anew; so is one that
    // they brought back so shortly before that an answer of then did not show it.
    const fromMs = (history.of(id)[0]?.atMs ?? 0) - staleMs;
    const present = (born.get(key) ?? []).filter((other) => !wasRemoved(history, other, fromMs, tick));
    if (key !== '') born.set(key, [...present, id]);
  }
  // Users may give one externalId to several new clients, at once or before they are sent.
  const inserted = new Set(edits.flatMap(({ kind, id }) => (kind === 'insert' ? id : [])));
  const wanted = (key: string) =>
    edits.filter(
      ({ kind, id, field, value }) =>
        (kind === 'insert' || (field === 'externalId' && inserted.has(id))) && keyOf(value) === key,
    ).length;
  return [...born]
    .filter(([key, ids]) => ids.length > Math.max(1, wanted(key)))
    .map(
      ([key, ids]) => `(d) the client with externalId ${key} was created more than once: ${ids.join(', ')}`,
    );
}

/** Was it gone again, once it had been there, at a moment from `fromMs` up to `untilTick`? */
function wasRemoved(history: History, id: string, fromMs: number, untilTick: number): boolean {
  const states = history.of(id).filter(({ tick }) => tick <= untilTick);
  return states.some(({ values }, at) => {
    const next = states[at + 1];
    return values === null && (next === undefined || next.atMs >= fromMs);
  });
}

function keyOf(externalId: unknown): string {
  return String(externalId ?? '')
    .trim()
    .toLowerCase();
}

function noTombstoneWithoutProof({ simulator }: Account, { tombstones }: Books): readonly string[] {
  const proved = new Set(
    simulator.requests.log
      .filter(({ status }) => status === 404)
      .map(({ path }) => path.split('/').at(-1)?.toLowerCase()),
  );
  return [...tombstones]
    .filter((id) => !proved.has(id))
    .map((id) => `(e) ${id} is a tombstone without a 404`);
}

const KEPT_TABLES = [
  'clients',
  'mirror_edits',
  'mirror_conflicts',
  'mirror_pushes',
  'mirror_deletes',
  'mirror_ids',
  'mirror_refetch',
  'mirror_quarantine',
  'mirror_settings',
];

async function restIsSilent({
  simulator,
  warehouse,
  cycle,
  restCycles = 10,
}: Account): Promise<readonly string[]> {
  const dump = async () => {
    const tables: string[] = [];
    for (const table of KEPT_TABLES) {
      const rows = await warehouse.read({ sql: `SELECT * FROM ${table}`, params: [] });
      // Its time the simulation itself moves, where time is the database's.
      const lines = rows.map(({ claimed_ms: _ms, ...row }) => `${table} ${JSON.stringify(row)}`);
      tables.push(...lines.sort());
    }
    return tables.join('\n');
  };
  const before = await dump();
  const findings: string[] = [];
  for (let n = 1; n <= restCycles; n += 1) {
    const requests = simulator.requests.total;
    await cycle();
    const cost = simulator.requests.total - requests;
    if (!isRestCost(simulator, cost)) {
      const asked = simulator.requests.log
        .slice(-cost)
        .map(({ method, path, query }) => `${method} ${path} ${decodeURIComponent(query)}`);
      findings.push(`(f) a cycle at rest cost ${cost} requests: ${asked.join(', ')}`);
      break;
    }
  }
  const after = await dump();
  if (after !== before) findings.push(`(f) cycles at rest wrote:\n${before}\nbecame\n${after}`);
  return findings;
}

/** Requests of a cycle at rest; clients stamped in a far future are met anew where the server's pages are small. */
export function isRestCost({ source }: Simulator, requests: number): boolean {
  const ahead = source.all().filter(({ updatedOn }) => (updatedOn ?? '') >= FUTURE).length;
  return requests === 2 || (requests > 2 && requests <= 3 + ahead && ahead > 0);
}

/** At rest a reconcile finds nothing, asks for nothing again and writes nothing. */
async function reconcileAgrees({ reconcile, simulator, warehouse }: Account): Promise<readonly string[]> {
  if (reconcile === undefined) return [];
  const dump = async () =>
    JSON.stringify(await warehouse.read({ sql: 'SELECT * FROM clients ORDER BY id', params: [] }));
  const before = await dump();
  const findings: string[] = [];
  const { from: _from, to: _to, ...certificate } = await reconcile();
  const agreed = {
    ...{ clients: simulator.source.size, missing: 0, stale: 0, extra: 0, deep: true, changed: 0 },
    ...{ mended: { missing: 0, stale: 0 }, deleted: 0, unfit: 0 },
  };
  if (!isDeepStrictEqual(certificate, agreed))
    findings.push(`(g) at rest a reconcile certified ${JSON.stringify(certificate)}`);
  if ((await dump()) !== before) findings.push('(g) at rest a reconcile wrote to clients');
  return findings;
}

/** What a mirror still has to do, in words; empty at rest. */
export async function whatWaits(warehouse: Warehouse): Promise<string> {
  const queries = {
    refetch: 'SELECT id, reason FROM mirror_refetch',
    // A parked create remembers under which id the source had it.
    pushes: `SELECT id, holder, sent FROM mirror_pushes WHERE id NOT IN
      (SELECT CAST(id AS TEXT) FROM clients WHERE _create IS NOT NULL AND _parked = _edits)`,
    deletes: 'SELECT id FROM mirror_deletes WHERE parked = 0',
    edited: `SELECT id, _base, _create FROM clients WHERE (_base IS NOT NULL OR _create IS NOT NULL) AND (_parked IS NULL OR _parked <> _edits)`,
  };
  const found: string[] = [];
  for (const [name, sql] of Object.entries(queries)) {
    const rows = await warehouse.read({ sql, params: [] });
    if (rows.length > 0) found.push(`${name} ${JSON.stringify(rows)}`);
  }
  return found.join('; ');
}
