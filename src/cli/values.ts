/** How a command shows values of fields to a person: short, one line, and told apart from text about them. */
import type { FieldValue } from '../clients/record.ts';

const WIDTH_MAX = 60;

/** `"text"`, `12`, `true`, `null`; a document as its JSON. Cut where it is long: `--json` gives all of it. */
export function showValue(value: FieldValue | Readonly<Record<string, FieldValue>>): string {
  const isDocument = typeof value === 'string' && /^[{[]/.test(value);
  const text = isDocument ? value : JSON.stringify(value);
  return text.length > WIDTH_MAX ? `${text.slice(0, WIDTH_MAX - 1)}…` : text;
}

/** `2026-01-31T12:30:59Z` */
export function showTime(at: string | null): string {
  return at === null ? '-' : `${at.slice(0, 19)}Z`;
}
