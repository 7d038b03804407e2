/** Does Redis answer? A PING over a plain socket: the worker's client would wait and try again for ever. */

import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { withoutPassword } from '../../config/addresses.ts';
import { withTimeLimit } from '../abort.ts';
import { fault, type Outcome, ok, skipped } from './finding.ts';

const PING_TIMEOUT_MS = 3000;
const ANSWER_BYTES_MAX = 4096;

/** @param isDefault nobody asked for Redis: without one all but the worker is well. */
export async function checkRedis(url: string, isDefault: boolean, signal: AbortSignal): Promise<Outcome> {
  const where = withoutPassword(url);
  const answer = await ping(new URL(url), signal);
  if (answer === 'PONG') return ok(`${where} answers`);
  if (isDefault) return skipped(`none at ${where}; only worker and backfill --enqueue need one`);
  return fault(
    `${where}: ${answer}`,
    'Start Redis, or correct REDIS_URL. Only worker and backfill --enqueue need it.',
  );
}

/** @returns `PONG`, or in words why not. */
async function ping(url: URL, signal: AbortSignal): Promise<string> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port || 6379);
  const socket =
    url.protocol === 'rediss:' ? tls.connect({ host, port, servername: host }) : net.connect({ host, port });
  // Whoever waits hears of an error; between two waits nobody does.
  socket.on('error', () => undefined);
  try {
    return await withTimeLimit(PING_TIMEOUT_MS, signal, async (limit) => {
      await once(socket, url.protocol === 'rediss:' ? 'secureConnect' : 'connect', { signal: limit });
      socket.write(commandsOf(url));
      return await readAnswer(socket, limit);
    });
  } catch (error) {
    signal.throwIfAborted();
    const { name, code } = error as NodeJS.ErrnoException;
    if (name === 'AbortError') return `no answer within ${PING_TIMEOUT_MS / 1000} s`;
    return code ?? 'no answer';
  } finally {
    socket.destroy();
  }
}

function commandsOf(url: URL): string {
  const password = decodeURIComponent(url.password);
  const user = decodeURIComponent(url.username);
  const login = password === '' ? '' : encode(['AUTH', ...(user === '' ? [] : [user]), password]);
  return login + encode(['PING']);
}

function encode(words: readonly string[]): string {
  const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return `*${words.length}\r\n${parts.join('')}`;
}

async function readAnswer(socket: net.Socket, limit: AbortSignal): Promise<string> {
  let text = '';
  while (text.length < ANSWER_BYTES_MAX) {
    const [chunk] = (await Promise.race([
      once(socket, 'data', { signal: limit }),
      once(socket, 'close', { signal: limit }).then(() => [null]),
    ])) as [Buffer | null];
    if (chunk === null) return 'it closed the connection';
    text += chunk.toString('utf8');
    if (text.includes('+PONG\r\n')) return 'PONG';
    const error = /^-(.*)\r\n/m.exec(text)?.[1];
    if (error !== undefined) return error;
  }
  return 'it is no Redis';
}
