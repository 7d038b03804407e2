/**
 * `$filter` → tokens. OData's literals are told apart by their shape alone (a uuid and a stamp stand without
 * quotes), so each shape is tried at each place, and every token must end where a word can end.
 */
import { parseInstant } from '../../clients/instant.ts';
import { FilterError, type Literal, type ValueType } from './ast.ts';

export type Token =
  | { readonly kind: 'literal'; readonly at: number; readonly text: string; readonly literal: Literal }
  | { readonly kind: 'word'; readonly at: number; readonly text: string }
  | { readonly kind: '(' | ')' | ',' | 'end'; readonly at: number; readonly text: string };

const SHAPES: readonly (readonly [RegExp, (text: string, at: number) => Literal])[] = [
  [/'(?:[^']|'')*'/y, (text) => literal('text', text.slice(1, -1).replaceAll("''", "'"))],
  [
    /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/iy,
    (text) => literal('uuid', text.toLowerCase()),
  ],
  [/\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?/iy, readStamp],
  [/-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/iy, (text) => literal('number', Number(text))],
];
const WORD = /[A-Za-z_]\w*(?:\/[A-Za-z_]\w*)*/y;
const SPACE = /[ \t]*/y;
const STAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,7})?)?(?:Z|[+-]\d\d:\d\d)$/i;
const ENDS_WORD = /[ \t(),]/;

/** @throws FilterError at the first character that is none of OData's */
export function readTokens(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    at += match(SPACE, text, at)?.length ?? 0;
    if (at >= text.length) break;
    const token = readPunctuation(text, at) ?? readLiteral(text, at) ?? readWord(text, at);
    if (token === null) throw new FilterError(`Syntax error at position ${at} in '${text}'.`);
    at += token.text.length;
    const next = text[at];
    const isWhole = token.kind !== 'literal' && token.kind !== 'word';
    if (!isWhole && next !== undefined && !ENDS_WORD.test(next)) {
      throw new FilterError(`Syntax error: character '${next}' is not valid at position ${at} in '${text}'.`);
    }
    tokens.push(token);
  }
  tokens.push({ kind: 'end', at, text: '' });
  return tokens;
}

function readPunctuation(text: string, at: number): Token | null {
  const char = text[at];
  return char === '(' || char === ')' || char === ',' ? { kind: char, at, text: char } : null;
}

function readLiteral(text: string, at: number): Token | null {
  if (text[at] === "'" && match(/'(?:[^']|'')*'/y, text, at) === null) {
    throw new FilterError(`There is an unterminated string literal at position ${at} in '${text}'.`);
  }
  for (const [shape, read] of SHAPES) {
    const found = match(shape, text, at);
    if (found !== null) return { kind: 'literal', at, text: found, literal: read(found, at) };
  }
  return null;
}

function readWord(text: string, at: number): Token | null {
  const found = match(WORD, text, at);
  if (found === null) return null;
  if (found === 'null') return { kind: 'literal', at, text: found, literal: literal('null', null) };
  if (found === 'true' || found === 'false') {
    return { kind: 'literal', at, text: found, literal: literal('boolean', found === 'true') };
  }
  return { kind: 'word', at, text: found };
}

function readStamp(text: string): Literal {
  // A stamp needs its zone; `+03:00` that came unescaped is a space by now, and so has none.
  const instant = STAMP.test(text) ? parseInstant(text) : null;
  if (instant === null) throw new FilterError(`Unrecognized 'Edm.DateTimeOffset' literal '${text}'.`);
  return literal('instant', instant);
}

function literal(type: ValueType, value: Literal['value']): Literal {
  return { kind: 'literal', type, value };
}

function match(shape: RegExp, text: string, at: number): string | null {
  shape.lastIndex = at;
  return shape.exec(text)?.[0] ?? null;
}
