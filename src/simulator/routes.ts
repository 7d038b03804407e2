/**
 * The seven endpoints: a request, read and checked, becomes an answer and maybe a change of the table. No
 * sockets here, and no faults but the lasting habits of the server.
 */
import { type Answer, badValues, emptyAnswer, jsonAnswer, problem } from './answer.ts';
import type { FaultSwitch, Faults, RequestKind } from './faults.ts';
import { UUID } from './ids.ts';
import { refuseParameters } from './query.ts';
import { createListRoute, knownFields, type RouteOptions, rowShape, type Table } from './routeList.ts';
import { BLANK_ROW, type ClientRow, fieldOf } from './row.ts';
import type { Handle } from './rows.ts';
import type { Store } from './store.ts';
import { parseBody } from './validate.ts';

export interface ApiRequest {
  readonly method: string;
  /** Without the base path. */
  readonly path: string;
  /** Raw, without the question mark. */
  readonly query: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
}

export type Routes = (request: ApiRequest) => Answer;

const ONE = /^\/clients\/([^/]+)$/;

/** What sort of request this is, for faults that hit only some. */
export function kindOf(method: string, path: string): RequestKind {
  if (path === '/clients') return method === 'GET' ? 'list' : method === 'POST' ? 'write' : 'other';
  if (!ONE.test(path)) return 'other';
  return method === 'GET' ? 'get' : 'write';
}

export function clientIdOf(path: string): string | undefined {
  return ONE.exec(path)?.[1]?.toLowerCase();
}

/** @returns a function that answers, or throws HttpProblem */
export function createRoutes(table: Table, faultSwitch: FaultSwitch, options: RouteOptions): Routes {
  const list = createListRoute(table, faultSwitch, options);
  const one = createClientRoutes(table, faultSwitch, options);
  return (request) => {
    const { method, path, query } = request;
    if (path === '/clients') {
      if (method === 'GET') return list(query);
      if (method !== 'POST') throw problem(405, { allow: 'GET, POST' });
      refuseParameters(query);
      return one.create(request);
    }
    const id = clientIdOf(path);
    if (id === undefined) throw problem(404);
    const answer = { GET: one.read, PUT: one.change, PATCH: one.change, DELETE: one.remove }[method];
    if (answer === undefined) throw problem(405, { allow: 'GET, PUT, PATCH, DELETE' });
    if (!UUID.test(id)) throw badValues({ id: [`The value '${id}' is not valid.`] });
    refuseParameters(query);
    return answer(id, request);
  };
}

interface ClientRoutes {
  create(request: ApiRequest): Answer;
  read(id: string): Answer;
  change(id: string, request: ApiRequest): Answer;
  remove(id: string, request: ApiRequest): Answer;
}

function createClientRoutes(table: Table, faultSwitch: FaultSwitch, options: RouteOptions): ClientRoutes {
  const { store, source, pages } = table;
  const known = new Set(knownFields(options));
  const find = (id: string): Handle => {
    const handle = store.find(id);
    if (handle === undefined) throw problem(404);
    return handle;
  };
  const checkMatch = (handle: Handle, request: ApiRequest): void => {
    const wanted = request.headers['if-match']?.trim() ?? '*';
    if (faultSwitch.faults.etag && wanted !== '*' && wanted !== etagOf(store, handle)) throw problem(412);
  };
  return {
    create(request) {
      const body = readBody(request, known);
      const row = normalise(body, BLANK_ROW, faultSwitch.faults);
      return audit(source.insert(row, { visibleAfterMs: 0 }));
    },
    read(id) {
      const handle = find(id);
      const etag = faultSwitch.faults.etag ? { etag: etagOf(store, handle) } : {};
      const body = [pages.renderOne(handle, rowShape(null, faultSwitch, options))];
      return { status: 200, headers: { 'content-type': options.jsonType, ...etag }, body };
    },
    change(id, request) {
      const handle = find(id);
      const before = store.row(handle);
      const body = readBody(request, known);
      checkRefused(body, before, faultSwitch.faults);
      checkMatch(handle, request);
      const given = request.method === 'PUT' ? { ...BLANK_ROW, ...body } : body;
      const changes = normalise(given, before, faultSwitch.faults);
      return audit(source.update(id, changes, { visibleAfterMs: 0 }));
    },
    remove(id, request) {
      checkMatch(find(id), request);
      source.remove(id);
      return emptyAnswer(204);
    },
  };
}

function etagOf(store: Store, handle: Handle): string {
  return `W/"${store.stamp(handle, 'updatedOn') ?? store.stamp(handle, 'createdOn')}"`;
}

function readBody(request: ApiRequest, known: ReadonlySet<string>): Partial<ClientRow> {
  const type = request.headers['content-type'] ?? '';
  if (!/^application\/(?:[\w.+-]+\+)?json *(?:;|$)/i.test(type)) throw problem(415);
  return parseBody(request.body, known);
}

/** The required fields must be in every body: refusing one means refusing a new value for it. */
function checkRefused(body: Partial<ClientRow>, before: ClientRow, faults: Faults): void {
  for (const [name, status] of Object.entries(faults.refuseFields ?? {})) {
    const after = fieldOf({ ...before, ...body }, name);
    if (JSON.stringify(after) !== JSON.stringify(fieldOf(before, name))) {
      throw badValues({ [name]: [`The value of '${name}' is not allowed.`] }, status);
    }
  }
}

/** What a write answers: a record of the change, not the client. */
function audit(row: ClientRow): Answer {
  return jsonAnswer(200, {
    id: row.id,
    type: 'Client',
    createdTimestamp: row.createdOn,
    updatedTimestamp: row.updatedOn,
  });
}

function normalise(body: Partial<ClientRow>, before: ClientRow, faults: Faults): Partial<ClientRow> {
  const changed: Record<string, unknown> = { ...body };
  for (const [name, how] of Object.entries(faults.normalise ?? {})) {
    const value = changed[name];
    if (how === 'keep' && value !== undefined) changed[name] = fieldOf(before, name);
    if (how === 'trim' && typeof value === 'string') changed[name] = value.trim();
    if (how === 'lower' && typeof value === 'string') changed[name] = value.toLowerCase();
    if (how === 'round' && typeof value === 'number') changed[name] = Math.round(value * 100) / 100;
  }
  return changed as Partial<ClientRow>;
}
