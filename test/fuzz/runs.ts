/**
 * How often a property is tried: few times in the suite, as often as FUZZ_RUNS says by hand, and as long as that
 * takes. What fails prints its seed and path, by which fast-check replays it.
 */
export function fuzzRuns(suite: number): { readonly numRuns: number } {
  return { numRuns: Number(process.env.FUZZ_RUNS ?? suite) };
}

/** For a test that takes as long as it takes, once it is told how often. */
export const FUZZ_TIMEOUT_MS = process.env.FUZZ_RUNS === undefined ? 60_000 : 3_600_000;
