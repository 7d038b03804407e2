/**
 * What a server said, made fit for a person: one line, bounded, without control characters, and without any
 * secret we know of. Understands ProblemDetails, OData errors and the plain `message` of older .NET servers.
 */

const WORDS_MAX = 500;
/** More of a body than this is not looked at: it is an error message, not data. */
const LOOK_AT_MAX = 20_000;
const MASK = '[secret]';
/**
 * Base64url parts, the first of which opens a JSON object: a JWT, whoever's it is. It begins a word, or stands behind an
 * encoded character (`%22`); looked for at each place of a long word it could take a second.
 */
const JWT = /(?<![\w-]{3})eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?/g;

/** @param secrets texts that must not appear, the token first. Empty when the server said nothing. */
export function serverWords(body: string, secrets: readonly string[]): string {
  // Squeezed first: behind a screenful of blanks the cut could leave the half of a secret, which nobody knows again.
  const text = squeeze(body).slice(0, LOOK_AT_MAX);
  return oneLine(isHtml(text) ? htmlTitle(text) : jsonWords(text), secrets);
}

/** Whatever a server made up, names and hosts too, as a message may show it. */
export function oneLine(text: string, secrets: readonly string[]): string {
  return cut(squeeze(redact(text, secrets)), WORDS_MAX);
}

/** Takes known secrets and anything that looks like a JWT out of a text. */
function redact(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const secret of secrets) {
    // A secret of a letter or two would turn every message into noise and is none.
    if (secret.length < 4) continue;
    clean = clean.replaceAll(secret, MASK);
    // In another spelling it cannot be cut out of the words around it: then none of them is shown.
    if (plain(clean).includes(secret)) return MASK;
  }
  return clean.replace(JWT, MASK);
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
/** How JSON, URLs and HTML may write a letter. */
const WAYS: readonly (readonly [RegExp, (written: string) => string])[] = [
  [/\\u([0-9a-f]{4})/gi, (unit) => String.fromCharCode(Number.parseInt(unit, 16))],
  [/\\(["\\/])/g, (letter) => letter],
  [/((?:%[0-9a-f]{2})+)/gi, (bytes) => Buffer.from(bytes.replaceAll('%', ''), 'hex').toString('utf8')],
  [/&#x([0-9a-f]{1,4});/gi, (unit) => String.fromCharCode(Number.parseInt(unit, 16))],
  [/&#(\d{1,5});/g, (unit) => String.fromCharCode(Number(unit))],
  [/&(amp|lt|gt|quot|apos);/g, (name) => ENTITIES[name] ?? ''],
];

/** The text with each letter as it is. */
function plain(text: string): string {
  return WAYS.reduce(
    (read, [way, letters]) => read.replace(way, (_, written: string) => letters(written)),
    text,
  );
}

export function isHtml(text: string): boolean {
  return /^\s*<(?:!doctype|html|head|body|\?xml|!--)/i.test(text);
}

function htmlTitle(text: string): string {
  const title = /<title[^<>]*>([^<]*)<\/title>/i.exec(text)?.[1]?.trim() ?? '';
  return title === '' ? 'an HTML page' : `an HTML page: ${title}`;
}

function jsonWords(text: string): string {
  try {
    const said: unknown = JSON.parse(text);
    const words = collect(said);
    return words === '' ? shapeOf(said) : words;
  } catch {
    return text;
  }
}

/** JSON in which nobody speaks may be data, whose values belong into no message. */
function shapeOf(said: unknown): string {
  if (typeof said !== 'object' || said === null) return String(said);
  return Array.isArray(said) ? 'a JSON array' : `a JSON object with ${Object.keys(said).join(', ')}`;
}

function collect(said: unknown): string {
  if (typeof said === 'string') return said;
  if (typeof said !== 'object' || said === null) return '';
  const problem = said as Readonly<Record<string, unknown>>;
  if (problem.error !== undefined) return collect(problem.error);
  const parts = [problem.title, problem.message ?? problem.Message, problem.detail].filter(
    (part) => typeof part === 'string' && part !== '',
  );
  return [...parts, ...fieldErrors(problem.errors), ...innerMessages(problem.details)].join(' · ');
}

/** ProblemDetails' `errors`: field → messages. */
function fieldErrors(errors: unknown): string[] {
  if (typeof errors !== 'object' || errors === null) return [];
  return Object.entries(errors).map(([field, messages]) => {
    const text = Array.isArray(messages) ? messages.map(collect).join(' ') : collect(messages);
    return Array.isArray(errors) ? text : `${field}: ${text}`;
  });
}

function innerMessages(details: unknown): string[] {
  return Array.isArray(details) ? details.map(collect).filter((text) => text !== '') : [];
}

/** One line. Control characters could rewrite a person's terminal. */
function squeeze(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
  return text.replace(/[\u0000-\u001f\u007f-\u009f\s]+/g, ' ').trim();
}

function cut(line: string, max: number): string {
  return (line.length <= max ? line : `${line.slice(0, max - 1)}…`).toWellFormed();
}
