/**
 * Which fields a list is asked for. At first all that we know of; a server that refuses is asked for less, step
 * by step, down to no `$select` at all, and what it took is remembered.
 *
 * Only a success moves the step, and only downwards, so requests that meet the refusal side by side agree on
 * the outcome; a 400 that every step meets has another cause, and leaves the selection as it was.
 */
import { FIELD_NAMES } from '../clients/fields.ts';
import { isSyncError } from '../errors.ts';
import type { Emit } from '../events.ts';

export interface Selection {
  /** Reads with the present `$select` (null: without), and with less where the server answers 400. */
  ask<T>(read: (select: readonly string[] | null) => Promise<T>): Promise<T>;
  /** What is asked for now; null: `$select` was refused. */
  current(): readonly string[] | null;
  /** What the server was found to refuse: names of fields, or `$select` itself. */
  refused(): readonly string[];
}

/** Stands for the option itself among the refused names. */
const OPTION = '$select';

/** Not in the published schema, only in the vendor's examples: a server may not know it. */
const UNPUBLISHED: ReadonlySet<string> = new Set(['contactAddress']);

/** A 400 to a read. Any other refusal has nothing to do with what was asked for. */
export function isBadRequest(error: unknown): boolean {
  return isSyncError(error, 'UNLISTED') && error.details.status === 400;
}

export interface SelectionOptions {
  readonly excluded: ReadonlySet<string>;
  /** Names that one client, read by id, was seen with. */
  readonly found: readonly string[];
  /** What an earlier run was refused: it is not asked for again. */
  readonly refused?: readonly string[];
  readonly emit: Emit;
}

/** The steps, from all that we know of to null, which is no `$select`. Pure. */
export function planSteps(
  found: readonly string[],
  excluded: ReadonlySet<string>,
): readonly (readonly string[] | null)[] {
  const seen = new Set(found);
  const all = [...new Set([...FIELD_NAMES, ...found])].filter((name) => !excluded.has(name));
  const steps = [
    all,
    // A name that nobody vouches for goes first, then those that the reference does not list.
    all.filter((name) => !UNPUBLISHED.has(name) || seen.has(name)),
    all.filter((name) => FIELD_NAMES.includes(name) && (!UNPUBLISHED.has(name) || seen.has(name))),
    all.filter((name) => FIELD_NAMES.includes(name) && !UNPUBLISHED.has(name)),
  ];
  const distinct = steps.filter((step, index) => step.length !== steps[index - 1]?.length);
  return [...distinct, null];
}

export function createSelection(options: SelectionOptions): Selection {
  const steps = planSteps(options.found, options.excluded);
  const refused = new Set(options.refused);
  let standing = steps.findIndex((step) =>
    step === null ? true : !refused.has(OPTION) && !step.some((name) => refused.has(name)),
  );

  function settleOn(step: number): void {
    if (step <= standing) return;
    const before = steps[standing] ?? [];
    standing = step;
    const now = steps[step] ?? null;
    const dropped = before.filter((name) => now !== null && !now.includes(name));
    const message =
      now === null
        ? 'The API refuses $select: lists are read whole, and excluded fields are dropped on arrival.'
        : `The API refuses to select ${dropped.join(', ')}: lists are read without.`;
    options.emit({ type: 'notice', message });
  }

  return {
    async ask(read) {
      let refusal: unknown;
      for (let step = standing; step < steps.length; step += 1) {
        try {
          const answer = await read(steps[step] ?? null);
          settleOn(step);
          return answer;
        } catch (error) {
          if (!isBadRequest(error)) throw error;
          refusal ??= error;
        }
      }
      throw refusal;
    },
    current: () => steps[standing] ?? null,
    refused() {
      const now = steps[standing] ?? null;
      return now === null ? [OPTION] : (steps[0] ?? []).filter((name) => !now.includes(name));
    },
  };
}
