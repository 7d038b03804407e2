/**
 * People with plain SQL, and the book of what they did: an edit is entered when its statement was acknowledged and
 * the row holds another value than before. What the database refused was never an edit.
 */
import { FIELDS, type Field } from '../../src/clients/fields.ts';
import { canonicalJson, type FieldValue } from '../../src/clients/record.ts';
import type { Chance } from './chance.ts';
import type { History } from './history.ts';
import type { Place, Row, User, Work } from './places.ts';

export interface Edit {
  readonly tick: number;
  /** The id under which the row stood then. */
  readonly id: string;
  readonly kind: 'field' | 'insert' | 'delete';
  /** API name; empty for a whole row. */
  readonly field: string;
  readonly value: FieldValue;
  /** A person dropped it in favour of the other side. */
  readonly isDropped?: boolean;
}

const NAMES = [
  'fax',
  'homePhone',
  'workPhone',
  'mobilePhone',
  'source',
  'email',
  'firstName',
  'lastName',
  'fico',
  'totalIncome',
  'isArchived',
  'firstTimeBuyer',
  'contactAddress',
  'referredById',
] as const;
export const EDITED: readonly Field[] = NAMES.map((name) => fieldOf(name));
const COLUMNS = FIELDS.filter(({ name }) => name !== 'createdOn' && name !== 'updatedOn');

export function fieldOf(name: string): Field {
  const field = FIELDS.find((one) => one.name === name);
  if (field === undefined) throw new Error(`no field ${name}`);
  return field;
}

/** A value that may be written to the field, on either side: mostly one of its own, sometimes one that others have. */
export function drawValue(chance: Chance, { name, type, required }: Field, n: number): FieldValue {
  if (!required && chance.is(0.12)) return type === 'boolean' && name !== 'firstTimeBuyer' ? false : null;
  const isCommon = chance.is(0.25);
  switch (type) {
    case 'boolean':
      return chance.is(0.5);
    case 'int32':
      return isCommon ? chance.of([600, 700]) : 300 + (n % 550);
    case 'double':
      return isCommon ? chance.of([0, 1000.5, 0.1 + 0.2]) : chance.of([n + 0.25, n + 0.123_456_7, -n / 3]);
    case 'uuid':
      return `${String(n).padStart(8, '0')}-aaaa-4aaa-8aaa-aaaaaaaaaaaa`;
    case 'json': {
      const city = isCommon ? 'Springfield' : `City ${n}`;
      return canonicalJson(
        chance.of([{ city }, { city, zipCode: null }, { state: 'IL', city, addressLine1: `${n}` }]),
      );
    }
    default:
      if (name === 'email')
        return isCommon ? chance.of(['a@example.com', 'B@example.com']) : `User${n}@example.com`;
      return isCommon ? chance.of(['a', 'A', ' a', 'b']) : chance.of([`v${n}`, `V${n} `, `o'v ${n}`]);
  }
}

export interface Users {
  readonly edits: readonly Edit[];
  /** What the database said to refused statements, with counts. */
  readonly refusals: ReadonlyMap<string, number>;
  /** One thing that a user does; null: nothing could be done. */
  act(): Promise<string>;
  /** Opens a transaction that edits and stays open, or ends the one that is open. */
  linger(): Promise<string>;
  endLingering(how: 'COMMIT' | 'ROLLBACK'): Promise<void>;
  note(edit: Omit<Edit, 'tick'>): void;
  close(): Promise<void>;
}

export interface UsersOptions {
  readonly chance: Chance;
  readonly history: History;
  readonly place: Place;
  readonly deletes: boolean;
  /** externalIds that clients at the source have. */
  readonly strangers: () => readonly string[];
  readonly trace: (line: string) => void;
  /** Their values are numbered from here on; 0 by default. */
  readonly first?: number;
}

