/**
 * What a server said, made fit for a person: one line, bounded, without control characters, and without any
 * secret we know of. Understands ProblemDetails, OData errors and the plain `message` of older .NET servers.
 */

const WORDS_MAX = 500;
/** More of a body than this is not looked at: it is an error message, not data. */
const LOOK_AT_MAX = 20_000;
/** Three base64url parts, the first of which opens a JSON object: a JWT, whoever's it is. */
const JWT = /eyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*/g;

/** @param secrets texts that must not appear, the token first. Empty when the server said nothing. */
export function serverWords(body: string, secrets: readonly string[]): string {
  const text = body.slice(0, LOOK_AT_MAX).trim();
  const said = isHtml(text) ? htmlTitle(text) : jsonWords(text);
  return cut(redact(said, secrets), WORDS_MAX);
}

/** Takes known secrets and anything that looks like a JWT out of a text. */
export function redact(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const secret of secrets) {
    // A secret of a letter or two would turn every message into noise and is none.
    if (secret.length >= 4) clean = clean.replaceAll(secret, '[secret]');
  }
  return clean.replace(JWT, '[secret]');
}

export function isHtml(text: string): boolean {
  return /^\s*<(?:!doctype|html|head|body|\?xml|!--)/i.test(text);
}

function htmlTitle(text: string): string {
  const title = /<title[^>]*>([^<]*)<\/title>/i.exec(text)?.[1]?.trim() ?? '';
  return title === '' ? 'an HTML page' : `an HTML page: ${title}`;
}

function jsonWords(text: string): string {
  try {
    const words = collect(JSON.parse(text));
    return words === '' ? text : words;
  } catch {
    return text;
  }
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

function cut(text: string, max: number): string {
  // Control characters could rewrite a person's terminal.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f\s]+/g, ' ').trim();
  return line.length <= max ? line : `${line.slice(0, max - 1).toWellFormed()}…`;
}
