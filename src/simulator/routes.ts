/**
 * The seven endpoints: a request, read and checked, becomes an answer and maybe a change of the table. No
 * sockets here, and no faults but the lasting habits of the server.
 */
import { FIELD_NAMES } from '../clients/fields.ts';
import { type Answer, badQuery, badValues, emptyAnswer, jsonAnswer, problem } from './answer.ts';
import type { FaultSwitch, RequestKind } from './faults.ts';
import type { ValueType } from './filter/ast.ts';
import { UUID } from './ids.ts';
import { runList } from './list.ts';
import type { Pages, RowShape } from './pages.ts';
import { type ListQuery, parseListQuery, refuseParameters } from './query.ts';
import { BLANK_ROW, type ClientRow, FIELD_TYPES } from './row.ts';
import type { Source } from './source.ts';
import type { Handle, Store } from './store.ts';
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

export interface RouteOptions {
  readonly topDefault: number;
  /** A page has at most this many rows, whatever `$top` says. */
  readonly pageCap: number;
  /** A larger `$top` is a 400; null: it is cut to `pageCap`. */
  readonly topMax: number | null;
  readonly filterNodesMax: number;
  readonly envelope: boolean;
  readonly trimsStamps: boolean;
  /** Documented fields that this server does not have. */
  readonly absentFields: readonly string[];
  readonly jsonType: string;
  /** What `@odata.nextLink` begins with; known once the server listens. */
  baseUrl(): string;
}

