/**
 * Client ids. The nth generated id can be computed, and computed back, so that a million clients need no
 * table of ids. Also the two orders in which servers sort uuids.
 */
import { mix, permute, unpermute } from './random.ts';

export type IdOrder = 'text' | 'sqlserver';

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

function hex8(n: number): string {
  return `${HEX[n >>> 24]}${HEX[(n >>> 16) & 255]}${HEX[(n >>> 8) & 255]}${HEX[n & 255]}`;
}

/** The nth id of a seed, a well-formed uuid of version 4. */
export function idOf(seed: number, n: number): string {
  const first = permute(n ^ scramble(seed));
  const second = (mix(seed ^ 0x51ed270b, n) & 0xffff0fff) | 0x4000;
  const third = (mix(seed ^ 0x2545f491, n) & 0x3fffffff) | 0x80000000;
  const fourth = mix(seed ^ 0x1b873593, n);
  const middle = hex8(second);
  const tail = hex8(third);
  return `${hex8(first)}-${middle.slice(0, 4)}-${middle.slice(4)}-${tail.slice(0, 4)}-${tail.slice(4)}${hex8(fourth)}`;
}

/** Which n gave this id; meaningless for an id of another origin, so compare `idOf` of the answer. */
export function numberOf(seed: number, id: string): number {
  return (unpermute(Number.parseInt(id.slice(0, 8), 16)) ^ scramble(seed)) >>> 0;
}

/**
 * A text that sorts as the server sorts the id. SQL Server's `uniqueidentifier` compares the last six bytes
 * first, then the two before, then the three little-endian groups from right to left.
 */
export function sortKeyOf(id: string, order: IdOrder): string {
  if (order === 'text') return id;
  return (
    id.slice(24, 36) +
    id.slice(19, 23) +
    id.slice(16, 18) +
    id.slice(14, 16) +
    id.slice(11, 13) +
    id.slice(9, 11) +
    id.slice(6, 8) +
    id.slice(4, 6) +
    id.slice(2, 4) +
    id.slice(0, 2)
  );
}

export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Small seeds would leave the first ids full of zeros. */
function scramble(seed: number): number {
  return mix(seed, 0x1d5);
}
