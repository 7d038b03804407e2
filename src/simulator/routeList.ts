/** `GET /clients`: the query read and run, the page written, bare or in OData's envelope. */
import { FIELD_NAMES } from '../clients/fields.ts';
import { type Answer, badQuery } from './answer.ts';
import type { FaultSwitch } from './faults.ts';
import type { ValueType } from './filter/ast.ts';
import { runList } from './list.ts';
import type { Pages, RowShape } from './pages.ts';
import { type ListQuery, parseListQuery, valueTypeOf } from './query.ts';
import type { Source } from './source.ts';
import type { Store } from './store.ts';

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

/** The documented fields that this server has. */
export function knownFields(options: RouteOptions): readonly string[] {
  return FIELD_NAMES.filter((name) => !options.absentFields.includes(name));
}

/** How rows are written: with the selected fields (null: all), and with a field more while that fault is on. */
export function rowShape(
  select: readonly string[] | null,
  { faults }: FaultSwitch,
  options: RouteOptions,
): RowShape {
  const known = knownFields(options);
  const extra = faults.extraField ?? null;
  const isWhole = select === null || faults.ignoreSelect === true;
  return {
    // In the server's own order, so that the same selection in another order finds the same kept bytes.
    fields: isWhole ? known : known.filter((name) => select.includes(name)),
    extra: extra !== null && (isWhole || select.includes(extra.name)) ? extra : null,
    trimsStamps: options.trimsStamps,
  };
}

export function createListRoute(
  { store, pages }: Table,
  faultSwitch: FaultSwitch,
  options: RouteOptions,
): (query: string) => Answer {
  return (raw) => {
    const query = withHabits(parseQuery(raw, faultSwitch, options), faultSwitch);
    const asked = query.top ?? options.topDefault;
    const top = Math.min(asked, options.pageCap);
    const found = runList(store, query, top);
    const { parts, release } = pages.render(found, rowShape(query.select, faultSwitch, options));
    const headers = { 'content-type': options.jsonType };
    if (!options.envelope) return { status: 200, headers, body: bracket('[', parts, ']'), release };
    // A page that the server cut says where the rest is; one that holds all that was asked for does not.
    const next = found.more && asked > top ? nextQuery(raw, query.skip + top, asked - top) : null;
    const link =
      next === null ? '' : `,"@odata.nextLink":${JSON.stringify(`${options.baseUrl()}/clients?${next}`)}`;
    const head = `{"@odata.context":"${options.baseUrl()}/$metadata#Clients","value":[`;
    return { status: 200, headers, body: bracket(head, parts, `]${link}}`), release };
  };
}

function parseQuery(raw: string, { faults }: FaultSwitch, options: RouteOptions): ListQuery {
  const { extraField, refuseSelect } = faults;
  if (refuseSelect === true && /(?:^|&)(?:\$|%24)select=/.test(raw)) {
    throw badQuery(
      "Query option 'Select' is not allowed. To allow it, set the 'AllowedQueryOptions' property.",
    );
  }
  const known = knownFields(options);
  const typeOfField = (name: string): ValueType | undefined => {
    if (name === extraField?.name) return 'text';
    return known.includes(name) ? valueTypeOf(name) : undefined;
  };
  const refusesSelect = (name: string): boolean => Array.isArray(refuseSelect) && refuseSelect.includes(name);
  const { topMax, filterNodesMax } = options;
  return parseListQuery(raw, { typeOfField, refusesSelect, topMax, filterNodesMax });
}

function nextQuery(raw: string, skip: number, top: number): string {
  const rest = raw.split('&').filter((pair) => pair !== '' && !/^(?:\$|%24)(?:skip|top)=/.test(pair));
  return [...rest, `$skip=${skip}`, `$top=${top}`].join('&');
}

function bracket(head: string, parts: readonly Buffer[], tail: string): Buffer[] {
  return [Buffer.from(head), ...parts, Buffer.from(tail)];
}

function withHabits(query: ListQuery, { faults }: FaultSwitch): ListQuery {
  return {
    ...query,
    filter: faults.ignoreFilter ? null : query.filter,
    orderby: faults.ignoreOrderby ? [] : query.orderby,
    skip: faults.ignoreSkip ? 0 : query.skip,
  };
}
