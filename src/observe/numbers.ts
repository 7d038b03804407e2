/** Numbers as people read them in log lines and in the progress bar. Pure. */

/** 1234567 → `1,234,567` */
export function countText(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** 1 and `row` → `1 row`, 2000 → `2,000 rows` */
export function countOf(count: number, thing: string): string {
  return `${countText(count)} ${thing}${Math.round(count) === 1 ? '' : 's'}`;
}

/** 0.2 s → `0.2 s`, 75 s → `1:15`, 3725 s → `1:02:05` */
export function durationText(ms: number): string {
  if (ms < 60_000) return `${(Math.max(0, ms) / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const tail = String(seconds % 60).padStart(2, '0');
  return hours === 0 ? `${minutes}:${tail}` : `${hours}:${String(minutes).padStart(2, '0')}:${tail}`;
}

/** 0.434 → `43 %`; only what is done is 100 %. */
export function shareText(share: number): string {
  return `${Math.min(share >= 1 ? 100 : 99, Math.floor(share * 100))} %`;
}
