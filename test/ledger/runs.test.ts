/** The book of runs does not grow over the months. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { instantFromMs } from '../../src/clients/instant.ts';
import { finishRun, pruneRuns, startRun } from '../../src/ledger/runs.ts';
import type { StatementResult, Warehouse } from '../../src/warehouse/warehouse.ts';
import type { TestWarehouse } from '../contract/warehouse.ts';
import { makeSqlite } from '../support/sqlite.ts';

const DAY_MS = 86_400_000;
const KEEP_DAYS = 30;

let test: TestWarehouse;
let warehouse: Warehouse;
beforeEach(async () => {
  test = await makeSqlite();
  warehouse = await test.open();
});
afterEach(async () => {
  await warehouse.close();
  await test.dispose();
});

describe('pruneRuns', () => {
  it('keeps the runs of so many days, also where each day a process is killed', async () => {
    for (let day = 0; day < 120; day += 1) {
      const at = instantFromMs(day * DAY_MS);
      const before = instantFromMs((day - KEEP_DAYS) * DAY_MS);
      // Killed: nobody ends it.
      await warehouse.commit([startRun('push', at)]);
      const [started] = (await warehouse.commit([startRun('push', at)])) as StatementResult[];
      const run = { id: Number(started?.rows[0]?.id), kind: 'push' } as const;
      const outcome = { state: 'done', rows: 1, written: 1, requests: 1, error: null } as const;
      await warehouse.commit([...finishRun(run, outcome, at), pruneRuns(before)]);
    }
    const [row] = await warehouse.read({ sql: 'SELECT count(*) AS n FROM mirror_runs', params: [] });
    expect(Number(row?.n)).toBe(2 * (KEEP_DAYS + 1));
  });
});
