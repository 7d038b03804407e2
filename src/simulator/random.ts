/**
 * Repeatable chance. `mix` is a hash: what happens to the nth thing is a function of (seed, n), in any order.
 * `createRandom` is a stream for what happens one after another (faults, drift).
 */

/** A 32-bit hash of two numbers. */
export function mix(seed: number, n: number): number {
  return permute((Math.imul(seed | 0, 0x9e3779b1) ^ permute(n | 0)) | 0);
}

/** A permutation of the 32-bit numbers: two different inputs never give the same output. */
export function permute(n: number): number {
  let x = n | 0;
  x ^= x >>> 16;
  x = Math.imul(x, FIRST);
  x ^= x >>> 15;
  x = Math.imul(x, SECOND);
  x ^= x >>> 16;
  return x >>> 0;
}

/** Undoes `permute`. */
export function unpermute(n: number): number {
  let x = n | 0;
  x ^= x >>> 16;
  x = Math.imul(x, SECOND_INVERSE);
  x ^= (x >>> 15) ^ (x >>> 30);
  x = Math.imul(x, FIRST_INVERSE);
  x ^= x >>> 16;
  return x >>> 0;
}

const FIRST = 0x7feb352d;
const SECOND = 0x846ca68b;
const FIRST_INVERSE = inverse(FIRST);
const SECOND_INVERSE = inverse(SECOND);

/** Inverse of an odd number modulo 2^32: each round doubles the bits that are right. */
function inverse(odd: number): number {
  let x = odd;
  for (let round = 0; round < 5; round += 1) x = Math.imul(x, 2 - Math.imul(odd, x));
  return x;
}

export interface Random {
  /** Starts the stream anew. */
  reseed(seed: number): void;
  /** From 0 up to, not including, 1. */
  next(): number;
  /** A whole number from 0 up to, not including, `bound`. */
  below(bound: number): number;
}

export function createRandom(seed: number): Random {
  let state = seed | 0;
  const draw = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return (x ^ (x >>> 14)) >>> 0;
  };
  return {
    reseed(next) {
      state = next | 0;
    },
    next: () => draw() / 4_294_967_296,
    below: (bound) => Math.floor((draw() / 4_294_967_296) * bound),
  };
}
