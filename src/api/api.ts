/**
 * The seven endpoints of the Clients API. What a call means is here; how it is sent, retried and kept from
 * leaking the token is in transport.ts.
 */
import { SyncError } from '../errors.ts';
import type { Answer } from './answer.ts';
import type { AuditRecord, ClientsApi } from './endpoints.ts';
import { encodeText, toQueryString } from './odata.ts';
import type { Transport } from './transport.ts';

export type { Body, CallOptions, ClientsApi } from './endpoints.ts';

const CLIENTS = '/clients';

export function createApi(transport: Transport): ClientsApi {
  return {
    async list(query, options) {
      const request = { method: 'GET', path: CLIENTS, query: toQueryString(query), check: notRows } as const;
      const { data, date } = await transport.request({ ...options, ...request });
      return { ...readRows(data), date };
    },
    async create(body, options) {
      return readAudit(await transport.request({ ...options, method: 'POST', path: CLIENTS, body }));
    },
    async deleteAll(options) {
      await transport.request({ ...options, method: 'DELETE', path: CLIENTS });
    },
    async get(id, options) {
      const request = { method: 'GET', path: pathOf(id), oneClient: true, check: notObject } as const;
      const { status, data, date, etag } = await transport.request({ ...options, ...request });
      return status === 404 ? { found: false, date } : { found: true, row: data, date, etag };
    },
    async replace(id, body, options) {
      const request = { method: 'PUT', path: pathOf(id), body, oneClient: true } as const;
      return readAudit(await transport.request({ ...options, ...request }));
    },
    async update(id, body, options) {
      const request = { method: 'PATCH', path: pathOf(id), body, oneClient: true } as const;
      return readAudit(await transport.request({ ...options, ...request }));
    },
    async delete(id, options) {
      await transport.request({ ...options, method: 'DELETE', path: pathOf(id), oneClient: true });
    },
    close: () => transport.close(),
  };
}

/** An empty id, or dots, would name the collection or something above it: a DELETE there is another deed. */
function pathOf(id: string): string {
  if (/^[.\s]*$/.test(id)) throw new SyncError('USAGE', `${JSON.stringify(id)} is not a client's id`);
  return `${CLIENTS}/${encodeText(id)}`;
}

type JsonObject = Readonly<Record<string, unknown>>;

function isObject(data: unknown): data is JsonObject {
  return typeof data === 'object' && data !== null && !Array.isArray(data);
}

/** A bare array, or OData's envelope around one. */
function readRows(data: unknown): { readonly rows: readonly unknown[]; readonly nextLink: string | null } {
  if (Array.isArray(data)) return { rows: data, nextLink: null };
  const envelope = data as JsonObject;
  const nextLink = envelope['@odata.nextLink'];
  return { rows: envelope.value as unknown[], nextLink: typeof nextLink === 'string' ? nextLink : null };
}

function notRows(data: unknown): string | null {
  if (Array.isArray(data) || (isObject(data) && Array.isArray(data.value))) return null;
  return `${describe(data)} instead of a list of clients`;
}

function notObject(data: unknown): string | null {
  return isObject(data) ? null : `${describe(data)} instead of a client`;
}

/** What came, by its shape alone: values may be anybody's secrets. */
function describe(data: unknown): string {
  if (data === null) return 'null';
  if (Array.isArray(data)) return 'a list';
  if (!isObject(data)) return `a ${typeof data}`;
  const names = Object.keys(data).slice(0, 5);
  return names.length === 0 ? 'an empty object' : `an object with ${names.join(', ')}`;
}

/** The write is done when this is read, so nothing that the record lacks or garbles is an error. */
function readAudit({ data }: Answer): AuditRecord {
  const record = isObject(data) ? data : {};
  const text = (name: string) => {
    const value = record[name];
    return typeof value === 'string' ? value : null;
  };
  return {
    id: text('id'),
    type: text('type'),
    createdTimestamp: text('createdTimestamp'),
    updatedTimestamp: text('updatedTimestamp'),
  };
}
