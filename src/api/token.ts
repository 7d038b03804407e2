/**
 * Where the bearer token comes from. A run of hours outlives its token, so nobody holds one: each request
 * asks for the current one, the file is read again when it changes, and after a 401 whatever its time says.
 * Neither a message nor an error here ever quotes it.
 */
import { promises as files } from 'node:fs';
import { type Clock, systemClock } from '../clock.ts';
import { SyncError } from '../errors.ts';

export interface TokenSource {
  /** The token to send now, without `Bearer `. @throws SyncError SETTINGS when there is none. */
  current(): Promise<string>;
  /** After a 401: reads the file again, one read for all who ask at once. Answers whether the token changed. */
  reread(): Promise<boolean>;
}

export type TokenOrigin = { readonly token: string } | { readonly file: string };

/** A changed file is noticed after at most this long. */
const LOOK_EVERY_MS = 1000;

export function createTokenSource(origin: TokenOrigin, clock: Clock = systemClock): TokenSource {
  if ('token' in origin) {
    const token = clean(origin.token, 'CLIENTS_API_TOKEN');
    return { current: async () => token, reread: async () => false };
  }
  return createFileSource(origin.file, clock);
}

function createFileSource(file: string, clock: Clock): TokenSource {
  let token: string | null = null;
  let mark = '';
  let lookedAt = Number.NEGATIVE_INFINITY;
  let looking: Promise<void> | null = null;
  let rereading: Promise<boolean> | null = null;

  async function look(always: boolean): Promise<void> {
    try {
      const seen = await files.stat(file);
      const markNow = `${seen.ino}:${seen.size}:${seen.mtimeMs}`;
      if (token !== null && !always && markNow === mark) return;
      token = clean(await files.readFile(file, 'utf8'), file);
      mark = markNow;
    } catch (error) {
      // Whoever renews the file may empty it for an instant. The old token stays good until a 401 says no.
      if (token === null) throw unreadable(error, file);
    } finally {
      lookedAt = clock.now();
    }
  }

  function lookOnce(always: boolean): Promise<void> {
    looking ??= look(always).finally(() => {
      looking = null;
    });
    return looking;
  }

  async function readAnew(): Promise<boolean> {
    const before = token;
    // A look under way may have read the file before it changed.
    if (looking !== null) await looking.catch(() => undefined);
    await lookOnce(true);
    return token !== before;
  }

  return {
    async current() {
      const age = clock.now() - lookedAt;
      // A clock that was set back must not stop the looking.
      if (token === null || age >= LOOK_EVERY_MS || age < 0) await lookOnce(false);
      if (token === null) throw new SyncError('SETTINGS', `${file} holds no token`);
      return token;
    },
    reread() {
      rereading ??= readAnew().finally(() => {
        rereading = null;
      });
      return rereading;
    },
  };
}

function clean(text: string, where: string): string {
  const token = text.trim().replace(/^bearer\s+/i, '');
  if (token === '' || /^bearer$/i.test(token)) {
    throw new SyncError('SETTINGS', `${where} is empty: it must hold the token`);
  }
  // Anything else could not travel in a header, and would fail later with a worse message.
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new SyncError('SETTINGS', `${where} holds characters that no token has (a line break, a space)`);
  }
  return token;
}

function unreadable(error: unknown, file: string): SyncError {
  if (error instanceof SyncError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file',
    EACCES: 'no right to read it',
    EISDIR: 'it is a directory',
  };
  return new SyncError('SETTINGS', `token file ${file}: ${reasons[code] ?? code}`);
}
