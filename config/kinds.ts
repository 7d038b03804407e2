/**
 * The kinds of values that a setting or an option of the command line can have. A kind turns text into a
 * value or into the problem in words; the words tell the user what would have been right. Pure.
 */
import { EXCLUDED_ONLY_READING, FIELDS, fieldByName, NEVER_EXCLUDED } from '../src/clients/fields.ts';
import { parseUuid } from '../src/clients/uuid.ts';
import { nearest } from './nearest.ts';

/** Why a text is not a value, as the end of a sentence that begins with the variable's name. */
export interface Problem {
  readonly problem: string;
}

export interface Kind<T> {
  /** What fits, in words: `a whole number from 2 to 50000`. */
  readonly words: string;
  /** How the help calls the value: `--page-size N`. */
  readonly placeholder: string;
  /** All values there are, where they can be counted: for help and completion. */
  readonly choices?: readonly string[];
  /** Does it name a file? Completion offers files then. */
  readonly isFile?: boolean;
  /** Gets trimmed text. Never quotes the text: it may be a secret. */
  parse(text: string): T | Problem;
}

export function isProblem(value: unknown): value is Problem {
  return typeof value === 'object' && value !== null && 'problem' in value;
}

/** Any text. */
export const text: Kind<string> = { words: 'text', placeholder: 'TEXT', parse: (value) => value };

/** The path of a file. */
export const file: Kind<string> = {
  words: 'the path of a file',
  placeholder: 'FILE',
  isFile: true,
  parse: (value) => value,
};

/** A whole number from `min` to `max`. */
export function int(min: number, max: number): Kind<number> {
  const words = `a whole number from ${min} to ${max}`;
  return {
    words,
    placeholder: 'N',
    parse(value) {
      const number = /^[+-]?\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
      return number >= min && number <= max ? number : { problem: `must be ${words}` };
    },
  };
}

/** A part of a whole, from 0 to 1. */
export const share: Kind<number> = {
  words: 'a number from 0 to 1',
  placeholder: 'SHARE',
  parse(value) {
    const number = /^(\d+\.?\d*|\.\d+)$/.test(value) ? Number(value) : Number.NaN;
    return number >= 0 && number <= 1 ? number : { problem: 'must be a number from 0 to 1' };
  },
};

const SECONDS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 };

/** Seconds as a plain number, or with a unit: `90`, `90s`, `5m`, `2h`, `1d`. */
export function duration(minSeconds: number, maxSeconds: number): Kind<number> {
  const words = `seconds from ${minSeconds} to ${maxSeconds} (or with a unit: 90s, 5m, 2h)`;
  return {
    words,
    placeholder: 'SECONDS',
    parse(value) {
      const parts = /^(\d{1,9})\s*([smhd]?)$/.exec(value);
      const seconds = Number(parts?.[1]) * (SECONDS[parts?.[2] ?? ''] ?? Number.NaN);
      return seconds >= minSeconds && seconds <= maxSeconds ? seconds : { problem: `must be ${words}` };
    },
  };
}

/** One of a few words. */
export function oneOf<const C extends string>(...choices: readonly C[]): Kind<C> {
  const words = `${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`;
  return {
    words,
    placeholder: choices.join('|'),
    choices,
    parse(value) {
      const found = choices.find((choice) => choice === value.toLowerCase());
      return found ?? { problem: `must be ${words}` };
    },
  };
}

const YES = ['true', '1', 'yes', 'on'];
const NO = ['false', '0', 'no', 'off'];

/** true or false; the usual spellings are understood. */
export const boolean: Kind<boolean> = {
  words: 'true or false',
  placeholder: 'true|false',
  choices: ['true', 'false'],
  parse(value) {
    if (YES.includes(value.toLowerCase())) return true;
    return NO.includes(value.toLowerCase()) ? false : { problem: 'must be true or false' };
  },
};

/** A uuid, in lower case. */
export const uuid: Kind<string> = {
  words: 'a uuid',
  placeholder: 'UUID',
  parse: (value) =>
    parseUuid(value) ?? { problem: 'must be a uuid such as 3f2504e0-4f89-41d3-9a0c-0305e82c3301' },
};

/** A name that Postgres takes for a schema. */
export const identifier: Kind<string> = {
  words: 'a name of letters, digits and _',
  placeholder: 'NAME',
  parse: (value) =>
    /^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(value) && !/^pg_/i.test(value)
      ? value
      : { problem: 'must be a name of letters, digits and _, at most 63, and not begin with pg_' },
};

/** A secret that goes into an Authorization header: one word of visible ASCII. */
export const bearer: Kind<string> = {
  words: 'a token',
  placeholder: 'TOKEN',
  parse(value) {
    if (/^bearer\s/i.test(value)) return { problem: 'must be the token alone: leave out the word Bearer' };
    return /^[\x21-\x7e]+$/.test(value)
      ? value
      : { problem: 'holds a space or a character that no token has: copy it anew, as one word' };
  },
};

/** API names of fields to leave out, also undocumented ones, separated by commas; an empty text means none. */
export const excludedFields: Kind<readonly string[]> = {
  words: 'names of fields, separated by commas',
  placeholder: 'FIELDS',
  parse(value) {
    const names = value.split(',').map((name) => name.trim());
    const given = [...new Set(names.filter((name) => name !== ''))];
    for (const name of given) {
      if (NEVER_EXCLUDED.includes(name)) {
        return { problem: `cannot leave out ${name}: no row could be placed or compared without it` };
      }
      const problem = fieldByName(name) === undefined ? misnamed(name) : null;
      if (problem !== null) return { problem };
    }
    return given;
  },
};

/** Fields of a list that only a mirror that sends nothing can do without. */
export function neededForPush(excluded: readonly string[]): readonly string[] {
  return excluded.filter((name) => EXCLUDED_ONLY_READING.includes(name));
}

/** A source may have fields that the reference does not list, so only what looks like a slip is refused. */
function misnamed(name: string): string | null {
  if (!/^[A-Za-z_]\w*$/.test(name)) return 'must hold names of letters, digits and _, separated by commas';
  const byColumn = FIELDS.find((field) => field.column === name)?.name;
  const names = FIELDS.map((field) => field.name);
  const meant = byColumn ?? nearest(name, names);
  return meant === undefined
    ? null
    : `names the field ${name}, which clients do not have; did you mean ${meant}?`;
}
