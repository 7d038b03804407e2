/**
 * The kind of a schedule: five fields as cron(5) has them (minute, hour, day of month, month, day of week),
 * with `*`, lists, ranges, steps and names. It is checked here so that a bad one fails at start and not at 3 a.m.
 */
import type { Kind, Problem } from './kinds.ts';

interface CronField {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly names: readonly string[];
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

const CRON_FIELDS: readonly CronField[] = [
  { name: 'minute', min: 0, max: 59, names: [] },
  { name: 'hour', min: 0, max: 23, names: [] },
  { name: 'day of month', min: 1, max: 31, names: [] },
  { name: 'month', min: 1, max: 12, names: MONTHS },
  { name: 'day of week', min: 0, max: 7, names: DAYS },
];

/** A schedule, or null (never) for an empty text. */
export const cron: Kind<string | null> = {
  words: 'five fields: minute, hour, day of month, month, day of week',
  placeholder: 'CRON',
  parse(value): string | null | Problem {
    if (value === '') return null;
    const parts = value.split(/\s+/);
    if (parts.length !== CRON_FIELDS.length) {
      return { problem: `must have five fields such as "0 3 * * *", and has ${parts.length}` };
    }
    const bad = CRON_FIELDS.find((field, index) => !fits(field, parts[index] ?? ''));
    if (bad === undefined) return parts.join(' ');
    return { problem: `has a wrong ${bad.name}: it goes from ${bad.min} to ${bad.max}` };
  },
};

function fits(field: CronField, text: string): boolean {
  return text.split(',').every((item) => {
    const [span = '', step, ...rest] = item.split('/');
    if (rest.length > 0 || (step !== undefined && !(/^\d{1,2}$/.test(step) && Number(step) > 0)))
      return false;
    if (span === '*') return true;
    const ends = span.split('-').map((end) => numberOf(field, end));
    if (ends.length > 2 || ends.some((end) => end === null)) return false;
    return Number(ends[0]) <= Number(ends.at(-1));
  });
}

function numberOf(field: CronField, text: string): number | null {
  const named = field.names.indexOf(text.toLowerCase());
  if (named >= 0) return named + field.min;
  const value = /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  return value >= field.min && value <= field.max ? value : null;
}