export async function createUsers(options: UsersOptions): Promise<Users> {
  const { chance, history, place, trace } = options;
  const edits: Edit[] = [];
  const refusals = new Map<string, number>();
  const user = await place.user();
  const sleeper = await place.user();
  const remembered = new Map<string, Row>();
  let made = options.first ?? 0;
  let deleted = 0;
  let lingering: readonly Edit[] | null = null;
  const sql = sqlOf(place.kind);
  const next = () => {
    made += 1;
    return made;
  };

  const tell = (edit: Edit) => trace(`  #${edit.tick} ${edit.kind} ${edit.id} ${edit.field} = ${edit.value}`);
  const enter = (found: readonly Edit[]) => {
    for (const edit of found) {
      edits.push(edit);
      tell(edit);
    }
  };
  const attempt = async (who: User, what: string, work: () => Work<readonly Edit[]>): Promise<string> => {
    try {
      enter(await who.does(work));
      return what;
    } catch (error) {
      const said = error instanceof Error ? error.message : String(error);
      refusals.set(said, (refusals.get(said) ?? 0) + 1);
      trace(`  ${what} refused: ${said}`);
      return `${what} refused`;
    }
  };

  /** Plays a statement and enters what it changed in these rows. The tick is taken before: from then on it counts. */
  function* observed(where: string, statement: string): Work<readonly Edit[]> {
    const tick = history.tick();
    const before = yield `SELECT ${sql.columns} FROM clients WHERE ${where}${sql.lock}`;
    yield statement;
    const ids = before.map(({ id }) => `'${id}'`).join(', ');
    const after = ids === '' ? [] : yield `SELECT ${sql.columns} FROM clients WHERE id IN (${ids})`;
    return before.flatMap((row) =>
      changesOf(
        row,
        after.find(({ id }) => id === row.id),
        tick,
      ),
    );
  }
  const set = (assignments: readonly (readonly [Field, FieldValue])[]) =>
    assignments.map(([field, value]) => `${field.column} = ${sql.literal(value)}`).join(', ');
  const drawn = (fields: readonly Field[]) =>
    fields.map((field) => [field, drawValue(chance, field, next())] as const);

  // Rows that are edited already draw further edits: there the races are.
  function* pick(): Work<Row | undefined> {
    const rows =
      yield `SELECT ${sql.columns}, _base, _create FROM clients WHERE _deleted_at IS NULL OR _base IS NOT NULL ORDER BY id`;
    const hot = rows.filter(({ _base, _create }) => _base !== null || _create !== null);
    if (hot.length > 0 && chance.is(0.5)) return chance.of(hot);
    return rows.length === 0 ? undefined : chance.of(rows);
  }
  /** A field to edit: often one that is edited already. */
  const pickField = (row: Row): Field => {
    const edited = Object.keys(JSON.parse(String(row._base ?? '{}')) as object);
    const known = EDITED.filter(({ name }) => edited.includes(name));
    return known.length > 0 && chance.is(0.5) ? chance.of(known) : chance.of(EDITED);
  };
  const onOne = (edit: (row: Row) => Work<readonly Edit[]>) =>
    function* (): Work<readonly Edit[]> {
      const row = yield* pick();
      return row === undefined ? [] : yield* edit(row);
    };
  const is = (row: Row) => `id = '${row.id}'`;

  const actions = {
    one: onOne((row) =>
      observed(is(row), `UPDATE clients SET ${set(drawn([pickField(row)]))} WHERE ${is(row)}`),
    ),
    many: onOne((row) => {
      const fields = [...new Set(Array.from({ length: chance.between(2, 5) }, () => chance.of(EDITED)))];
      return observed(is(row), `UPDATE clients SET ${set(drawn(fields))} WHERE ${is(row)}`);
    }),
    takeBack: onOne(function* (row) {
      const base = JSON.parse(String(row._base ?? '{}')) as Record<string, unknown>;
      const names = Object.keys(base);
      if (names.length === 0) return [];
      const field = fieldOf(chance.of(names));
      const old = base[field.name] ?? null;
      const value = field.type === 'json' && old !== null ? canonicalJson(old) : (old as FieldValue);
      return yield* observed(is(row), `UPDATE clients SET ${set([[field, value]])} WHERE ${is(row)}`);
    }),
    same: onOne((row) => {
      const { column } = chance.of(EDITED);
      return observed(is(row), `UPDATE clients SET ${column} = ${column} WHERE ${is(row)}`);
    }),
    // As an ORM saves: every column as it was read, maybe long ago, and one of them changed.
    orm: onOne((row) => {
      const read = remembered.get(String(row.id)) ?? row;
      remembered.set(String(row.id), row);
      const all = EDITED.map((field) => [field, storedValue(field, read)] as const);
      const values = [...all, ...drawn([chance.of(EDITED)])];
      return observed(is(row), `UPDATE clients SET ${set([...new Map(values).entries()])} WHERE ${is(row)}`);
    }),
    upsert: onOne((row) => {
      const field = chance.of(EDITED.filter(({ required }) => !required));
      const value = sql.literal(drawValue(chance, field, next()));
      const columns = ['id', 'email', 'first_name', 'last_name', field.column].join(', ');
      const values = `'${row.id}', 'up${next()}@example.com', 'Up', 'Sert', ${value}`;
      return observed(
        is(row),
        `INSERT INTO clients (${columns}) VALUES (${values}) ON CONFLICT (id) DO UPDATE SET ${field.column} = excluded.${field.column}`,
      );
    }),
    bulk: function* (): Work<readonly Edit[]> {
      const where = chance.of(['fico > 650', 'fico <= 650', "source IS NULL OR source <> 'a'"]);
      const live = `(${where}) AND _deleted_at IS NULL`;
      return yield* observed(live, `UPDATE clients SET ${set(drawn([chance.of(EDITED)]))} WHERE ${live}`);
    },
    insert: function* (): Work<readonly Edit[]> {
      const count = chance.is(0.2) ? chance.between(2, 4) : 1;
      const email = `New${next()}@example.com`;
      const extra = chance.some(
        EDITED.filter(({ required }) => !required),
        0.3,
      );
      const tick = history.tick();
      const rows = Array.from({ length: count }, () => {
        const id = chance.is(0.7)
          ? [
              `'${String(next()).padStart(8, '0')}-1111-4111-8111-${String(chance.below(1e6)).padStart(12, '0')}'`,
            ]
          : [];
        const known = options.strangers();
        const external = chance.is(0.5)
          ? []
          : [known.length > 0 && chance.is(0.2) ? chance.of(known) : `Given ${next()}`];
        return { id, external };
      });
      const found: Edit[] = [];
      for (const { id, external } of rows) {
        const columns = [
          'email',
          'first_name',
          'last_name',
          ...id.map(() => 'id'),
          ...external.map(() => 'external_id'),
          ...extra.map(({ column }) => column),
        ];
        const values = [
          `'${email}'`,
          "'New'",
          "'Row '",
          ...id,
          ...external.map((one) => `'${one}'`),
          ...extra.map((field) => sql.literal(drawValue(chance, field, next()))),
        ];
        const [returned] =
          yield `INSERT INTO clients (${columns.join(', ')}) VALUES (${values.join(', ')}) RETURNING id`;
        const [row] = yield `SELECT ${sql.columns} FROM clients WHERE id = '${returned?.id}'`;
        if (row === undefined) throw new Error('the inserted row is not there');
        const given = String(row.external_id);
        found.push({ tick, id: String(row.id), kind: 'insert', field: '', value: given });
        for (const field of EDITED) {
          const value = storedValue(field, row);
          if (value !== null && value !== false)
            found.push({ tick, id: String(row.id), kind: 'field', field: field.name, value });
        }
      }
      return found;
    },
    remove: onOne(function* (row) {
      if (deleted >= 6) return [];
      deleted += 1;
      return yield* observed(is(row), `DELETE FROM clients WHERE ${is(row)}`);
    }),
    external: onOne((row) => {
      const value = `'Moved ${next()}'`;
      return observed(is(row), `UPDATE clients SET external_id = ${value} WHERE ${is(row)}`);
    }),
  } satisfies Record<string, () => Work<readonly Edit[]>>;
  const weights: Readonly<Record<keyof typeof actions, number>> = {
    one: 30,
    many: 10,
    takeBack: 10,
    same: 3,
    orm: 6,
    upsert: 4,
    bulk: 3,
    insert: 10,
    remove: options.deletes ? 6 : 1,
    external: 1,
  };

  const endLingering = async (how: 'COMMIT' | 'ROLLBACK'): Promise<void> => {
    if (lingering === null) return;
    const kept = lingering;
    lingering = null;
    const tick = history.tick();
    await sleeper.ends(how);
    trace(`  lingering ${how}`);
    if (how === 'COMMIT') enter(kept.map((edit) => ({ ...edit, tick })));
  };

  return {
    edits,
    refusals,
    act() {
      const what = chance.weighted(weights);
      return attempt(user, what, actions[what]);
    },
    async linger() {
      if (lingering !== null) {
        await endLingering(chance.is(0.7) ? 'COMMIT' : 'ROLLBACK');
        return 'lingering ended';
      }
      try {
        lingering = await sleeper.begins(actions[chance.of(['one', 'many', 'insert'] as const)]);
        trace(`  lingering transaction of ${lingering.length} edits`);
        return 'lingering began';
      } catch (error) {
        trace(`  lingering refused: ${error instanceof Error ? error.message : error}`);
        return 'lingering refused';
      }
    },
    endLingering,
    note: (edit) => enter([{ ...edit, tick: history.tick() }]),
    async close() {
      await user.close();
      await sleeper.close();
    },
  };
}

