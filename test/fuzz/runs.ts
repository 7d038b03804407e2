/**
 * How often a property is tried: few times in the suite and always the same, as often as FUZZ_RUNS says by hand and
 * each time other ones. What fails prints its seed and path, by which fast-check replays it.
 */
export function fuzzRuns(suite: number): { readonly numRuns: number; readonly seed?: number } {
  const byHand = process.env.FUZZ_RUNS;
  return byHand === undefined ? { numRuns: suite, seed: 1 } : { numRuns: Number(byHand) };
}

/** For a test that takes as long as it takes, once it is told how often. */
export const FUZZ_TIMEOUT_MS = process.env.FUZZ_RUNS === undefined ? 60_000 : 3_600_000;
