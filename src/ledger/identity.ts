/**
 * A name of its own for each warehouse, made once and kept in it. Queues are named by it, so that the workers of
 * two mirrors can share one Redis, and those of one mirror meet under whatever address each knows it by.
 */
import { randomUUID } from 'node:crypto';
import { statement, type Warehouse } from '../warehouse/warehouse.ts';

export async function readIdentity(warehouse: Warehouse): Promise<string> {
  const query = { sql: "SELECT value FROM mirror_settings WHERE name = 'identity'", params: [] };
  const [found] = await warehouse.read(query);
  if (found !== undefined) return String(found.value);
  const insert =
    "INSERT INTO mirror_settings (name, value) VALUES ('identity', ?) ON CONFLICT (name) DO NOTHING";
  await warehouse.commit([statement(insert, [randomUUID()])]);
  // Another process may have been first.
  const [made] = await warehouse.read(query);
  return String(made?.value);
}
