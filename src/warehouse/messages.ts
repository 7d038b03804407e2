/** What the triggers of both databases say to a user whose statement they refuse. */
const MINE = 'columns beginning with _ belong to the mirror';

export const MESSAGES = {
  mine: MINE,
  stale: `${MINE}, or the row changed since you read it`,
  readOnlyMirror: 'this mirror is read-only (MIRROR_PUSH=false): change the client at the source',
  deletesOff:
    'deletes are not carried to the source (MIRROR_PUSH_DELETES=false): set is_archived instead, or switch them on',
  tombstoned: 'this client was deleted at the source: it can no longer be edited',
  tombstonedDelete:
    'this client was deleted at the source: `clients-mirror tombstones purge` removes its row',
  beingCreated:
    'this client is being created at the source just now: delete it in a moment, or give a refused one up with `clients-mirror edits discard`',
  renamed:
    'this client has had the id of the source since it was created there: mirror_ids tells which; UPDATE that one, or leave id out to create another',
  beingDeleted: 'the client of this id is being deleted: leave id out to create another',
  truncate: 'clients cannot be truncated: the mirror would lose track of it; use DELETE',
  email: 'email must look like name@example.com',
  readOnlyColumn: (column: string) => `${column} is read-only: only the source sets it`,
  readOnlyInsert: (column: string) => `${column} is read-only: leave it out, only the source sets it`,
  excluded: (column: string) =>
    `${column} is left out of this mirror (MIRROR_EXCLUDE_FIELDS): change it at the source`,
  empty: (column: string) => `${column} must not be empty: the API takes no client without it`,
  flag: (column: string) => `${column} must be true or false`,
  object: (column: string) => `${column} must be a JSON object or NULL`,
} as const;
