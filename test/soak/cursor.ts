/**
 * The account of the places, to be taken at any moment: what lies at or below the place of a stream, and was visible
 * before the last complete walk of it began, is in the mirror, or stands on one of its lists.
 */
import type { World } from './world.ts';

const DAY_MS = 86_400_000;

export async function rowsBehindPlaces(world: World): Promise<readonly string[]> {
  const { looker, place, history, simulator, habits, unseen, spoiled } = world;
  // Places first: what they cover is there from then on.
  const read = (sql: string) => looker.reads(sql);
  const [unfinished] = await read("SELECT count(*) AS n FROM mirror_backfills WHERE state <> 'done'");
  const [finished] = await read("SELECT count(*) AS n FROM mirror_backfills WHERE state = 'done'");
  if (Number(unfinished?.n) > 0 || Number(finished?.n) === 0) return [];
  const places = await read('SELECT stream, key, began_ms FROM mirror_places');
  const listed = new Set<string>();
  for (const sql of [
    'SELECT id FROM mirror_deletes',
    'SELECT id FROM mirror_refetch',
    'SELECT client_id AS id FROM mirror_quarantine',
  ])
    for (const { id } of await read(sql)) listed.add(String(id));
  const stamp = place.kind === 'sqlite' ? 'updated_on' : '_updated_on';
  const rows = new Map(
    (await read(`SELECT id, ${stamp} AS stamp FROM clients`)).map((row) => [String(row.id), row.stamp]),
  );
  const findings: string[] = [];
  for (const source of simulator.source.all()) {
    const { id, createdOn, updatedOn } = source;
    const stream = updatedOn === null ? 'created' : 'updated';
    const key = updatedOn ?? createdOn;
    const at = places.find((one) => one.stream === stream);
    if (at === undefined || at.key === null || at.began_ms === null || key === null) continue;
    const sinceMs = history.of(id).at(-1)?.atMs ?? 0;
    const isCovered = key <= String(at.key) && sinceMs < Number(at.began_ms) - habits.staleMs;
    if (!isCovered || unseen.has(id) || spoiled.has(id) || listed.has(id)) continue;
    if (Date.parse(key) > Date.now() + DAY_MS) continue;
    const here = rows.get(id);
    if (here === undefined)
      findings.push(`(h) ${id} of ${key} lies behind ${at.key} and is not in the mirror`);
    else if (updatedOn !== null && (here === null || String(here) < updatedOn))
      findings.push(`(h) ${id} of ${key} lies behind ${at.key}, and the mirror has it as of ${here}`);
  }
  return findings;
}
