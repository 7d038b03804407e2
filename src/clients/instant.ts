/**
 * Canonical timestamps: UTC text of fixed width, `YYYY-MM-DDTHH:MM:SS.fffffffZ`. Text order is time order.
 *
 * The API is .NET: seven fractional digits, years 1 to 9999. A JavaScript Date keeps three digits, a Postgres
 * timestamptz six; a place rounded to either misses rows or reads them for ever. So no stamp of the source
 * goes through them: an Instant is text, and arithmetic counts 100 ns ticks since 0001-01-01 in a BigInt.
 */

declare const brand: unique symbol;
/** Canonical text, 28 characters. Compare with `<`, `===`, `>`. */
export type Instant = string & { readonly [brand]: 'instant' };

const CANONICAL = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{7})Z$/;
/** Canonical, and real without a look at the calendar: what nearly all stamps are. */
const PLAIN =
  /^(?!0000)\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{7}Z$/;
const LENIENT =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s*(?:([Zz])|([+-])(\d\d):?(\d\d))?$/;

const TICKS_PER_SECOND = 10_000_000n;
const TICKS_PER_MS = 10_000n;
const SECONDS_PER_DAY = 86_400;
/** Days from 0001-01-01 to 1970-01-01. */
const EPOCH_DAYS = 719_162;

export const MIN_INSTANT = '0001-01-01T00:00:00.0000000Z' as Instant;
export const MAX_INSTANT = '9999-12-31T23:59:59.9999999Z' as Instant;
/** Ticks of MAX_INSTANT: 3,652,059 days from year 1 to year 10000, less one tick. */
const MAX_TICKS = 3_652_059n * 86_400n * TICKS_PER_SECOND - 1n;

/**
 * Reads a timestamp of the API: ISO 8601, zero to seven fractional digits, `Z`, an offset, or neither (UTC).
 * @returns null when it is no such timestamp, names no real day, or is finer than a tick.
 */
export function parseInstant(value: unknown): Instant | null {
  if (typeof value !== 'string') return null;
  if (PLAIN.test(value)) return value as Instant;
  const exact = CANONICAL.exec(value);
  if (exact !== null) return isRealMoment(exact) ? (value as Instant) : null;
  const parts = LENIENT.exec(value);
  if (parts === null || !isRealMoment(parts)) return null;
  const fraction = (parts[7] ?? '').padEnd(7, '0');
  // More than seven digits are accepted only where they say nothing: rounding would break the round trip.
  if (/[1-9]/.test(fraction.slice(7))) return null;
  const local = `${value.slice(0, 10)}T${parts[4]}:${parts[5]}:${parts[6] ?? '00'}.${fraction.slice(0, 7)}Z`;
  if (parts[9] === undefined) return local as Instant;
  const offsetMinutes = Number(parts[10]) * 60 + Number(parts[11]);
  if (offsetMinutes > 14 * 60 || Number(parts[11]) > 59) return null;
  const shift = BigInt(offsetMinutes * 60) * TICKS_PER_SECOND;
  const ticks = toTicks(local as Instant) + (parts[9] === '+' ? -shift : shift);
  return ticks < 0n || ticks > MAX_TICKS ? null : fromTicks(ticks);
}

/** Adds (or with a negative number subtracts) seconds, fractions included; stops at the ends of the calendar. */
export function addSeconds(instant: Instant, seconds: number): Instant {
  return fromTicks(toTicks(instant) + BigInt(Math.round(seconds * 1e7)));
}

/** The next representable instant: turns an inclusive upper bound into an exclusive one. */
export function nextTick(instant: Instant): Instant {
  return fromTicks(toTicks(instant) + 1n);
}

/** The instant halfway between two, rounded down to a tick. */
export function midpoint(from: Instant, to: Instant): Instant {
  return fromTicks((toTicks(from) + toTicks(to)) / 2n);
}

/** Seconds from one instant to another, fractions included; negative when `to` lies before `from`. */
export function secondsBetween(from: Instant, to: Instant): number {
  return Number(toTicks(to) - toTicks(from)) / 1e7;
}

