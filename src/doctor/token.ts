/**
 * Is there a token, is it a JWT, and how long is it good? The signature is the API's affair. Never quotes any
 * part of the token.
 */
import { readFile } from 'node:fs/promises';
import type { Config } from '../../config/settings.ts';
import { fault, type Outcome, ok, warning } from './finding.ts';

const HOUR_MS = 3_600_000;

/** @returns null when none is set. @throws the system's error when the file cannot be read. */
export async function readToken(config: Config): Promise<string | null> {
  if (config.apiTokenFile === null) return config.apiToken;
  return (await readFile(config.apiTokenFile, 'utf8')).trim();
}

export async function checkToken(config: Config, nowMs: number): Promise<Outcome> {
  const where = config.apiTokenFile === null ? 'CLIENTS_API_TOKEN' : `the file ${config.apiTokenFile}`;
  let token: string | null;
  try {
    token = await readToken(config);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return fault(
      `${where} cannot be read (${code})`,
      'Check CLIENTS_API_TOKEN_FILE and who may read the file.',
    );
  }
  if (token === null) return fault('no token is set', 'Set CLIENTS_API_TOKEN or CLIENTS_API_TOKEN_FILE.');
  if (token === '') return fault(`${where} is empty`, 'Put the token into it.');
  const claims = decodeClaims(token);
  if (claims === null) {
    return warning(`${where} holds no JWT`, 'Copy the token anew, unless the API takes another kind.');
  }
  return checkExpiry(where, claims, nowMs);
}

function checkExpiry(where: string, claims: Readonly<Record<string, unknown>>, nowMs: number): Outcome {
  const renew = `Renew ${where}.`;
  if (typeof claims.nbf === 'number' && claims.nbf * 1000 > nowMs + 60_000) {
    return warning('the token is not valid yet', "Check this machine's clock, or wait.");
  }
  if (typeof claims.exp !== 'number') return ok('a JWT without an end');
  const leftMs = claims.exp * 1000 - nowMs;
  const end = Number.isFinite(leftMs) && Math.abs(leftMs) < 1e14 ? ageText(Math.abs(leftMs)) : 'an age';
  if (leftMs <= 0) return fault(`the token expired ${end} ago`, renew);
  if (leftMs < HOUR_MS) return warning(`the token expires in ${end}`, renew);
  return ok(`a JWT, good for ${end}`);
}

/** The claims of a JWT; null when it is none. */
function decodeClaims(token: string): Readonly<Record<string, unknown>> | null {
  const parts = token.split('.');
  if (parts.length !== 3) return null;
  try {
    const claims: unknown = JSON.parse(Buffer.from(parts[1] ?? '', 'base64url').toString('utf8'));
    return typeof claims === 'object' && claims !== null ? (claims as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function ageText(ms: number): string {
  if (ms < HOUR_MS) return `${Math.max(1, Math.round(ms / 60_000))} min`;
  return ms < 48 * HOUR_MS ? `${Math.floor(ms / HOUR_MS)} h` : `${Math.floor(ms / (24 * HOUR_MS))} days`;
}
