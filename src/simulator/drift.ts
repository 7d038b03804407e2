/** The other people who work at the source: random inserts, updates and deletions between two requests. */
import type { Faults } from './faults.ts';
import type { Random } from './random.ts';
import type { Source } from './source.ts';

export function applyDrift(source: Source, random: Random, drift: NonNullable<Faults['drift']>): void {
  const { changes = 1, inserts = 1, updates = 1, removes = 1 } = drift;
  for (let n = 0; n < changes; n += 1) {
    const draw = random.next() * (inserts + updates + removes);
    const id = source.someId(random);
    if (draw < inserts || id === undefined) {
      if (inserts > 0) source.insert({ fico: 300 + random.below(551) });
    } else if (draw < inserts + updates) {
      source.update(id, { source: `Drift ${random.below(1_000_000)}` });
    } else {
      source.remove(id);
    }
  }
}
