/** The body of a write as a user gives it: `--data JSON`, `--data @FILE` or `--data -`. */
import { readFileSync } from 'node:fs';
import type { Body } from '../api/api.ts';
import { SyncError } from '../errors.ts';

/** @throws SyncError USAGE when it is missing, cannot be read or is not a JSON object. */
export async function readBody(data: string | undefined, readStdin: () => Promise<string>): Promise<Body> {
  if (data === undefined) throw usage('--data is missing: give JSON, @FILE, or - for standard input');
  if (data === '-') return parseBody(await readStdin(), 'standard input');
  if (!data.startsWith('@')) return parseBody(data, '--data');
  return parseBody(readFile(data.slice(1)), data.slice(1));
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw usage(`--data: ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

function parseBody(json: string, where: string): Body {
  let value: unknown;
  try {
    value = JSON.parse(json.replace(/^\uFEFF/, ''));
  } catch {
    // The parser's own message quotes the text, which may hold what nobody else should read.
    throw usage(`${where} is not JSON`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Body;
  throw usage(`${where} must be a JSON object such as {"email": "ann@example.com"}`);
}

function usage(message: string): SyncError {
  return new SyncError('USAGE', message, { hint: '' });
}
