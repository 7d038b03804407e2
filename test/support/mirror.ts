/**
 * A whole mirror for a story: the simulator in this process, a warehouse of its own, and the program as child
 * processes (or here). `differences` is the judge: what the warehouse holds against what the source holds, field by field.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { FIELDS } from '../../src/clients/fields.ts';
import { isRejected, parseRow } from '../../src/clients/record.ts';
import { systemClock } from '../../src/clock.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../src/simulator/simulator.ts';
import { openWarehouse } from '../../src/warehouse/open.ts';
import type { SqlValue, Warehouse } from '../../src/warehouse/warehouse.ts';
import { type CliResult, type RunningCli, startCli } from './cli.ts';
import { runHere } from './here.ts';
import { createTestDatabase } from './postgres.ts';

export const ENGINES = ['sqlite', 'postgres'] as const;
export type EngineName = (typeof ENGINES)[number];

export interface Mirror {
  readonly simulator: Simulator;
  readonly warehouseUrl: string;
  /** Settings as the program gets them. */
  readonly env: Readonly<Record<string, string>>;
  /** A folder of its own, where the program runs. */
  readonly folder: string;
  start(args: readonly string[], env?: Readonly<Record<string, string>>): RunningCli;
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<CliResult>;
  /** As run, and it must end with exit code 0. */
  ok(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<CliResult>;
  read(sql: string): Promise<readonly Readonly<Record<string, SqlValue>>[]>;
  /** What the mirror holds of live clients against the source, a line each; empty when they are equal. */
  differences(options?: { readonly ignoreExtra?: boolean }): Promise<string[]>;
  close(): Promise<void>;
}

/** @param runs where `run` and `ok` run: in a process of their own, or here, where that would prove no more. */
export async function startMirror(
  engine: EngineName,
  options: SimulatorOptions = {},
  runs: 'apart' | 'here' = 'apart',
): Promise<Mirror> {
  const simulator = await startSimulator({ logMax: 0, ...options });
  const folder = mkdtempSync(join(tmpdir(), 'clients-mirror-'));
  const database = engine === 'postgres' ? await createTestDatabase() : null;
  const warehouseUrl = database?.url ?? `sqlite:${join(folder, 'clients.db')}`;
  const env = {
    CLIENTS_API_URL: simulator.url,
    CLIENTS_API_TOKEN: simulator.token,
    WAREHOUSE_URL: warehouseUrl,
  };
  const start = (args: readonly string[], more: Readonly<Record<string, string>> = {}) =>
    startCli(args, { env: { ...env, ...more }, cwd: folder });
  const run = (args: readonly string[], more: Readonly<Record<string, string>> = {}) =>
    runs === 'here' ? runHere(args, { ...env, ...more }) : start(args, more).done;
  const withWarehouse = async <T>(work: (warehouse: Warehouse) => Promise<T>): Promise<T> => {
    const warehouse = await openWarehouse({ url: warehouseUrl, schema: 'public', clock: systemClock });
    try {
      return await work(warehouse);
    } finally {
      await warehouse.close();
    }
  };
  return {
    simulator,
    warehouseUrl,
    env,
    folder,
    start,
    run,
    async ok(args, more) {
      const result = await run(args, more);
      expect(result, `${args.join(' ')}: ${result.stderr}`).toMatchObject({ exit: 0, signal: null });
      return result;
    },
    read: (sql) => withWarehouse((warehouse) => warehouse.read({ sql, params: [] })),
    differences: (how = {}) => withWarehouse((warehouse) => differencesBetween(simulator, warehouse, how)),
    async close() {
      await simulator.close();
      await database?.drop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What is read of `clients`: every field but the secret one that is left out by default. */
const COMPARED = FIELDS.map((field, index) => ({ field, index })).filter(
  ({ field }) => field.name !== 'loginToken',
);

/** What a warehouse holds of live clients against the source, field by field, a line each. */
export async function differencesBetween(
  simulator: Simulator,
  warehouse: Warehouse,
  how: { readonly ignoreExtra?: boolean } = {},
): Promise<string[]> {
  const mirrored = await readMirrored(warehouse);
  const found: string[] = [];
  for (const row of simulator.source.all()) {
    const record = parseRow(row, { excluded: new Set(['loginToken']), acceptsNul: true });
    if (isRejected(record)) throw new Error(record.reason);
    const held = mirrored.get(record.id);
    mirrored.delete(record.id);
    if (held === undefined) {
      found.push(`${record.id} is missing`);
      continue;
    }
    for (const { field, index } of COMPARED) {
      if (held[index] !== record.values[index]) {
        found.push(`${record.id} ${field.name}: ${held[index]} is not ${record.values[index]}`);
      }
    }
  }
  if (how.ignoreExtra !== true) found.push(...[...mirrored.keys()].map((id) => `${id} is not at the source`));
  return found;
}

async function readMirrored(warehouse: Warehouse): Promise<Map<string, unknown[]>> {
  // The canonical stamps, and JSON as text, so that both databases answer alike.
  const columns = COMPARED.map(({ field }) => {
    if (warehouse.kind === 'sqlite') return field.column;
    if (field.type === 'instant') return `_${field.column} AS ${field.column}`;
    return field.type === 'json' ? `${field.column}::text AS ${field.column}` : field.column;
  });
  const sql = `SELECT ${columns.join(', ')} FROM clients WHERE _deleted_at IS NULL`;
  const rows = await warehouse.read({ sql, params: [] });
  return new Map(
    rows.map((row) => {
      const values: unknown[] = FIELDS.map(() => undefined);
      for (const { field, index } of COMPARED) values[index] = plain(field.type, row[field.column] ?? null);
      return [String(row.id), values];
    }),
  );
}

function plain(type: string, value: SqlValue): unknown {
  if (value === null) return null;
  if (type === 'boolean') return Boolean(value);
  if (type === 'json') return sorted(String(value));
  return value;
}

function sorted(json: string): string {
  const value = JSON.parse(json) as Record<string, unknown>;
  return JSON.stringify(Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))));
}
