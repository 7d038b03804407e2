/**
 * A look at whole clients, read by id without `$select`: which fields does the source have, and of what types? Some
 * random ones tell: servers may leave nulls out, so a field is gone only when clients that had a value lack it.
 */
import { FIELDS, type FieldType } from '../clients/fields.ts';
import { instantFromMs } from '../clients/instant.ts';
import { type Drift, type KnownField, noteField, readKnownFields, tellDrift } from '../ledger/drift.ts';
import { type Mirrored, readMirrored, readSomeIds } from '../ledger/mirrored.ts';
import type { Engine } from '../rows/engine.ts';
import { inLanes } from '../rows/lanes.ts';
import type { Lease } from '../warehouse/warehouse.ts';

const CLIENTS = 10;
/** So many clients that had a value must lack the field before it is told as gone. */
const LACKING_MIN = 3;

/** One client: its fields with their JSON types, and which of them had a value here. */
export interface Sighting {
  readonly types: ReadonlyMap<string, string>;
  readonly held: ReadonlySet<string>;
}

/** Looks at some clients and journals what has changed since the last look; each change is told once. */
export async function takeCensus(engine: Engine, lease: Lease): Promise<void> {
  const { warehouse, source, options, signal, clock, emit } = engine;
  const ids = await readSomeIds(warehouse, CLIENTS);
  const held = await readMirrored(warehouse, ids, true);
  const looks = await inLanes(ids, options.concurrency, async (id) => ({
    id,
    types: await source.inspect(id, signal),
  }));
  const sightings = looks.flatMap(({ id, types }) =>
    types === null ? [] : [{ types, held: heldFields(held.get(id)) }],
  );
  if (sightings.length === 0) return;
  const at = instantFromMs(clock.now());
  const excluded = new Set(options.shape.excluded);
  const changes = planCensus(await readKnownFields(warehouse), sightings, excluded);
  if (changes.length === 0) return;
  await warehouse.commit(
    changes.map(({ field, drift }) => noteField(field, drift === null ? null : { ...drift, at }, at)),
    lease,
  );
  for (const { drift } of changes) {
    if (drift !== null) emit({ type: 'notice', message: tellDrift({ ...drift, at }) });
  }
}

function heldFields(row: Mirrored | undefined): ReadonlySet<string> {
  const names = FIELDS.filter((_, index) => (row?.values[index] ?? null) !== null).map((field) => field.name);
  const extra = row?.extra == null ? {} : (JSON.parse(row.extra) as Record<string, unknown>);
  return new Set([...names, ...Object.keys(extra).filter((name) => extra[name] !== null)]);
}

export interface FieldNote {
  readonly field: KnownField;
  readonly drift: Omit<Drift, 'at'> | null;
}

const JSON_TYPES: Readonly<Record<FieldType, string>> = {
  uuid: 'string',
  text: 'string',
  instant: 'string',
  boolean: 'boolean',
  int32: 'number',
  double: 'number',
  json: 'object',
};

/** What is to be remembered anew, and what of it is told. Pure. */
export function planCensus(
  known: ReadonlyMap<string, KnownField>,
  sightings: readonly Sighting[],
  excluded: ReadonlySet<string>,
): FieldNote[] {
  const names = new Set([...known.keys(), ...sightings.flatMap(({ types }) => [...types.keys()])]);
  const notes: FieldNote[] = [];
  for (const name of names) {
    if (excluded.has(name)) continue;
    const note = planField(name, known.get(name), sightings);
    if (note !== null) notes.push(note);
  }
  return notes;
}

function planField(
  name: string,
  known: KnownField | undefined,
  sightings: readonly Sighting[],
): FieldNote | null {
  const seen = sightings.flatMap(({ types }) => types.get(name) ?? []);
  const now = [...new Set(seen.filter((type) => type !== 'null'))].sort();
  if (seen.length === 0) {
    const lacking = sightings.filter(({ held }) => held.has(name)).length;
    if (known?.isPresent !== true || lacking < LACKING_MIN) return null;
    const drift = { field: name, change: 'vanished', was: known.type, is: '' } as const;
    return { field: { ...known, isPresent: false }, drift };
  }
  const documented = FIELDS.find((field) => field.name === name);
  const before = known?.type ?? (documented === undefined ? '' : JSON_TYPES[documented.type]);
  const old = before.split('|').filter((type) => type !== '');
  const type = [...new Set([...old, ...now])].sort().join('|');
  const field = { name, type, isPresent: true };
  const isNew = known === undefined ? documented === undefined : !known.isPresent;
  if (isNew) return { field, drift: { field: name, change: 'appeared', was: '', is: type } };
  if (old.length > 0 && now.some((one) => !old.includes(one))) {
    return { field, drift: { field: name, change: 'changed', was: before, is: now.join('|') } };
  }
  return known === undefined || known.type !== type ? { field, drift: null } : null;
}
