/** The ids by which a person names open edits: `<client id>:<field>`, or a client's id for all of its edits. */
import { FIELDS } from '../clients/fields.ts';
import { parseUuid } from '../clients/uuid.ts';
import { SyncError } from '../errors.ts';
import type { OpenEdit } from './openClients.ts';

export interface EditId {
  readonly clientId: string;
  /** API name of a field, `create` or `delete`; null: every edit of the client. */
  readonly part: string | null;
}

/** A client's id in the form in which it is stored; null: it is none. */
export function parseClientId(text: string): string | null {
  return parseUuid(text.trim());
}

/** Takes a field by its API name or by its column. @throws SyncError NOT_FOUND */
export function parseEditId(text: string): EditId {
  const [client = '', part, ...rest] = text.trim().split(':');
  const clientId = parseClientId(client);
  if (clientId === null || rest.length > 0 || part === '') throw unknownEdit(text);
  if (part === undefined) return { clientId, part: null };
  const field = FIELDS.find(({ name, column }) => name === part || column === part);
  return { clientId, part: field?.name ?? part };
}

export function isMeant({ part }: EditId, edit: OpenEdit): boolean {
  return part === null || part === (edit.field ?? edit.kind);
}

export function unknownEdit(text: string): SyncError {
  const message = `no open edit has the id ${text}: see \`clients-mirror edits list\``;
  return new SyncError('NOT_FOUND', message, { hint: '' });
}
