import { afterAll, beforeAll } from 'vitest';
import { describePostgres } from '../support/postgresWarehouse.ts';
import { describeWarehouse } from './warehouse.ts';

const postgres = describePostgres();
beforeAll(postgres.begin);
afterAll(postgres.end);

describeWarehouse('postgres', postgres.make);
