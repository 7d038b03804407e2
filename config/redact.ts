/**
 * Takes secrets out of a text before anyone can read it: what the secret rows of the table hold, in each
 * spelling in which it may turn up (as it is, percent-encoded, inside JSON), and whatever looks like a JWT,
 * wherever it came from.
 */
import { type Config, SETTINGS } from './settings.ts';

const MASK = '[secret]';
/** Shorter ones are no secrets, and masking them would garble every line. */
const SECRET_LENGTH_MIN = 4;
/** At the beginning of a word, or behind an encoded character (`%22`). */
const JWT = /(?<![\w-]{3})eyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?/g;

/**
 * @param config null while there is none yet: then only what looks like a JWT is masked.
 * @param further secrets that no setting holds, such as the token in a file.
 */
export function createRedactor(
  config: Config | null,
  further: readonly string[] = [],
): (text: string) => string {
  const secrets = [...(config === null ? [] : secretsOf(config)), ...further].flatMap(spellings);
  // The longest first: one secret may be a part of another.
  const known = [...new Set(secrets)].sort((a, b) => b.length - a.length);
  return (text) => known.reduce((masked, secret) => masked.replaceAll(secret, MASK), text).replace(JWT, MASK);
}

/** Every secret text that the settings hold. */
function secretsOf(config: Config): readonly string[] {
  return SETTINGS.flatMap((row) => {
    const value = config[row.key];
    if (!('secret' in row) || value === null) return [];
    if (typeof value === 'string') return row.secret === 'whole' ? [value] : passwordOf(value);
    return typeof value === 'object' && 'url' in value ? passwordOf(value.url) : [];
  });
}

function passwordOf(address: string): readonly string[] {
  if (!URL.canParse(address)) return [];
  const url = new URL(address);
  // As it was written, too: URL encodes what need not be, and leaves what is encoded.
  const written = /^[^:]+:\/\/[^:/?#]*:([^/?#]*)@/.exec(address)?.[1];
  return [url.password, written, url.searchParams.get('password')].filter((secret) => secret != null);
}

function spellings(secret: string): readonly string[] {
  const plain = decode(secret);
  const texts = [secret, plain, encodeURIComponent(plain), encodeURIComponent(secret)];
  return [...texts, ...texts.map((one) => JSON.stringify(one).slice(1, -1))].filter(
    (one) => one.length >= SECRET_LENGTH_MIN,
  );
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
