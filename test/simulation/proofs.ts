/**
 * The watch over deletions while a mirror lives: each row that becomes a tombstone is called to account at once, for a
 * wrong one may be live again before the life ends. And a reconcile may touch no row with a local edit.
 */
import type { ClientsApi } from '../../src/api/endpoints.ts';
import { addSeconds, instantFromMs } from '../../src/clients/instant.ts';
import type { Simulator } from '../../src/simulator/simulator.ts';
import type { Warehouse } from '../../src/warehouse/warehouse.ts';
import type { History } from './history.ts';

/** A 404 to `GET /clients/{id}`, and the span in which the source may have been as it said. */
interface Proof {
  readonly id: string;
  readonly fromMs: number;
  readonly beginTick: number;
  readonly endTick: number;
  /** The source's clock when the answer had come. */
  readonly sourceMs: number;
}

export interface Watch {
  /** How many rows became tombstones so far. */
  readonly tombstones: number;
  /** Notes the proofs that an engine is given. */
  api(inner: ClientsApi): ClientsApi;
  /** Calls each new tombstone to account, after a commit. */
  lookAtTombstones(): Promise<void>;
  /** Watches the commits of a reconcile. @param isDry it may change nothing at all */
  reconciling(inner: Warehouse, isDry: boolean): Warehouse;
}

export interface WatchOptions {
  readonly history: History;
  readonly simulator: Simulator;
  readonly warehouse: Warehouse;
  readonly nowMs: () => number;
  readonly staleMs: number;
  readonly lookbackSeconds: number;
  /** Of the source's clock. */
  readonly skewMs: number;
  /** Can the mirror know the source's time? */
  readonly tellsTime: boolean;
  readonly find: (finding: string) => void;
}

export function createWatch(options: WatchOptions): Watch {
  const { history, simulator, warehouse, nowMs, find } = options;
  const proofs = new Map<string, Proof>();
  let tombstones = 0;
  let known: ReadonlySet<string> = new Set();
  const read = (sql: string) => warehouse.read({ sql, params: [] });

  /** What is wrong with a tombstone; null: nothing. */
  const problemOf = (id: string): string | null => {
    const proof = proofs.get(id);
    if (proof === undefined) return 'without a 404';
    if (!history.wasAway(id, proof.fromMs, proof.endTick))
      return 'by a 404 from before it was at the source, or not from there';
    const isThere = history.isThere(id, proof.beginTick) && !history.wasGone(id, proof.beginTick);
    const row = simulator.source.get(id);
    // Only by its stamps can a mirror know that a client is too young for a 404 to mean anything.
    const canKnow = options.tellsTime || options.skewMs >= 0;
    const youngFrom = addSeconds(instantFromMs(proof.sourceMs), 1 - options.lookbackSeconds);
    const isYoung = row?.createdOn != null && row.createdOn > youngFrom;
    return isThere && isYoung && canKnow ? `though it was made at ${row?.createdOn}, just before` : null;
  };

  const dirtyRows = async (isDry: boolean) => {
    const where = isDry ? '' : 'WHERE _base IS NOT NULL OR _create IS NOT NULL';
    return (await read(`SELECT * FROM clients ${where} ORDER BY id`)).map((row) => JSON.stringify(row));
  };

  return {
    get tombstones() {
      return tombstones;
    },
    api: (inner) => ({
      ...inner,
      async get(id, how) {
        const [fromMs, beginTick] = [nowMs() - options.staleMs, history.tick()];
        const answer = await inner.get(id, how);
        if (!answer.found) {
          const sourceMs = nowMs() + options.skewMs;
          proofs.set(id, { id, fromMs, beginTick, endTick: history.tick(), sourceMs });
        }
        return answer;
      },
    }),
    async lookAtTombstones() {
      const idsOf = async (where: string): Promise<ReadonlySet<string>> =>
        new Set((await read(`SELECT id FROM clients WHERE ${where}`)).map(({ id }) => String(id)));
      const now = await idsOf('_deleted_at IS NOT NULL');
      // A person who wanted it made anew may let it be deleted after all: it has not been at the source meanwhile.
      const toBeMade = await idsOf('_create IS NOT NULL');
      const fresh = [...now].filter((id) => !known.has(id));
      // What was proved before it came back proves nothing any more.
      for (const id of known) if (!now.has(id) && !toBeMade.has(id)) proofs.delete(id);
      known = now;
      tombstones += fresh.length;
      for (const id of fresh) {
        const problem = problemOf(id);
        if (problem !== null) find(`(e) ${id} became a tombstone ${problem}`);
      }
    },
    reconciling: (inner, isDry) =>
      // SQLite does each at once: nobody comes between them, and the difference is the reconcile's own.
      inner.kind === 'postgres'
        ? inner
        : {
            ...inner,
            async commit(writes, lease) {
              const [before, results, after] = await Promise.all([
                dirtyRows(isDry),
                inner.commit(writes, lease),
                dirtyRows(isDry),
              ]);
              for (const row of before)
                if (!after.includes(row)) find(`(g) a reconcile wrote to a row it must leave alone: ${row}`);
              return results;
            },
          },
  };
}
