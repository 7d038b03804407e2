/** Ids are uuids. A server may write one in either case; stored and compared is the lower one. */
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The uuid in lower case; null: it is none. */
export function parseUuid(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  // Nearly all come as they are kept, and a page has thousands.
  if (UUID.test(value)) return value;
  const lower = value.toLowerCase();
  return UUID.test(lower) ? lower : null;
}
