/**
 * ListQuery → query string, and the few OData expressions that the mirror needs. Pure text.
 *
 * Everything is percent-encoded, a space as %20: a strict OData server answers 400 to `+`, and an unescaped
 * `+` of an offset would reach it as a space.
 */
import { parseUuid } from '../clients/uuid.ts';
import { SyncError } from '../errors.ts';
import type { ListQuery } from './endpoints.ts';

/** The query of `GET /clients` without the question mark; empty when nothing is asked for. */
export function toQueryString(query: ListQuery): string {
  const parameters: readonly (readonly [string, string | number | undefined])[] = [
    ['ownerId', query.ownerId],
    ['searchText', query.searchText],
    ['$filter', query.filter],
    ['$select', query.select?.join(',')],
    ['$orderby', query.orderby],
    ['$skip', query.skip],
    ['$top', query.top],
  ];
  return parameters
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${encodeText(String(value))}`]))
    .join('&');
}

/** encodeURIComponent, made total: a lone surrogate, at which it throws, becomes U+FFFD. */
export function encodeText(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

/** An OData string literal: `O'Brien` → `'O''Brien'`. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/**
 * `id eq a or id eq b …`. Keep it to fifteen ids: ASP.NET's default bound of 100 filter nodes refuses about
 * seventeen. @throws SyncError USAGE for what is not a uuid, which would change the filter's meaning.
 */
export function anyId(ids: readonly string[]): string {
  const stranger = ids.find((id) => parseUuid(id) === null);
  if (stranger !== undefined)
    throw new SyncError('USAGE', `${JSON.stringify(stranger)} is not a client's id`);
  return ids.map((id) => `id eq ${id}`).join(' or ');
}

/** `externalId eq 'a' or …`. */
export function anyExternalId(keys: readonly string[]): string {
  return keys.map((key) => `externalId eq ${quote(key)}`).join(' or ');
}
