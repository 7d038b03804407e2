/** The account of what was sent: each value in a PATCH is a user's edit, or a required field around one. */
import { FIELDS } from '../../src/clients/fields.ts';
import { canonicalJson, type FieldValue } from '../../src/clients/record.ts';
import type { Edit } from '../simulation/users.ts';
import type { World } from './world.ts';

const REQUIRED = new Set(FIELDS.filter(({ required }) => required).map(({ name }) => name));

export async function patchesAreEdits(world: World, edits: readonly Edit[]): Promise<readonly string[]> {
  const { looker, patches } = world;
  const ids = await looker.reads('SELECT local_id, id FROM mirror_ids');
  const realOf = new Map(ids.map((row) => [String(row.local_id), String(row.id)]));
  const wanted = new Map<string, Edit[]>();
  for (const edit of edits) {
    const key = `${realOf.get(edit.id) ?? edit.id} ${edit.field}`;
    wanted.set(key, [...(wanted.get(key) ?? []), edit]);
  }
  const findings: string[] = [];
  for (const { id, body, agent, tick } of patches.patches) {
    for (const [field, value] of Object.entries(body)) {
      // Required ones go along as the source has them: the account of the intents looks at their age.
      if (REQUIRED.has(field)) continue;
      const plain = canonicalOf(value);
      const isEdit = (wanted.get(`${id} ${field}`) ?? []).some(
        (edit) => edit.tick < tick && edit.value === plain,
      );
      if (!isEdit)
        findings.push(`(c) PATCH of ${id} by ${agent} carries ${field} = ${plain}, which no user wrote`);
    }
  }
  return findings;
}

function canonicalOf(value: unknown): FieldValue {
  return typeof value === 'object' && value !== null ? canonicalJson(value) : (value as FieldValue);
}
