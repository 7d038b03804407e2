/**
 * THE table of commands, in the order of the help. The command line, the help and the completion scripts are
 * made from it: a new command is a file in commands/ and a line here.
 */
import type { Command } from './command.ts';
import { apiCreate, apiDelete, apiGet, apiList, apiReplace, apiUpdate } from './commands/api.ts';
import { backfillCommand } from './commands/backfill.ts';
import { completionCommand } from './commands/completion.ts';
import { conflictsList, conflictsResolve } from './commands/conflicts.ts';
import { demoCommand } from './commands/demo.ts';
import { doctorCommand } from './commands/doctor.ts';
import { editsDiscard, editsList, editsRetry } from './commands/edits.ts';
import { explainCommand } from './commands/explain.ts';
import { pushCommand } from './commands/push.ts';
import { quarantineList, quarantineRetry } from './commands/quarantine.ts';
import { reconcileCommand } from './commands/reconcile.ts';
import { simulateCommand } from './commands/simulate.ts';
import { statusCommand } from './commands/status.ts';
import { pullCommand, syncCommand } from './commands/sync.ts';
import { tombstonesList, tombstonesPurge, tombstonesRecheck } from './commands/tombstones.ts';
import { workerCommand } from './commands/worker.ts';

export const COMMANDS: readonly Command[] = [
  backfillCommand,
  syncCommand,
  pullCommand,
  pushCommand,
  reconcileCommand,
  workerCommand,
  statusCommand,
  conflictsList,
  conflictsResolve,
  quarantineList,
  quarantineRetry,
  editsList,
  editsRetry,
  editsDiscard,
  tombstonesList,
  tombstonesRecheck,
  tombstonesPurge,
  explainCommand,
  apiList,
  apiGet,
  apiCreate,
  apiReplace,
  apiUpdate,
  apiDelete,
  doctorCommand,
  simulateCommand,
  demoCommand,
  completionCommand(() => ({ commands: COMMANDS, groups: GROUPS })),
];

/** What a group of commands does. */
export const GROUPS: Readonly<Record<string, string>> = {
  api: 'one direct call of each endpoint of the Clients API',
  conflicts: 'edits that met a remote change of the same field',
  quarantine: 'rows from the API that could not be mirrored',
  edits: 'local edits: pending, in flight, failed for good',
  tombstones: 'clients deleted at the source',
};
