/** A user of a mirror that runs as a whole program: a connection of their own to its database. */
import { Client } from 'pg';
import { TYPES } from '../../src/warehouse/postgres/values.ts';
import type { UserConnection } from '../contract/warehouse.ts';
import type { Mirror } from './mirror.ts';
import { connectAsUser } from './sqlite.ts';

export async function connectToMirror({
  warehouseUrl,
}: Pick<Mirror, 'warehouseUrl'>): Promise<UserConnection> {
  if (warehouseUrl.startsWith('sqlite:')) return connectAsUser(warehouseUrl.slice('sqlite:'.length));
  const client = new Client({ connectionString: warehouseUrl, types: TYPES });
  client.on('error', () => undefined);
  await client.connect();
  return {
    run: async (sql) => (await client.query(sql)).rows as Record<string, unknown>[],
    close: () => client.end(),
  };
}
