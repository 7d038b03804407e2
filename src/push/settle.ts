/**
 * Settles what was sent: the clients are read back, many a request, and one commit writes what the source holds now,
 * whatever the answers to the requests said. The user may have edited a row again meanwhile: it is read anew, and
 * tried again with the same read-back, for nobody else may merge it while the claim stands.
 */
import { type EditedRow, readRows } from '../ledger/editedRows.ts';
import { commitEdited, type EditedWrite } from '../ledger/editedWrites.ts';
import { dropPush } from '../ledger/pushes.ts';
import { type Refetch, readListings } from '../ledger/refetch.ts';
import type { Statement } from '../warehouse/warehouse.ts';
import { CLAIM_MS, type Pass } from './engine.ts';
import { planSettle } from './planSettle.ts';
import { type Remote, readRemotes } from './remote.ts';
import type { Sent } from './send.ts';
import { tellRecords } from './tell.ts';

/** A row that is edited without pause is met between two edits after a few tries, or by the next pass. */
const TRIES_MAX = 5;
/** Before an unmoved stamp is taken as proof that the source did nothing: instances lag behind one another. */
const SECOND_READ_MS = 500;

/** Settles what was answered; all of it was claimed under one token. */
export async function settleBatch(pass: Pass, sent: readonly Sent[]): Promise<void> {
  const answered = sent.filter(({ outcome }) => outcome === 'answered');
  const unproven = await settleRead(pass, answered, false);
  if (unproven.length === 0) return;
  await pass.engine.clock.sleep(SECOND_READ_MS, pass.engine.signal);
  await settleRead(pass, unproven, true);
}

/** Reads back and settles. Returns those of which the read-back proves nothing. */
async function settleRead(pass: Pass, sent: readonly Sent[], isLastRead: boolean): Promise<readonly Sent[]> {
  if (sent.length === 0) return [];
  const { warehouse } = pass.engine;
  const ids = sent.map(({ claimed }) => claimed.id);
  // Before the read: what is listed from here on must be read again.
  const listings = await readListings(warehouse, ids);
  const remotes = await readRemotes(pass, ids, false);
  const unproven: Sent[] = [];
  let left = sent;
  for (let tries = 0; tries < TRIES_MAX && left.length > 0; tries += 1) {
    const rows = await readRows(
      warehouse,
      left.map(({ claimed }) => claimed.id),
    );
    const round = planRound(left, { rows, remotes, listings, isLastRead });
    unproven.push(...round.unproven);
    const [
      {
        claimed: { token: held },
      },
    ] = left as readonly [Sent];
    const options = { token: pass.token(), held, claimMs: CLAIM_MS, clock: pass.sqlClock(), at: pass.now() };
    const taken = await commitEdited(warehouse, round.writes, options, round.further);
    tellRecords(
      pass,
      round.writes.filter(({ read }) => taken.has(read.id)),
    );
    const written = new Set(round.writes.map(({ read }) => read.id));
    left = left.filter(({ claimed: { id } }) => written.has(id) && !taken.has(id));
  }
  return unproven;
}

interface Read {
  readonly rows: ReadonlyMap<string, EditedRow>;
  readonly remotes: ReadonlyMap<string, Remote>;
  readonly listings: ReadonlyMap<string, Refetch>;
  readonly isLastRead: boolean;
}

interface Round {
  readonly writes: EditedWrite[];
  readonly further: Statement[];
  readonly unproven: Sent[];
}

function planRound(sent: readonly Sent[], read: Read): Round {
  const round: Round = { writes: [], further: [], unproven: [] };
  for (const one of sent) {
    const { claimed, refused } = one;
    const row = read.rows.get(claimed.id);
    const remote = read.remotes.get(claimed.id);
    if (row === undefined) {
      // Deleted here meanwhile: its delete goes its own way.
      round.further.push(dropPush(claimed.id, claimed.token));
    } else if (remote?.answer != null) {
      const { intent, held } = claimed;
      const input = { intent, refused, held, isLastRead: read.isLastRead };
      const plan = planSettle({ ...input, row: row.state, readBack: remote.answer });
      if (plan.kind === 'unproven') round.unproven.push(one);
      else {
        const { records } = plan;
        round.writes.push({
          read: row,
          row: plan.row,
          intent: null,
          records,
          listing: read.listings.get(row.id),
        });
      }
    }
  }
  return round;
}