function sqlOf(kind: Place['kind']) {
  const isPostgres = kind === 'postgres';
  return {
    columns: COLUMNS.map(({ column }) => column).join(', '),
    lock: isPostgres ? ' ORDER BY id FOR UPDATE' : '',
    literal(value: FieldValue): string {
      if (value === null) return 'NULL';
      if (typeof value === 'boolean') return isPostgres ? String(value) : String(Number(value));
      if (typeof value === 'number') return String(value);
      return `'${value.replaceAll("'", "''")}'`;
    },
  };
}

/** The canonical value of a column as a database shows it. */
export function storedValue(field: Field, row: Row): FieldValue {
  const value = row[field.column] ?? null;
  if (value === null) return null;
  if (field.type === 'boolean') return Number(value) === 1;
  return field.type === 'json' ? canonicalJson(JSON.parse(String(value))) : value;
}

function changesOf(before: Row, after: Row | undefined, tick: number): readonly Edit[] {
  const id = String(before.id);
  if (after === undefined) return [{ tick, id, kind: 'delete', field: '', value: null }];
  return COLUMNS.flatMap((field): Edit[] => {
    const value = storedValue(field, after);
    return storedValue(field, before) === value
      ? []
      : [{ tick, id, kind: 'field', field: field.name, value }];
  });
}