export interface Table {
  readonly store: Store;
  readonly source: Source;
  readonly pages: Pages;
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

export function createRoutes(table: Table, faultSwitch: FaultSwitch, options: RouteOptions): Routes {
  const { store, source, pages } = table;
  const fields = FIELD_NAMES.filter((name) => !options.absentFields.includes(name));
  const known = new Set(fields);
  const shapeOf = (select: readonly string[] | null): RowShape => {
    const extra = faultSwitch.faults.extraField ?? null;
    const wanted = select === null || faultSwitch.faults.ignoreSelect ? fields : select;
    return {
      fields: wanted.filter((name) => known.has(name)),
      extra: extra !== null && (wanted === fields || wanted.includes(extra.name)) ? extra : null,
      trimsStamps: options.trimsStamps,
    };
  };
  const list = (request: ApiRequest): Answer => {
    const query = withHabits(parseQuery(request.query), faultSwitch);
    const asked = query.top ?? options.topDefault;
    const top = Math.min(asked, options.pageCap);
    const found = runList(store, query, top);
    const rows = pages.render(found, shapeOf(query.select));
    const headers = { 'content-type': options.jsonType };
    if (!options.envelope) return { status: 200, headers, body: bracket('[', rows, ']') };
    // A page that the server cut says where the rest is; one that holds all that was asked for does not.
    const link =
      found.more && asked > top
        ? `,"@odata.nextLink":${nextLink(request.query, query.skip, top, asked)}`
        : '';
    const head = `{"@odata.context":"${options.baseUrl()}/$metadata#Clients","value":[`;
    return { status: 200, headers, body: bracket(head, rows, `]${link}}`) };
  };
  const parseQuery = (raw: string): ListQuery => {
    const { extraField, refuseSelect } = faultSwitch.faults;
    if (refuseSelect === true && /(?:^|&)(?:\$|%24)select=/.test(raw)) {
      throw badQuery("Query option 'Select' is not allowed.");
    }
    const typeOfField = (name: string): ValueType | undefined => {
      if (name === extraField?.name) return 'text';
      const type = known.has(name) ? FIELD_TYPES.get(name) : undefined;
      if (type === 'int32' || type === 'double') return 'number';
      return type === 'json' ? 'address' : type;
    };
    const refusesSelect = (name: string): boolean =>
      Array.isArray(refuseSelect) && refuseSelect.includes(name);
    const { topMax, filterNodesMax } = options;
    return parseListQuery(raw, { typeOfField, refusesSelect, topMax, filterNodesMax });
  };
  const nextLink = (raw: string, skip: number, top: number, asked: number): string => {
    const rest = raw.split('&').filter((pair) => pair !== '' && !/^(?:\$|%24)(?:skip|top)=/.test(pair));
    const query = [...rest, `$skip=${skip + top}`, `$top=${asked - top}`].join('&');
    return JSON.stringify(`${options.baseUrl()}/clients?${query}`);
  };
  const one = (id: string): Answer => {
    const handle = findOr404(id);
    const etag: Record<string, string> = faultSwitch.faults.etag ? { etag: etagOf(handle) } : {};
    return {
      status: 200,
      headers: { 'content-type': options.jsonType, ...etag },
      body: pages.renderOne(handle, shapeOf(null)),
    };
  };
  const findOr404 = (id: string): Handle => {
    const handle = store.find(id);
    if (handle === undefined) throw problem(404);
    return handle;
  };
  const etagOf = (handle: Handle): string =>
    `W/"${store.stamp(handle, 'updatedOn') ?? store.stamp(handle, 'createdOn')}"`;
  const checkMatch = (handle: Handle, ifMatch: string | undefined): void => {
    const isChecked = faultSwitch.faults.etag && ifMatch !== undefined && ifMatch.trim() !== '*';
    if (isChecked && ifMatch !== etagOf(handle)) throw problem(412);
  };
  const create = (request: ApiRequest): Answer => {
    const row = normalise(readBody(request), BLANK_ROW, faultSwitch);
    return audit(source.insert(row, { visibleAfterMs: 0 }));
  };
  const change = (id: string, request: ApiRequest): Answer => {
    const handle = findOr404(id);
    const body = readBody(request);
    for (const [name, status] of Object.entries(faultSwitch.faults.refuseFields ?? {})) {
      // The required fields must be in every body: refusing one means refusing a new value for it.
      const before = store.row(handle)[name as keyof ClientRow];
      const after = body[name as keyof ClientRow];
      if (after !== undefined && JSON.stringify(after) !== JSON.stringify(before)) {
        throw badValues({ [name]: [`The value of '${name}' is not allowed.`] }, status);
      }
    }
    checkMatch(handle, request.headers['if-match']);
    const { id: _id, createdOn: _createdOn, updatedOn: _updatedOn, ...blank } = BLANK_ROW;
    const base = request.method === 'PUT' ? blank : {};
    const changes = normalise({ ...base, ...body }, store.row(handle), faultSwitch);
    return audit(source.update(id, changes, { visibleAfterMs: 0 }));
  };
  const readBody = (request: ApiRequest): Partial<ClientRow> => {
    const type = request.headers['content-type'] ?? '';
    if (!/^application\/(?:[\w.+-]+\+)?json *(?:;|$)/i.test(type)) throw problem(415);
    return parseBody(request.body, known);
  };
  const remove = (id: string, request: ApiRequest): Answer => {
    checkMatch(findOr404(id), request.headers['if-match']);
    source.remove(id);
    return emptyAnswer(204);
  };
  return (request) => {
    const { method, path, query } = request;
    if (path === '/clients') {
      if (method === 'GET') return list(request);
      if (method !== 'POST') throw problem(405, { allow: 'GET, POST' });
      refuseParameters(query);
      return create(request);
    }
    const id = clientIdOf(path);
    if (id === undefined) throw problem(404);
    if (!['GET', 'PUT', 'PATCH', 'DELETE'].includes(method)) {
      throw problem(405, { allow: 'GET, PUT, PATCH, DELETE' });
    }
    if (!UUID.test(id)) throw badValues({ id: [`The value '${id}' is not valid.`] });
    refuseParameters(query);
    if (method === 'GET') return one(id);
    return method === 'DELETE' ? remove(id, request) : change(id, request);
  };
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

function bracket(head: string, parts: readonly Buffer[], tail: string): Buffer {
  return Buffer.concat([Buffer.from(head), ...parts, Buffer.from(tail)]);
}

function withHabits(query: ListQuery, { faults }: FaultSwitch): ListQuery {
  return {
    ...query,
    filter: faults.ignoreFilter ? null : query.filter,
    orderby: faults.ignoreOrderby ? [] : query.orderby,
    skip: faults.ignoreSkip ? 0 : query.skip,
  };
}

function normalise(body: Partial<ClientRow>, before: ClientRow, { faults }: FaultSwitch): Partial<ClientRow> {
  const changed: Record<string, unknown> = { ...body };
  for (const [name, how] of Object.entries(faults.normalise ?? {})) {
    const value = changed[name];
    if (how === 'keep' && value !== undefined) changed[name] = before[name as keyof ClientRow];
    if (how === 'trim' && typeof value === 'string') changed[name] = value.trim();
    if (how === 'lower' && typeof value === 'string') changed[name] = value.toLowerCase();
    if (how === 'round' && typeof value === 'number') changed[name] = Math.round(value * 100) / 100;
  }
  return changed as Partial<ClientRow>;
}
