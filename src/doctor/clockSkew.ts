/** How far the API's clock is from ours, by the `Date` of an answer. The mirror survives hours; people do not. */
import { type Instant, instantToMs } from '../clients/instant.ts';
import { durationText } from '../observe/numbers.ts';
import { type Outcome, ok, warning } from './finding.ts';

/** `Date` counts whole seconds, and an answer is on its way for some. */
const SKEW_MS_MAX = 60_000;

export function checkClock(date: Instant | null, nowMs: number): Outcome {
  if (date === null) {
    return warning('the API sends no Date', 'The mirror works by its own clock then: keep it right (NTP).');
  }
  const skewMs = instantToMs(date) - nowMs;
  if (Math.abs(skewMs) <= SKEW_MS_MAX) return ok('the API and this machine agree on the time');
  const side = skewMs > 0 ? 'ahead of' : 'behind';
  return warning(
    `the API's clock is ${durationText(Math.abs(skewMs))} ${side} this machine's`,
    'Set the clock of this machine by NTP. The mirror allows for the rest.',
  );
}
