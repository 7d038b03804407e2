/**
 * What the source ever held, and what it was asked: the memory by which edits are called to account. Each thing that
 * happens, here or there, gets the next number of one counter, so that "after" has a meaning across both sides.
 */
import { FIELDS } from '../../src/clients/fields.ts';
import { isAlikeValue } from '../../src/clients/merge.ts';
import { type FieldValue, isRejected, parseRow } from '../../src/clients/record.ts';
import type { SimulatorOptions } from '../../src/simulator/simulator.ts';

type OnChange = NonNullable<SimulatorOptions['onChange']>;
export type SourceRow = NonNullable<Parameters<OnChange>[1]>;
export type Values = Readonly<Record<string, FieldValue>>;

/** What a client was from then on; null: not there. */
interface State {
  readonly tick: number;
  readonly atMs: number;
  readonly values: Values | null;
}

export interface History {
  /** The number of the next thing that happens. */
  tick(): number;
  readonly onChange: OnChange;
  /** Takes the population as it is to begin with. */
  begin(rows: readonly SourceRow[]): void;
  /** States of a client, oldest first. */
  of(id: string): readonly State[];
  ids(): readonly string[];
  /** Those in force at `tick` or later. */
  since(id: string, tick: number): readonly State[];
  /** Did the source hold this value, as it may have written it, at `tick` or later? */
  held(id: string, field: string, value: FieldValue, tick: number): boolean;
  /** Did it hold this, as it may have written it, within so long before `tick`? */
  heldShortlyBefore(
    id: string,
    field: string,
    value: FieldValue,
    about: { tick: number; ms: number },
  ): boolean;
  /** Did it hold exactly this at some time from `fromMs` on? */
  heldSinceMs(id: string, field: string, value: FieldValue, fromMs: number): boolean;
  wasGone(id: string, tick: number): boolean;
  /** Was there a moment from `fromMs` up to `untilTick` at which the client was not there? */
  wasAway(id: string, fromMs: number, untilTick: number): boolean;
  /** How often the source has changed. */
  readonly changes: number;
  /** Clients that were not there to begin with, as they were first. */
  born(): readonly { readonly id: string; readonly tick: number; readonly values: Values }[];
  /** Was the client there then? */
  isThere(id: string, tick: number): boolean;
}

export function createHistory(nowMs: () => number): History {
  const states = new Map<string, State[]>();
  const population = new Set<string>();
  /** When each thing happened. */
  const times = new Map<number, number>();
  let ticks = 0;
  let changes = 0;
  const note = (id: string, row: SourceRow | null): void => {
    ticks += 1;
    changes += 1;
    const known = states.get(id) ?? [];
    known.push({ tick: ticks, atMs: nowMs(), values: row === null ? null : canonical(row) });
    states.set(id, known);
  };
  const since = (id: string, tick: number): readonly State[] => {
    const all = states.get(id) ?? [];
    const first = all.findLastIndex((state) => state.tick <= tick);
    return all.slice(Math.max(0, first));
  };
  const fieldIn = ({ values }: State, field: string): FieldValue | undefined =>
    values === null ? undefined : (values[field] ?? null);
  return {
    tick() {
      ticks += 1;
      times.set(ticks, nowMs());
      return ticks;
    },
    onChange: (id, _before, after) => note(id, after),
    begin(rows) {
      for (const row of rows) {
        population.add(row.id);
        note(row.id, row);
      }
    },
    of: (id) => states.get(id) ?? [],
    ids: () => [...states.keys()],
    since,
    held: (id, field, value, tick) =>
      since(id, tick).some((state) => {
        const held = fieldIn(state, field);
        return held !== undefined && isAlikeValue(field, value, held);
      }),
    heldShortlyBefore(id, field, value, { tick, ms }) {
      const fromMs = (times.get(tick) ?? 0) - ms;
      const all = (states.get(id) ?? []).filter((state) => state.tick <= tick);
      const first = Math.max(
        0,
        all.findLastIndex((state) => state.atMs < fromMs),
      );
      return all.slice(first).some((state) => {
        const held = fieldIn(state, field);
        return held !== undefined && isAlikeValue(field, value, held);
      });
    },
    heldSinceMs(id, field, value, fromMs) {
      const all = states.get(id) ?? [];
      const first = Math.max(
        0,
        all.findLastIndex((state) => state.atMs < fromMs),
      );
      return all.slice(first).some((state) => fieldIn(state, field) === value);
    },
    wasGone: (id, tick) => since(id, tick).some(({ values }) => values === null),
    wasAway(id, fromMs, untilTick) {
      const all = (states.get(id) ?? []).filter(({ tick }) => tick <= untilTick);
      const first = all.findLastIndex(({ atMs }) => atMs < fromMs);
      return first < 0 || all.slice(first).some(({ values }) => values === null);
    },
    get changes() {
      return changes;
    },
    born: () =>
      [...states].flatMap(([id, [first]]) =>
        population.has(id) || first?.values == null ? [] : [{ id, tick: first.tick, values: first.values }],
      ),
    isThere: (id, tick) => since(id, tick)[0]?.values != null,
  };
}

/** A row of the source as the mirror would read it. */
export function canonical(row: SourceRow): Values {
  const record = parseRow(row, { excluded: new Set(), acceptsNul: true });
  if (isRejected(record)) throw new Error(record.reason);
  return Object.fromEntries(FIELDS.map(({ name }, index) => [name, record.values[index] ?? null]));
}
