/** The contract on SQLite. What only SQLite has is in test/warehouse/sqlite. */

import { makeSqlite } from '../support/sqlite.ts';
import { describeWarehouse } from './warehouse.ts';

describeWarehouse('sqlite', makeSqlite);
