/**
 * One token for each process, by which the source knows who asks, in a file of its own. Rotated, all old ones end; the
 * new ones stand in the files at once or, as in life, a while later.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Simulator } from '../../src/simulator/simulator.ts';

export interface Tokens {
  /** The file with the token of a new process. */
  file(process: number): string;
  rotate(): void;
  /** Writes the newest tokens into the files. */
  publish(): void;
  /** The number of the process that sent this header; 0: of none. */
  ownerOf(authorization: string | undefined): number;
}

export function createTokens(simulator: Simulator, folder: string): Tokens {
  let epoch = 1;
  let published = 1;
  const known = new Set<number>();
  const token = (process: number, of: number) => `soak.e${of}.p${process}`;
  const pathOf = (process: number) => join(folder, `token-${process}`);
  const accept = () => simulator.setTokens(...[...known].map((process) => token(process, epoch)));
  return {
    file(process) {
      known.add(process);
      accept();
      writeFileSync(pathOf(process), token(process, published));
      return pathOf(process);
    },
    rotate() {
      epoch += 1;
      accept();
    },
    publish() {
      published = epoch;
      for (const process of known) writeFileSync(pathOf(process), token(process, epoch));
    },
    ownerOf: (authorization) => Number(/\.p(\d+)$/.exec(authorization ?? '')?.[1] ?? 0),
  };
}
