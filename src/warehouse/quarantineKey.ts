/** Under which id `mirror_quarantine` keeps a row: the client's, or the hash of the raw row where it has none. */
import { createHash } from 'node:crypto';
import { parseInstant } from '../clients/instant.ts';
import type { RejectedRow } from '../clients/record.ts';

export function quarantineKey(row: RejectedRow): string {
  return row.id ?? createHash('sha256').update(row.raw).digest('hex');
}

/**
 * Is a good row at least as new as the version in quarantine? An older answer must not hide that a newer one
 * could not be mirrored. A stamp that cannot be read does not keep it there.
 */
export function settlesQuarantine(updatedOn: string | null, raw: string): boolean {
  const row: unknown = JSON.parse(raw);
  const stamp = typeof row === 'object' && row !== null && 'updatedOn' in row ? row.updatedOn : null;
  return (updatedOn ?? '') >= (parseInstant(stamp) ?? '');
}
