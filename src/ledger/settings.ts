/**
 * `mirror_settings`: what outlives a run by name. The triggers read `push`, `push_deletes` and `excluded`; the
 * engine keeps `fields`, the field names that the source was found to have, `refused`, those that lists may not ask for,
 * and `mass_edit`, what the guard holds back.
 */
import { type Statement, statement, type Warehouse } from '../warehouse/warehouse.ts';

export type SettingName = 'push' | 'push_deletes' | 'excluded' | 'fields' | 'refused' | 'mass_edit';

export async function readSettings(warehouse: Warehouse): Promise<ReadonlyMap<string, string>> {
  const rows = await warehouse.read({ sql: 'SELECT name, value FROM mirror_settings', params: [] });
  return new Map(rows.map((row) => [String(row.name), String(row.value)]));
}

export function putSetting(name: SettingName, value: string): Statement {
  const sql =
    'INSERT INTO mirror_settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value';
  return statement(sql, [name, value]);
}

export function dropSetting(name: SettingName): Statement {
  return statement('DELETE FROM mirror_settings WHERE name = ?', [name]);
}

/** The statements that bring the stored settings to the wanted ones; none where they are. */
export function planSettings(
  stored: ReadonlyMap<string, string>,
  wanted: Readonly<Partial<Record<SettingName, string>>>,
): {
  readonly name: SettingName;
  readonly from: string | null;
  readonly to: string;
  readonly write: Statement;
}[] {
  return (Object.entries(wanted) as [SettingName, string][])
    .filter(([name, value]) => stored.get(name) !== value)
    .map(([name, to]) => ({ name, from: stored.get(name) ?? null, to, write: putSetting(name, to) }));
}
