/**
 * THE contract of a warehouse: what the port promises and what the triggers do for a user, once for both
 * databases. A driver's test file calls `describeWarehouse` with what makes one of its kind. SQL of users is
 * written so that both databases take it.
 */
import type { Warehouse } from '../../src/warehouse/warehouse.ts';

export interface UserConnection {
  /** One statement, as a user types it; rows of a SELECT or RETURNING. Rejects with the database's own error. */
  run(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  close(): Promise<void>;
}

/** One database of its own, thrown away afterwards. */
export interface TestWarehouse {
  /** Opens it, once more each time. The test closes what it opened. */
  open(): Promise<Warehouse>;
  userConnection(): Promise<UserConnection>;
  dispose(): Promise<void>;
}

export type MakeWarehouse = () => Promise<TestWarehouse>;

export function describeWarehouse(_name: string, _make: MakeWarehouse): void {}
