/** Claims of others: taken over where their holder is gone, and given back when a pass ends. */
import { dropOrphans, endClaims, readClaimants } from '../ledger/pushes.ts';
import { isGone } from '../warehouse/holder.ts';
import type { Pass } from './engine.ts';

/** Ends the claims of processes of this machine that are gone: they need not run out. */
export async function endDeadClaims(pass: Pass): Promise<void> {
  const { warehouse } = pass.engine;
  const claimants = await readClaimants(warehouse, pass.sqlClock());
  const dead = claimants.filter(isGone);
  if (dead.length > 0) await warehouse.commit(dead.map((holder) => endClaims(holder, pass.sqlClock())));
}

/** Gives back what this pass still holds; what it may have sent stays noted. Tells nobody if that fails. */
export async function endOwnClaims(pass: Pass): Promise<void> {
  if (!pass.isBusy()) return;
  const { warehouse } = pass.engine;
  const clock = pass.sqlClock();
  // Where it fails the claims run out by themselves; what made the pass end is the error to tell.
  try {
    const claimants = await readClaimants(warehouse, clock);
    if (!claimants.some((holder) => holder.startsWith(`${pass.holder} `))) return;
    await warehouse.commit([endClaims(pass.holder, clock), dropOrphans(warehouse.kind, clock)]);
  } catch {}
}