/** Our own clock's milliseconds (see Clock) as an instant. */
export function instantFromMs(epochMs: number): Instant {
  return fromTicks(
    BigInt(EPOCH_DAYS * SECONDS_PER_DAY) * TICKS_PER_SECOND + BigInt(Math.round(epochMs)) * TICKS_PER_MS,
  );
}

/** Milliseconds since 1970, for lags and displays only: it loses four digits. */
export function instantToMs(instant: Instant): number {
  return Number(toTicks(instant) / TICKS_PER_MS) - EPOCH_DAYS * SECONDS_PER_DAY * 1000;
}

/** Cuts to microseconds, which is what a Postgres timestamptz holds. Never rounds: 9999 would become 10000. */
export function cutToMicroseconds(instant: Instant): string {
  return `${instant.slice(0, 26)}Z`;
}

function toTicks(instant: Instant): bigint {
  const days = daysBefore(
    Number(instant.slice(0, 4)),
    Number(instant.slice(5, 7)),
    Number(instant.slice(8, 10)),
  );
  const seconds =
    days * SECONDS_PER_DAY +
    Number(instant.slice(11, 13)) * 3600 +
    Number(instant.slice(14, 16)) * 60 +
    Number(instant.slice(17, 19));
  return BigInt(seconds) * TICKS_PER_SECOND + BigInt(instant.slice(20, 27));
}

function fromTicks(ticks: bigint): Instant {
  if (ticks <= 0n) return MIN_INSTANT;
  if (ticks >= MAX_TICKS) return MAX_INSTANT;
  const seconds = Number(ticks / TICKS_PER_SECOND);
  const inDay = seconds % SECONDS_PER_DAY;
  const { year, month, day } = civilDay((seconds - inDay) / SECONDS_PER_DAY);
  const date = `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}`;
  const time = `${pad(Math.floor(inDay / 3600), 2)}:${pad(Math.floor(inDay / 60) % 60, 2)}:${pad(inDay % 60, 2)}`;
  return `${date}T${time}.${String(ticks % TICKS_PER_SECOND).padStart(7, '0')}Z` as Instant;
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, '0');
}

function isRealMoment(parts: RegExpExecArray): boolean {
  const [year, month, day] = [Number(parts[1]), Number(parts[2]), Number(parts[3])];
  return (
    year >= 1 &&
    month >= 1 &&
    month <= 12 &&
    day >= 1 &&
    day <= daysInMonth(year, month) &&
    Number(parts[4]) <= 23 &&
    Number(parts[5]) <= 59 &&
    Number(parts[6] ?? 0) <= 59
  );
}

const DAYS_BEFORE_MONTH = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];

function isLeap(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

function daysInMonth(year: number, month: number): number {
  const days = (DAYS_BEFORE_MONTH[month] ?? 0) - (DAYS_BEFORE_MONTH[month - 1] ?? 0);
  return month === 2 && isLeap(year) ? days + 1 : days;
}

/** Whole days from 0001-01-01 to a date of the proleptic Gregorian calendar, which .NET uses. */
function daysBefore(year: number, month: number, day: number): number {
  const y = year - 1;
  const leapDay = month > 2 && isLeap(year) ? 1 : 0;
  return (
    y * 365 +
    Math.floor(y / 4) -
    Math.floor(y / 100) +
    Math.floor(y / 400) +
    (DAYS_BEFORE_MONTH[month - 1] ?? 0) +
    leapDay +
    day -
    1
  );
}

function civilDay(days: number): { year: number; month: number; day: number } {
  // A first guess by the mean year is off by one at the most.
  let year = Math.floor(days / 365.2425) + 1;
  while (daysBefore(year, 1, 1) > days) year -= 1;
  while (daysBefore(year + 1, 1, 1) <= days) year += 1;
  let month = 1;
  while (month < 12 && daysBefore(year, month + 1, 1) <= days) month += 1;
  return { year, month, day: days - daysBefore(year, month, 1) + 1 };
}
