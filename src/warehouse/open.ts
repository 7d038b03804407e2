/** Opens the warehouse that a URL names. A driver is loaded only when it is used. */
import type { Clock } from '../clock.ts';
import { SyncError } from '../errors.ts';
import type { Warehouse } from './warehouse.ts';

export interface OpenOptions {
  /** `sqlite:PATH`, or `postgres://…`. */
  readonly url: string;
  /** Postgres schema; SQLite has none. */
  readonly schema: string;
  readonly clock: Clock;
  /** Names this process in a lease (see holder.ts); a test gives its own. */
  readonly holder?: string;
  /** How long a statement waits for another's lock, in milliseconds. */
  readonly lockTimeoutMs?: number;
  /** For tests: hears of each step of a migration, and may end the process there. */
  readonly onStep?: ((name: string) => Promise<void>) | undefined;
}

/**
 * Opens the warehouse, creates or migrates its schema, and answers the port.
 * @throws SyncError WAREHOUSE_* when it cannot be reached or is not ours, SCHEMA_NEWER, SETTINGS for a bad URL.
 */
export async function openWarehouse(options: OpenOptions): Promise<Warehouse> {
  const scheme = /^([a-z]+):/i.exec(options.url)?.[1]?.toLowerCase();
  if (scheme === 'sqlite') return (await import('./sqlite/sqlite.ts')).openSqlite(options);
  if (scheme === 'postgres' || scheme === 'postgresql') {
    return (await import('./postgres/postgres.ts')).openPostgres(options);
  }
  throw new SyncError('SETTINGS', 'WAREHOUSE_URL must begin with sqlite: or postgres://');
}
