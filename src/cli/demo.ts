/** The play of `demo`: four scenes, each with the row as the warehouse and the source hold it before and after. */
import type { ClientRow } from '../simulator/row.ts';
import type { Simulator } from '../simulator/simulator.ts';
import type { CommandContext } from './command.ts';
import { plural } from './summary.ts';

/** What of a client is shown: the column, and the field at the source. */
const SHOWN = [
  ['first_name', 'firstName'],
  ['last_name', 'lastName'],
  ['mobile_phone', 'mobilePhone'],
  ['fico', 'fico'],
] as const;

type Row = Readonly<Record<string, unknown>>;

interface Stage {
  readonly context: CommandContext;
  readonly simulator: Simulator;
  say(text: string): void;
  /** Any user's connection: plain SQL on the file. */
  sql(text: string): Row[];
}

/** @param database path of the SQLite file that `context.config` names. */
export async function playDemo(
  context: CommandContext,
  simulator: Simulator,
  database: string,
): Promise<void> {
  const { withEngine } = await import('../app.ts');
  const { runSync } = await import('../sync.ts');
  const { default: Database } = await import('better-sqlite3');
  const say = (text: string): void => context.stdout.write(`${text}\n`);
  const sync = () => withEngine(context, runSync);

  say(
    `A Clients API with ${plural(simulator.source.size, 'client')} runs at ${simulator.url} (the bundled simulator).`,
  );
  say(`\n1. clients-mirror sync: the first one mirrors every client into ${database}`);
  const first = await sync();
  say(`   ${plural(first.written, 'client')} in ${plural(first.requests, 'request')}`);

  const db = new Database(database);
  const sql = (text: string): Row[] => {
    const statement = db.prepare(text);
    if (statement.reader) return statement.all() as Row[];
    statement.run();
    return [];
  };
  try {
    const stage = { context, simulator, say, sql };
    const id = String(simulator.source.someId());
    await remoteChange(stage, id, sync);
    await localEdit(stage, id, sync);
    await conflict(stage, id, sync);
  } finally {
    db.close();
  }
  say(`\nLook around: sqlite3 ${database} "SELECT first_name, last_name, fico FROM clients LIMIT 5"`);
}

type Sync = () => Promise<unknown>;

async function remoteChange(stage: Stage, id: string, sync: Sync): Promise<void> {
  stage.say('\n2. Somebody changes a client at the source: fico 777. Then clients-mirror sync');
  stage.simulator.source.update(id, { fico: 777 });
  const before = stage.sql(`SELECT * FROM clients WHERE id = '${id}'`);
  await sync();
  showRows(stage, id, before);
}

async function localEdit(stage: Stage, id: string, sync: Sync): Promise<void> {
  const update = `UPDATE clients SET mobile_phone = '(555) 010-0199' WHERE id = '${id}'`;
  stage.say(
    `\n3. You correct a client in the warehouse, in any SQL tool:\n   ${update}\n   Then clients-mirror sync`,
  );
  const before = stage.sql(`SELECT * FROM clients WHERE id = '${id}'`);
  stage.sql(update);
  await sync();
  showRows(stage, id, before);
}

async function conflict(stage: Stage, id: string, sync: Sync): Promise<void> {
  stage.say(
    '\n4. Both sides change the same field: last_name is Here in the warehouse, There at the source.',
  );
  stage.say('   Then clients-mirror sync. MIRROR_CONFLICTS=remote: the source wins, and nothing is lost');
  const before = stage.sql(`SELECT * FROM clients WHERE id = '${id}'`);
  stage.sql(`UPDATE clients SET last_name = 'Here' WHERE id = '${id}'`);
  stage.simulator.source.update(id, { lastName: 'There' });
  await sync();
  showRows(stage, id, before);
  stage.say(
    '\n   mirror_conflicts keeps the losing value; `clients-mirror conflicts resolve` would bring it back:',
  );
  for (const row of stage.sql('SELECT field, base, local, remote, resolution FROM mirror_conflicts')) {
    stage.say(
      `   ${Object.entries(row)
        .map(([name, value]) => `${name} ${value}`)
        .join(', ')}`,
    );
  }
}

/** The row before and after, and the client at the source. */
function showRows(stage: Stage, id: string, [before = {}]: readonly Row[]): void {
  const [after = {}] = stage.sql(`SELECT * FROM clients WHERE id = '${id}'`);
  const source = (stage.simulator.source.get(id) ?? {}) as Partial<ClientRow>;
  const line = (cells: readonly unknown[]): string =>
    `   ${cells
      .map((cell) => String(cell ?? 'NULL').padEnd(18))
      .join('')
      .trimEnd()}`;
  stage.say(line(['', 'warehouse before', 'warehouse after', 'source after']));
  for (const [column, field] of SHOWN) {
    stage.say(line([column, before[column], after[column], source[field]]));
  }
}
