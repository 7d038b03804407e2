/**
 * Memory for serialised rows, taken once and written over again: fresh memory costs more than filling it.
 *
 * It is a ring of chunks. What is kept in a chunk is good until the chunk is taken for something new, which
 * its generation tells; a chunk whose bytes are on their way to a socket is pinned and not taken.
 */

interface Chunk {
  readonly bytes: Buffer;
  used: number;
  generation: number;
  pins: number;
}

/** Bytes in the arena. */
export interface Kept {
  readonly chunk: Chunk;
  readonly generation: number;
  readonly bytes: Buffer;
}

export interface Arena {
  /** Copies the bytes in. */
  keep(bytes: Buffer): Kept;
}

const CHUNK_BYTES = 4 * 1024 * 1024;

/** Is what was kept still there? */
export function isKept({ chunk, generation }: Kept): boolean {
  return chunk.generation === generation;
}

/** @param bytesMax more is taken only while everything is pinned */
export function createArena(bytesMax: number): Arena {
  const chunks: Chunk[] = [];
  const open = (bytes: number): Chunk => {
    const present = chunks.at(-1);
    if (present !== undefined && present.used + bytes <= present.bytes.length) return present;
    const isFull = chunks.length * CHUNK_BYTES >= bytesMax;
    const oldest = isFull ? chunks.findIndex((chunk) => chunk.pins === 0 && chunk.bytes.length >= bytes) : -1;
    const next = chunks.splice(oldest, oldest < 0 ? 0 : 1)[0] ?? {
      bytes: Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, bytes)),
      used: 0,
      generation: 0,
      pins: 0,
    };
    next.used = 0;
    next.generation += 1;
    chunks.push(next);
    return next;
  };
  return {
    keep(bytes) {
      const chunk = open(bytes.length);
      const at = chunk.used;
      bytes.copy(chunk.bytes, at);
      chunk.used += bytes.length;
      return { chunk, generation: chunk.generation, bytes: chunk.bytes.subarray(at, chunk.used) };
    },
  };
}
