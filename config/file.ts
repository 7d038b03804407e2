/**
 * The file given with --config: `KEY=VALUE` lines as `.env` files have them. `#` begins a comment at the start
 * of a line or after a space; `export` before the key is allowed; a value in '…' is taken as it is, in "…" the
 * escapes \n \t \\ \" \$ are read. Nothing is expanded: a settings file is data, not a script.
 */

export interface SettingsFile {
  /** As messages name it. */
  readonly path: string;
  readonly text: string;
}

interface FileEntry {
  readonly text: string;
  /** `clients.env line 3` */
  readonly where: string;
}

export interface ParsedFile {
  readonly entries: ReadonlyMap<string, FileEntry>;
  /** A line for each line that cannot be read. Never quotes it: it may hold a secret. */
  readonly problems: readonly string[];
}

const LINE = /^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*([^\r]*)$/;
const QUOTED = /^(?:'([^']*)'|"((?:[^"\\]|\\.)*)")\s*(?:#.*)?$/s;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t' };

export function parseSettingsFile(file: SettingsFile): ParsedFile {
  const entries = new Map<string, FileEntry>();
  const problems: string[] = [];
  for (const [index, raw] of file.text
    .replace(/^\uFEFF/, '')
    .split(/\r\n?|\n/)
    .entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const where = `${file.path} line ${index + 1}`;
    const [, key, rest] = LINE.exec(line) ?? [];
    const text = rest === undefined ? null : readQuoted(rest);
    if (key === undefined) problems.push(`${where} is not KEY=VALUE`);
    else if (text === null) problems.push(`${where}: the quotes around the value of ${key} do not close`);
    else if (entries.has(key))
      problems.push(`${where}: ${key} was set already in ${entries.get(key)?.where}`);
    else entries.set(key, { text, where });
  }
  return { entries, problems };
}

/** @returns null when a quote does not close. */
function readQuoted(rest: string): string | null {
  if (!/^['"]/.test(rest)) return rest.replace(/(?:^|\s)#.*$/s, '').trimEnd();
  const parts = QUOTED.exec(rest);
  if (parts === null) return null;
  return parts[1] ?? (parts[2] ?? '').replace(/\\(.)/gs, (_, letter: string) => ESCAPES[letter] ?? letter);
}
