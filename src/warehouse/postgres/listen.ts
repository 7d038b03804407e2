/**
 * Hears of local edits as they are committed (NOTIFY), so that a push need not wait for its next look. A connection
 * of its own, which a pooler in transaction mode cannot give; while it is down the regular look does the work.
 */
import pg from 'pg';
import { createLinkedAbort } from '../../abort.ts';
import type { Clock } from '../../clock.ts';
import { editsChannel } from './triggers.ts';
import { quoteName } from './values.ts';

const RECONNECT_MS = 5_000;
const CONNECT_TIMEOUT_MS = 10_000;

export interface ListenOptions {
  readonly url: string;
  readonly schema: string;
  readonly clock: Clock;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Called for each edit, and once whenever listening began: something may have been said before. */
  readonly onEdit: () => void;
  /** Called when listening failed for the first time, and again when it works. */
  readonly onState: (reason: string | null) => void;
}

/** Listens until the signal is aborted; never throws. */
export async function listenForEdits(options: ListenOptions): Promise<void> {
  const { clock, signal } = options;
  let isDown = false;
  const tell = (reason: string | null): void => {
    if (isDown !== (reason !== null)) options.onState(reason);
    isDown = reason !== null;
  };
  while (!signal.aborted) {
    const reason = await listenOnce(options, () => tell(null));
    if (signal.aborted) return;
    tell(reason);
    await clock.sleep(RECONNECT_MS, signal).catch(() => undefined);
  }
}

/** @returns why the connection ended. */
async function listenOnce(options: ListenOptions, onUp: () => void): Promise<string> {
  const { url, schema, signal, onEdit } = options;
  let client: pg.Client;
  try {
    client = new pg.Client({
      connectionString: url,
      keepAlive: true,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      fallback_application_name: 'clients-mirror listen',
    });
  } catch {
    // The error may quote the URL, and with it the password.
    return 'the URL for LISTEN is not readable';
  }
  const ended = new Promise<string>((resolve) => {
    client.on('error', (error) => resolve(error.message));
    client.on('end', () => resolve('the connection was closed'));
  });
  client.on('notification', onEdit);
  const hear = async (): Promise<string> => {
    await client.connect();
    await client.query(`LISTEN ${quoteName(editsChannel(schema))}`);
    onUp();
    onEdit();
    return await ended;
  };
  // Of this connection only: the worker's signal outlives a month of them.
  const stop = createLinkedAbort(signal);
  const stopped = new Promise<string>((resolve) => {
    stop.signal.addEventListener('abort', () => resolve('stopped'), { once: true });
  });
  try {
    return await Promise.race([hear(), stopped]);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    stop.close();
    // Not waited for: a server that answers no more would keep the worker from draining its jobs.
    void client.end().catch(() => undefined);
  }
}
