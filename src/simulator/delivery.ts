/** How an answer goes out: whole and plain, or in one of the ways in which the real world spoils it. */
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Answer } from './answer.ts';
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
  if (faultSwitch.strikes('lostAnswer', kind) !== null) {
    cut(response);
    return null;
  }
  const answer = disguise(whole, faultSwitch, kind);
  const body = answer.body ?? Buffer.alloc(0);
  const date = context.date.value();
  response.sendDate = false;
  const length: Record<string, string> =
    answer.status === 204 ? {} : { 'content-length': String(body.length) };
  response.writeHead(answer.status, {
    ...answer.headers,
    ...(date === null ? {} : { date }),
    ...length,
  });
  const half = Math.floor(body.length / 2);
  const slow = body.length > 1 ? faultSwitch.strikes('slowBody', kind) : null;
  if (slow !== null) {
    response.write(body.subarray(0, half));
    await delay(slow.ms);
    response.end(body.subarray(half));
  } else if (faultSwitch.strikes('cutShort', kind) !== null) {
    response.write(body.subarray(0, half), () => response.socket?.destroy());
  } else {
    const resets = faultSwitch.strikes('resetAfter', kind) !== null;
    response.end(body, resets ? () => response.socket?.destroy() : undefined);
  }
  return answer.status;
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
    return { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' }, body: Buffer.from(HTML) };
  }
  if (faultSwitch.strikes('tornJson', kind) !== null) {
    return { ...answer, body: answer.body.subarray(0, Math.floor(answer.body.length / 2)) };
  }
  const type = faultSwitch.strikes('wrongType', kind);
  if (type !== null) {
    return { ...answer, headers: { ...answer.headers, 'content-type': type.contentType ?? 'text/plain' } };
  }
  const huge = faultSwitch.strikes('hugeBody', kind);
  if (huge === null) return answer;
  const padding = Buffer.alloc(Math.max(0, (huge.bytes ?? HUGE_BYTES) - answer.body.length), ' ');
  return { ...answer, body: Buffer.concat([answer.body.subarray(0, 1), padding, answer.body.subarray(1)]) };
}
