/**
 * Each PATCH as the source met it: what `mirror_pushes` said of it then, and when its process had last read that client.
 * In the end each must be an edit of a user, and the required fields around it as new as that read.
 */
import type { SimulatorOptions } from '../../src/simulator/simulator.ts';
import type { Patch } from '../simulation/edits.ts';
import type { History } from '../simulation/history.ts';
import type { User } from '../simulation/places.ts';
import type { Tokens } from './tokens.ts';

export interface PatchBook {
  readonly patches: readonly Patch[];
  readonly hear: NonNullable<SimulatorOptions['onRequest']>;
}

interface Ears {
  readonly history: History;
  readonly looker: User;
  readonly tokens: Tokens;
  readonly trace: (line: string) => void;
  /** Told of each write before it is carried out. */
  readonly onWrite: (process: number) => void;
}

const IDS = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

export function createPatchBook({ history, looker, tokens, trace, onWrite }: Ears): PatchBook {
  const patches: Patch[] = [];
  const reads = new Map<string, number>();
  return {
    patches,
    async hear(request) {
      const process = tokens.ownerOf(request.headers.authorization);
      const agent = `p${process}`;
      const id = /^\/clients\/([^/]+)$/.exec(request.path)?.[1]?.toLowerCase();
      const asked = decodeURIComponent(request.query);
      trace(`    > ${agent} ${request.method} ${request.path} ${asked} ${request.body}`);
      if (request.method === 'GET') {
        for (const one of id === undefined ? (asked.match(IDS) ?? []) : [id])
          reads.set(`${agent} ${one}`, Date.now());
        return;
      }
      onWrite(process);
      if (request.method !== 'PATCH' || id === undefined) return;
      const [tick, atMs] = [history.tick(), Date.now()];
      const readAtMs = reads.get(`${agent} ${id}`) ?? 0;
      const body = JSON.parse(request.body.toString()) as Patch['body'];
      const [entry] = await looker.reads(`SELECT sent FROM mirror_pushes WHERE id = '${id}'`);
      const sent = typeof entry?.sent === 'string' ? (JSON.parse(entry.sent) as Patch['sent']) : null;
      patches.push({ tick, atMs, id, agent, body, sent, readAtMs });
    },
  };
}
