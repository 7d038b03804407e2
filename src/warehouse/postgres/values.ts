/**
 * What passes between JavaScript and Postgres: parameters written once as `?`, and values read back as the port
 * promises them, the same as from SQLite. No Date and no rounding on the way.
 */
import { parseInstant } from '../../clients/instant.ts';

/** Type numbers of Postgres' own catalogue. */
const BOOL = 16;
const INT8 = 20;
const INT2 = 21;
const INT4 = 23;
const FLOAT4 = 700;
const FLOAT8 = 701;
const NUMERIC = 1700;
const TIMESTAMPTZ = 1184;

const PARSERS: Readonly<Record<number, (text: string) => string | number>> = {
  [BOOL]: (text) => (text === 't' ? 1 : 0),
  [INT2]: Number,
  [INT4]: Number,
  // Ours stay below 2^53; so does a sum of them, which Postgres makes numeric.
  [INT8]: Number,
  [NUMERIC]: Number,
  [FLOAT4]: Number,
  [FLOAT8]: Number,
  // A transaction of ours has time zone UTC, which is written as a bare `+00`.
  [TIMESTAMPTZ]: (text) => parseInstant(text.replace(/[+]00$/, 'Z')) ?? text,
};

/** For pg's `types`: everything that is no number and no stamp is text, JSON too. */
export const TYPES = {
  getTypeParser: (oid: number) => PARSERS[oid] ?? ((text: string) => text),
};

/** What must not be searched for `?`: texts, quoted names, dollar-quoted bodies, comments. */
const OPAQUE = /'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w*)\$[\s\S]*?\$\1\$|--[^\n]*|\/\*[\s\S]*?\*\/|\?/g;

/** `?` → `$1`, `$2` … outside of texts, quoted names and comments. */
export function numberParameters(sql: string): string {
  let count = 0;
  return sql.replace(OPAQUE, (found) => {
    if (found !== '?') return found;
    count += 1;
    return `$${count}`;
  });
}

/** A name as an identifier, whatever it holds. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as a literal, whatever `standard_conforming_strings` says. */
export function quoteText(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}
