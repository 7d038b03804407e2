/** All migrations, in order. Append a new one; never edit, reorder or remove one that shipped. */
import { initial } from './001-initial.ts';
import { editedRows } from './002-edited-rows.ts';
import { sweeps } from './003-sweeps.ts';
import { latenessAndDrift } from './004-lateness-and-drift.ts';
import { sweepIndex } from './005-sweep-index.ts';
import { capture } from './006-capture.ts';
import { ownWrites } from './007-own-writes.ts';
import type { Migration } from './migration.ts';

export const MIGRATIONS: readonly Migration[] = [
  initial,
  editedRows,
  sweeps,
  latenessAndDrift,
  sweepIndex,
  capture,
  ownWrites,
];
