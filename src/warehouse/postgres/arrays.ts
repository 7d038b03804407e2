/**
 * Array literals of Postgres, built column by column: what a page costs this process. pg's own writer looks
 * at every value anew and takes three times as long.
 */
type Value = string | number | boolean | null;

/** Only these need a backslash inside double quotes. */
const SPECIAL = /["\\]/g;

/** For types whose texts hold no quote, comma or brace: uuid, numbers, booleans, stamps. */
export function plainArray(values: readonly Value[]): string {
  let text = '{';
  for (const value of values) text += `${value ?? 'NULL'},`;
  return closed(text);
}

/** For everything else. Quoted, `NULL` is a text like any other. */
export function quotedArray(values: readonly Value[]): string {
  let text = '{';
  for (const value of values) {
    text += value === null ? 'NULL,' : `"${escaped(String(value))}",`;
  }
  return closed(text);
}

function escaped(value: string): string {
  return value.includes('"') || value.includes('\\') ? value.replace(SPECIAL, '\\$&') : value;
}

function closed(text: string): string {
  return text === '{' ? '{}' : `${text.slice(0, -1)}}`;
}
