/**
 * The progress bar of a run: one line at the foot of the terminal, drawn from the tally. `renderProgress` is
 * pure; `createStatusLine` is the thin writer that keeps the line below whatever else is written. A line is
 * replaced by one write and never blanked before, so that nothing flickers.
 */
import { countOf, countText, durationText, shareText } from './numbers.ts';
import { remainingMs, rowsPerSecond, type Tally } from './tally.ts';

/** The bar takes what the figures leave, within these bounds; narrower it says nothing. */
const BAR_WIDTH_MIN = 8;
const BAR_WIDTH_MAX = 24;
const REDRAW_EVERY_MS = 100;

/** @returns one line, at most `columns` − 1 wide: the last column would wrap on some terminals. */
export function renderProgress(tally: Tally, nowMs: number, columns: number): string {
  const width = Math.max(1, columns - 1);
  const share = tally.share;
  const left = remainingMs(tally, nowMs);
  const rate = rowsPerSecond(tally, nowMs);
  const figures: readonly Part[] = [
    { text: share === null ? '' : shareText(share).padStart(5), rank: 2 },
    { text: countOf(tally.rows, 'row'), rank: 0 },
    { text: rate === 0 ? '' : `${countText(rate)} rows/s`, rank: 3 },
    { text: countOf(tally.requests, 'request'), rank: 5 },
    { text: left === null ? durationText(nowMs - tally.startedMs) : `ETA ${durationText(left)}`, rank: 4 },
  ];
  const name = { text: tally.kind ?? 'run', rank: 1 };
  const line = shorten([name, ...figures], width);
  if (share === null) return line;
  // Two spaces and two brackets come with the bar.
  const barWidth = Math.min(BAR_WIDTH_MAX, width - line.length - 4);
  return barWidth < BAR_WIDTH_MIN
    ? line
    : shorten([name, { text: barText(share, barWidth), rank: 1 }, ...figures], width);
}

/** The lower the rank, the longer a part stays on a narrow terminal. */
interface Part {
  readonly text: string;
  readonly rank: number;
}

function shorten(parts: readonly Part[], width: number): string {
  for (let rankMax = parts.length; rankMax >= 0; rankMax -= 1) {
    const kept = parts.filter((part) => part.rank <= rankMax && part.text !== '').map((part) => part.text);
    const line = kept.join('  ');
    if (line.length <= width) return line;
    if (rankMax === 0) return line.slice(0, width);
  }
  return '';
}

function barText(share: number, width: number): string {
  const filled = Math.min(width, Math.floor(Math.max(0, share) * width));
  const head = filled < width ? '>' : '';
  return `[${'='.repeat(filled)}${head}${' '.repeat(width - filled - head.length)}]`;
}

export interface StatusLine {
  /** Draws the line anew, but not more often than eyes can follow. `render` is called only when it is. */
  draw(nowMs: number, render: () => string): void;
  /** Writes whole lines above it. */
  print(text: string): void;
  /** Takes the line away; the terminal is as it was. */
  close(): void;
}

const CLEAR_TO_END = '\x1b[K';

export function createStatusLine(write: (text: string) => void): StatusLine {
  let shown = '';
  let drawnMs = Number.NEGATIVE_INFINITY;
  return {
    draw(nowMs, render) {
      if (nowMs - drawnMs < REDRAW_EVERY_MS) return;
      drawnMs = nowMs;
      const line = render();
      if (line === shown) return;
      shown = line;
      write(`\r${line}${CLEAR_TO_END}`);
    },
    print(text) {
      write(shown === '' ? text : `\r${CLEAR_TO_END}${text}${shown}`);
    },
    close() {
      if (shown !== '') write(`\r${CLEAR_TO_END}`);
      shown = '';
      drawnMs = Number.NEGATIVE_INFINITY;
    },
  };
}
