/** How an answer goes out: whole and plain, or in one of the ways in which the real world spoils it. */
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { type Answer, bytesAnswer } from './answer.ts';
import type { FaultSwitch, RequestKind } from './faults.ts';

export interface DateHeader {
  /** The header's value; null: none is sent. */
  value(): string | null;
}

/** Sends the answer, spoilt by whatever fault strikes. Returns the status that went out, null for none. */
export async function deliver(
  response: ServerResponse,
  whole: Answer,
  faultSwitch: FaultSwitch,
  context: { readonly kind: RequestKind; readonly date: DateHeader },
): Promise<number | null> {
  const { kind } = context;
  const { release } = whole;
  if (release !== undefined) {
    if (response.destroyed || response.closed) release();
    else response.once('close', release);
  }
  if (faultSwitch.strikes('lostAnswer', kind) !== null) {
    cut(response);
    return null;
  }
  const answer = disguise(whole, faultSwitch, kind);
  const date = context.date.value();
  response.sendDate = false;
  const bytes = answer.body?.reduce((sum, part) => sum + part.length, 0) ?? 0;
  response.writeHead(answer.status, {
    ...answer.headers,
    ...(date === null ? {} : { date }),
    ...(answer.status === 204 ? {} : { 'content-length': String(bytes) }),
  });
  const slow = bytes > 1 ? faultSwitch.strikes('slowBody', kind) : null;
  if (slow !== null) {
    const [first, second] = halves(answer.body);
    response.write(first);
    await delay(slow.ms);
    response.end(second);
  } else if (faultSwitch.strikes('cutShort', kind) !== null) {
    response.write(halves(answer.body)[0], () => response.socket?.destroy());
  } else {
    const resets = faultSwitch.strikes('resetAfter', kind) !== null;
    // Corked, the pieces leave in one system call.
    response.cork();
    for (const part of answer.body ?? []) response.write(part);
    response.end(resets ? () => response.socket?.destroy() : undefined);
  }
  return answer.status;
}

function halves(body: Answer['body']): [Buffer, Buffer] {
  const whole = Buffer.concat(body ?? []);
  const half = Math.floor(whole.length / 2);
  return [whole.subarray(0, half), whole.subarray(half)];
}

/** Ends the connection so that the other side sees a reset, not a polite end. */
export function cut(response: ServerResponse): void {
  response.socket?.resetAndDestroy();
}

const HTML = '<!doctype html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>';
const HUGE_BYTES = 60 * 1024 * 1024;

/** Other bytes or headers than were meant, with the good status; errors stay as they are. */
function disguise(answer: Answer, faultSwitch: FaultSwitch, kind: RequestKind): Answer {
  if (answer.status !== 200 || answer.body === null) return answer;
  if (faultSwitch.strikes('html', kind) !== null) {
    return bytesAnswer(200, Buffer.from(HTML), { 'content-type': 'text/html; charset=utf-8' });
  }
  if (faultSwitch.strikes('tornJson', kind) !== null) {
    return { ...answer, body: [halves(answer.body)[0]] };
  }
  const type = faultSwitch.strikes('wrongType', kind);
  if (type !== null) {
    return { ...answer, headers: { ...answer.headers, 'content-type': type.contentType ?? 'text/plain' } };
  }
  const huge = faultSwitch.strikes('hugeBody', kind);
  if (huge === null) return answer;
  const body = Buffer.concat(answer.body);
  const padding = Buffer.alloc(Math.max(0, (huge.bytes ?? HUGE_BYTES) - body.length), ' ');
  return { ...answer, body: [body.subarray(0, 1), padding, body.subarray(1)] };
}
