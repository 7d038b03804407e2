/** Every choice of a simulation, from one seed. */
import { createRandom } from '../../src/simulator/random.ts';

export interface Chance {
  /** A whole number from 0 up to, not including, `bound`. */
  below(bound: number): number;
  /** From `low` to `high`, both included. */
  between(low: number, high: number): number;
  is(probability: number): boolean;
  of<T>(choices: readonly T[]): T;
  /** One of the names, by weight. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K;
  some<T>(all: readonly T[], probability: number): T[];
}

export function createChance(seed: number): Chance {
  const random = createRandom(Math.imul(seed, 0x9e3779b1) ^ 0x51ed);
  const chance: Chance = {
    below: (bound) => random.below(bound),
    between: (low, high) => low + random.below(high - low + 1),
    is: (probability) => random.next() < probability,
    of(choices) {
      if (choices.length === 0) throw new Error('nothing to choose from');
      return choices[random.below(choices.length)] as (typeof choices)[number];
    },
    weighted(weights) {
      const names = Object.keys(weights) as (keyof typeof weights)[];
      let draw = random.next() * names.reduce((sum, name) => sum + weights[name], 0);
      for (const name of names) {
        draw -= weights[name];
        if (draw < 0) return name;
      }
      return names[0] as (typeof names)[number];
    },
    some: (all, probability) => all.filter(() => random.next() < probability),
  };
  return chance;
}
