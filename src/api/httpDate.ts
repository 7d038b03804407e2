/**
 * Dates of HTTP headers (`Date`, `Retry-After`) → Instant. RFC 9110 knows three spellings and wants all three
 * read. None of them goes through JavaScript's Date, whose parser accepts nearly anything.
 */
import { type Instant, parseInstant } from '../clients/instant.ts';

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `Sun, 06 Nov 1994 08:49:37 GMT`, and the obsolete `Sunday, 06-Nov-94 08:49:37 GMT`. */
const WITH_ZONE = /^[A-Za-z]{3,9}, (\d\d)[ -]([A-Za-z]{3})[ -](\d{4}|\d\d) (\d\d:\d\d:\d\d) (?:GMT|UTC)$/;
/** `Sun Nov  6 08:49:37 1994` */
const ASCTIME = /^[A-Za-z]{3} ([A-Za-z]{3}) ([ \d]\d) (\d\d:\d\d:\d\d) (\d{4})$/;

/** @returns null when the text is no such date. */
export function parseHttpDate(text: string | undefined): Instant | null {
  const zoned = WITH_ZONE.exec(text?.trim() ?? '');
  if (zoned !== null) return build(zoned[3], zoned[2], zoned[1], zoned[4]);
  const plain = ASCTIME.exec(text?.trim() ?? '');
  return plain === null ? null : build(plain[4], plain[1], plain[2], plain[3]);
}

function build(
  year: string | undefined,
  monthName: string | undefined,
  day: string | undefined,
  time: string | undefined,
): Instant | null {
  const month = MONTHS.indexOf(monthName ?? '') + 1;
  if (month === 0 || year === undefined || day === undefined) return null;
  // Two digits: the century that a server of today can mean.
  const fullYear = year.length === 2 ? `20${year}` : year;
  return parseInstant(`${fullYear}-${pad(String(month))}-${pad(day.trim())}T${time}Z`);
}

function pad(digits: string): string {
  return digits.padStart(2, '0');
}
