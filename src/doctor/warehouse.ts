/** Does the warehouse open, is its schema ours, and can we write? */
import { access, constants, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Config } from '../../config/settings.ts';
import type { Warehouse } from '../warehouse/warehouse.ts';
import { fault, type Outcome, ok } from './finding.ts';

const LEASE_TTL_MS = 5000;

/** Creates or migrates the schema, as every command does. */
export type OpenWarehouse = () => Promise<Warehouse>;

export async function checkWarehouse(config: Config, open: OpenWarehouse): Promise<Outcome> {
  const { warehouse: target } = config;
  // A look must not leave a database where a mistyped path points.
  if (target.kind === 'sqlite' && !(await exists(target.path))) return await checkFolder(target.path);
  const warehouse = await open();
  try {
    const [row] = await warehouse.read({
      sql: 'SELECT max(number) AS version FROM mirror_migrations',
      params: [],
    });
    const lease = await warehouse.acquireLease('doctor', LEASE_TTL_MS);
    if (lease !== null) await warehouse.releaseLease(lease);
    return ok(`${warehouse.label} opens and can be written, schema ${String(row?.version)}`);
  } finally {
    await warehouse.close();
  }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  );
}

/** The nearest folder there is must let us make the rest. */
async function checkFolder(path: string): Promise<Outcome> {
  let folder = dirname(resolve(path));
  while (!(await exists(folder))) folder = dirname(folder);
  try {
    await access(folder, constants.W_OK | constants.X_OK);
    return ok(`${path} is not there yet: the first backfill will make it`);
  } catch {
    return fault(
      `${path} cannot be made: ${folder} cannot be written`,
      'Give the user that runs clients-mirror the right to write there, or name another path in WAREHOUSE_URL.',
    );
  }
}
