/**
 * Sends what is claimed: one PATCH a row, so many side by side, none behind its claim's deadline. A refused body of
 * several fields is sent again field by field, so that one poisoned field does not hold up its row; what became of
 * a request is data, and only what stops the whole pass is thrown.
 */
import { isSyncError, type SyncError } from '../errors.ts';
import { inLanes } from '../rows/lanes.ts';
import type { Pass } from './engine.ts';
import type { Claimed } from './mergePass.ts';
import { pushBody, splitIntent } from './planPush.ts';

export interface Sent {
  readonly claimed: Claimed;
  /**
   * `answered`: read back what the source holds now. `changed`: the client changed since it was read, and nothing was
   * done: merge again. `unknown`: no answer; the intent stays for the next pass.
   */
  readonly outcome: 'answered' | 'changed' | 'unknown';
  /** Fields that the source refused, with its words. */
  readonly refused: Readonly<Record<string, string>>;
}

/** @throws SyncError for what stops the whole pass. */
export function sendAll(pass: Pass, claimed: readonly Claimed[]): Promise<readonly Sent[]> {
  return inLanes(claimed, pass.engine.options.concurrency, (one) => sendOne(pass, one));
}

async function sendOne(pass: Pass, claimed: Claimed): Promise<Sent> {
  const fields = Object.keys(claimed.intent.sent);
  try {
    await update(pass, claimed, claimed.body, claimed.etag);
    return { claimed, outcome: 'answered', refused: {} };
  } catch (error) {
    const verdict = judge(pass, error);
    if (verdict.kind !== 'refused') return { claimed, outcome: verdict.kind, refused: {} };
    if (fields.length > 1 && verdict.perField) return sendEach(pass, claimed);
    return { claimed, outcome: 'answered', refused: wordsFor(fields, verdict.words) };
  }
}

/** Each field alone. The bodies carry the required fields, so they must hold those that were accepted meanwhile. */
async function sendEach(pass: Pass, claimed: Claimed): Promise<Sent> {
  const refused: Record<string, string> = {};
  let accepted = {};
  for (const { sent } of splitIntent(claimed.intent)) {
    // The ETag is of the client as it was read: the first field that is accepted ends it.
    const etag = Object.keys(accepted).length === 0 ? claimed.etag : null;
    try {
      await update(pass, claimed, pushBody(sent, { ...claimed.source, ...accepted }), etag);
      accepted = { ...accepted, ...sent };
    } catch (error) {
      const verdict = judge(pass, error);
      if (verdict.kind === 'refused') Object.assign(refused, wordsFor(Object.keys(sent), verdict.words));
      else if (verdict.kind !== 'answered') return { claimed, outcome: verdict.kind, refused: {} };
    }
  }
  return { claimed, outcome: 'answered', refused };
}

async function update(
  pass: Pass,
  claimed: Claimed,
  body: Claimed['body'],
  etag: string | null,
): Promise<void> {
  const { api, signal } = pass.engine;
  const ifMatch = etag === null ? {} : { ifMatch: etag };
  await api.update(claimed.id, body, { signal, deadlineMs: claimed.deadlineMs, ...ifMatch });
  pass.failures.passed();
}

type Verdict =
  | { readonly kind: 'answered' | 'changed' | 'unknown' }
  | { readonly kind: 'refused'; readonly words: string; readonly perField: boolean };

/** @throws what stops the whole pass: a bad token, a wait that nobody sits out, a stop, a bug. */
function judge(pass: Pass, error: unknown): Verdict {
  if (!isSyncError(error)) throw error;
  switch (error.code) {
    case 'REFUSED':
      if (error.details.status === 412) return { kind: 'changed' };
      pass.failures.passed();
      return { kind: 'refused', words: wordsOf(error), perField: true };
    case 'DENIED':
      pass.failures.passed();
      return { kind: 'refused', words: wordsOf(error), perField: false };
    case 'GONE':
      // The read-back proves it.
      return { kind: 'answered' };
    case 'AUTH':
    case 'THROTTLED':
    case 'FOREIGN_ORIGIN':
    case 'STOPPED':
      throw error;
    default:
      pass.failures.note(error);
      return { kind: 'unknown' };
  }
}

/** The server's own words, or what there is. */
export function wordsOf(error: SyncError): string {
  return error.details.body ?? error.message;
}

function wordsFor(fields: readonly string[], words: string): Record<string, string> {
  return Object.fromEntries(fields.map((field) => [field, words]));
}
