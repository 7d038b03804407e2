/** What a sweep certifies when it ends: how far the mirror equals the source, and what it took to get there. */
import type { Instant } from '../clients/instant.ts';
import type { Warehouse } from '../warehouse/warehouse.ts';
import type { FindingCount } from './findings.ts';

export interface Certificate {
  /** Clients that the source listed. */
  readonly clients: number;
  /** At odds when the sweep ended; all 0: the mirror equals the source. */
  readonly missing: number;
  readonly stale: number;
  readonly extra: number;
  /** Was every field compared, or ids and stamps? */
  readonly deep: boolean;
  readonly from: Instant;
  readonly to: Instant;
  /** Changed under the read, and checked again. */
  readonly changed: number;
  /** Drift that the sweep found and mended, news left out. */
  readonly mended: { readonly missing: number; readonly stale: number };
  /** Proved deleted at the source. */
  readonly deleted: number;
  /** At the source, but in quarantine here. */
  readonly unfit: number;
}

export type Counted = Pick<Certificate, 'clients' | 'deep' | 'from' | 'to'>;

/** Sums a sweep's findings up. Pure. */
export function makeCertificate(counted: Counted, counts: readonly FindingCount[]): Certificate {
  const sum = (fits: (one: FindingCount) => boolean): number =>
    counts.reduce((total, one) => (fits(one) ? total + one.count : total), 0);
  const isOpen = ({ outcome }: FindingCount): boolean => outcome === null || outcome === 'waiting';
  const isDrift = ({ outcome, isNews }: FindingCount): boolean => outcome === 'mended' && !isNews;
  const isStale = ({ what }: FindingCount): boolean => what !== 'missing' && what !== 'absent';
  return {
    ...counted,
    missing: sum((one) => isOpen(one) && one.what === 'missing'),
    stale: sum((one) => isOpen(one) && isStale(one)),
    extra: sum((one) => isOpen(one) && one.what === 'absent'),
    changed: sum((one) => one.outcome === 'agreed' || (one.outcome === 'mended' && one.isNews)),
    mended: {
      missing: sum((one) => isDrift(one) && one.what === 'missing'),
      stale: sum((one) => isDrift(one) && one.what !== 'missing'),
    },
    deleted: sum((one) => one.outcome === 'deleted'),
    unfit: sum((one) => one.outcome === 'unfit'),
  };
}

/** The newest certificate; null: no sweep has ended yet. */
export async function readCertificate(warehouse: Warehouse): Promise<Certificate | null> {
  const sql = 'SELECT certificate FROM mirror_sweeps WHERE certificate IS NOT NULL ORDER BY id DESC LIMIT 1';
  const [row] = await warehouse.read({ sql, params: [] });
  return row === undefined ? null : (JSON.parse(String(row.certificate)) as Certificate);
}

/** In one line, for people. */
export function tellCertificate(one: Certificate): string {
  const count = (value: number): string => value.toLocaleString('en-US');
  const what = `${count(one.clients)} clients, ${count(one.missing)} missing, ${count(one.stale)} stale, ${count(one.extra)} extra`;
  const how = one.deep ? 'every field' : 'ids and stamps';
  return `${what} (${how}), read from ${one.from.slice(0, 19)}Z to ${one.to.slice(0, 19)}Z, ${count(one.changed)} changed under the read and checked again`;
}
