/**
 * The population a simulator starts with. A client is a function of (seed, number): only its two stamps are
 * kept, the rest is made when somebody looks. So a million clients cost 16 MB and appear in half a second.
 *
 * Stamps are ticks (100 ns) since the population's first day, in doubles: exact for 28 years.
 */
import { instantFromMs } from '../clients/instant.ts';
import { idOf, numberOf } from './ids.ts';
import { CITIES, FIRST_NAMES, LAST_NAMES, MAIL_DOMAINS, SOURCES, STREETS } from './names.ts';
import { createRandom, mix, type Random } from './random.ts';
import type { ClientRow, ContactAddress } from './row.ts';

/** How the stamps of the population lie; all optional. */
export interface Shape {
  /** Years over which clients were created, at most 28; 8 by default. */
  readonly years?: number;
  /** This many clients, in the middle, share one `createdOn`. */
  readonly createdTies?: number;
  /** This many clients share one `updatedOn`. */
  readonly updatedTies?: number;
  /** Half of all clients were created on one day. */
  readonly skew?: boolean;
  /** Share of clients that were updated at least once; 0.3 by default. */
  readonly updatedShare?: number;
}

export interface Population {
  readonly size: number;
  /** Where its ids come from; the ids of later clients are taken from there too. */
  readonly seed: number;
  id(n: number): string;
  createdOn(n: number): string;
  updatedOn(n: number): string | null;
  row(n: number): ClientRow;
  /** The number of a generated id. */
  find(id: string): number | undefined;
  /** All numbers in order of createdOn; ties are in no particular order. */
  byCreatedOn(): Uint32Array;
  /** The updated ones in order of updatedOn; ties are in no particular order. */
  byUpdatedOn(): Uint32Array;
}

const TICKS_PER_MS = 10_000;
const TICKS_PER_DAY = 864_000_000_000;
const MS_PER_DAY = 86_400_000;
const NEVER = -1;

/** @param untilMs no stamp of the population lies after this time */
export function createPopulation(size: number, seed: number, untilMs: number, shape: Shape = {}): Population {
  const days = Math.floor(Math.min(shape.years ?? 8, 28) * 365.25);
  const firstDayMs = Math.floor(untilMs / MS_PER_DAY) * MS_PER_DAY - days * MS_PER_DAY;
  const span = (untilMs - firstDayMs) * TICKS_PER_MS;
  const created = createdTicks(size, seed, span, shape);
  const updated = updatedTicks(created, seed, span, shape);
  const text = createStampWriter(firstDayMs);
  const random = createRandom(seed);
  const owners = Array.from({ length: 8 }, (_, n) => idOf(seed ^ 0x0a11ce, n));
  const updatedOn = (n: number): string | null => {
    const ticks = updated[n] ?? NEVER;
    return ticks === NEVER ? null : text(ticks);
  };
  return {
    size,
    seed,
    id: (n) => idOf(seed, n),
    createdOn: (n) => text(created[n] ?? 0),
    updatedOn,
    row(n) {
      random.reseed(mix(seed ^ 0x0f1e1d, n));
      const referrer = random.next() < 0.05 ? idOf(seed, random.below(size)) : null;
      return makeClient(random, {
        n,
        id: idOf(seed, n),
        createdOn: text(created[n] ?? 0),
        updatedOn: updatedOn(n),
        ownerId: random.next() < 0.9 ? (owners[random.below(8)] ?? null) : null,
        referredById: referrer,
      });
    },
    find(id) {
      const n = numberOf(seed, id);
      return n < size && idOf(seed, n) === id ? n : undefined;
    },
    byCreatedOn: () => Uint32Array.from({ length: size }, (_, n) => n),
    byUpdatedOn() {
      const numbers: number[] = [];
      for (let n = 0; n < size; n += 1) if (updated[n] !== NEVER) numbers.push(n);
      return Uint32Array.from(numbers).sort((a, b) => (updated[a] ?? 0) - (updated[b] ?? 0));
    },
  };
}

interface Given {
  readonly n: number;
  readonly id: string;
  readonly createdOn: string;
  readonly updatedOn: string | null;
  readonly ownerId: string | null;
  readonly referredById: string | null;
}

/** Written without a closure a field: this runs once for every row that is served. */
function makeClient(random: Random, given: Given): ClientRow {
  const [firstName, firstInMail] = pick(random, FIRST_NAMES);
  const [lastName, lastInMail] = pick(random, LAST_NAMES);
  const area = 200 + random.below(700);
  return {
    externalId: random.next() < 0.7 ? `CRM-${10_000_000 + given.n}` : null,
    source: random.next() < 0.85 ? pick(random, SOURCES) : null,
    ownerId: given.ownerId,
    referredById: given.referredById,
    email: `${firstInMail}.${lastInMail}${given.n}@${pick(random, MAIL_DOMAINS)}`,
    homePhone: random.next() < 0.6 ? phone(random, area) : null,
    workPhone: random.next() < 0.4 ? phone(random, area) : null,
    mobilePhone: random.next() < 0.9 ? phone(random, area) : null,
    fax: random.next() < 0.03 ? phone(random, area) : null,
    isSilenced: random.next() < 0.05,
    isArchived: random.next() < 0.04,
    createdOn: given.createdOn,
    updatedOn: given.updatedOn,
    fico: random.next() < 0.85 ? 300 + random.below(551) : null,
    totalIncome: random.next() < 0.8 ? (2_500_000 + random.below(30_000_000)) / 100 : null,
    totalDebtPayments: random.next() < 0.7 ? random.below(900_000) / 100 : null,
    firstTimeBuyer: random.next() < 0.75 ? random.next() < 0.4 : null,
    loginToken: random.next() < 0.2 ? `lt_${(random.below(0x7fffffff) + 0x7fffffff).toString(36)}` : null,
    id: given.id,
    firstName,
    lastName,
    contactAddress: random.next() < 0.8 ? address(random) : null,
  };
}

function address(random: Random): ContactAddress {
  const [city, state, zip] = pick(random, CITIES);
  return {
    addressLine1: `${1 + random.below(9_899)} ${pick(random, STREETS)}`,
    addressLine2: random.next() < 0.15 ? `Apt ${1 + random.below(400)}` : null,
    city,
    state,
    zipCode: `${zip}${10 + random.below(90)}`,
  };
}

function phone(random: Random, area: number): string {
  return `(${area}) 555-${1000 + random.below(9000)}`;
}

function pick<T>(random: Random, values: readonly T[]): T {
  return values[random.below(values.length)] as T;
}

/** Rising with n, and denser towards the end, as a business that grows. */
function createdTicks(size: number, seed: number, span: number, shape: Shape): Float64Array {
  const ticks = new Float64Array(size);
  const crowdFrom = Math.floor(size / 4);
  const crowdTo = shape.skew ? crowdFrom + Math.ceil(size / 2) : crowdFrom;
  const crowdDay = Math.floor((span * 0.4) / TICKS_PER_DAY) * TICKS_PER_DAY;
  for (let n = 0; n < size; n += 1) {
    const jitter = mix(seed ^ 0x00c0ffee, n) / 4_294_967_296;
    if (n >= crowdFrom && n < crowdTo) {
      ticks[n] = Math.floor(crowdDay + ((n - crowdFrom + jitter) / (crowdTo - crowdFrom)) * TICKS_PER_DAY);
    } else if (!shape.skew) {
      ticks[n] = Math.floor(span * Math.sqrt((n + jitter) / size));
    } else if (n < crowdFrom) {
      ticks[n] = Math.floor(crowdDay * ((n + jitter) / crowdFrom));
    } else {
      const rest = (n - crowdTo + jitter) / (size - crowdTo);
      ticks[n] = Math.floor(crowdDay + TICKS_PER_DAY + (span - crowdDay - TICKS_PER_DAY) * rest);
    }
  }
  const ties = Math.min(shape.createdTies ?? 0, size);
  const tiesFrom = Math.floor((size - ties) / 2);
  if (ties > 0) ticks.fill(ticks[tiesFrom] ?? 0, tiesFrom, tiesFrom + ties);
  return ticks;
}

function updatedTicks(created: Float64Array, seed: number, span: number, shape: Shape): Float64Array {
  const share = shape.updatedShare ?? 0.3;
  const ties = shape.updatedTies ?? 0;
  // Not before the youngest client: nothing is updated before it was created.
  const tiesAt = Math.floor((created.at(-1) ?? 0) / 2 + span / 2);
  return created.map((from, n) => {
    if (n < ties) return tiesAt;
    if (mix(seed ^ 0x00dec0de, n) / 4_294_967_296 >= share) return NEVER;
    const later = mix(seed ^ 0x0badcafe, n) / 4_294_967_296;
    return from + Math.floor((span - from) * later * later);
  });
}

const TWO = Array.from({ length: 100 }, (_, n) => String(n).padStart(2, '0'));

/** Ticks since a first day → canonical stamp. Fast: the day is looked up, the rest is table and padding. */
function createStampWriter(firstDayMs: number): (ticks: number) => string {
  const dates: string[] = [];
  return (ticks) => {
    const day = Math.floor(ticks / TICKS_PER_DAY);
    dates[day] ??= instantFromMs(firstDayMs + day * MS_PER_DAY).slice(0, 11);
    const inDay = ticks - day * TICKS_PER_DAY;
    const second = Math.floor(inDay / 10_000_000);
    const hour = Math.floor(second / 3600);
    const minute = Math.floor(second / 60) % 60;
    const fraction = String(10_000_000 + (inDay - second * 10_000_000)).slice(1);
    return `${dates[day]}${TWO[hour]}:${TWO[minute]}:${TWO[second % 60]}.${fraction}Z`;
  };
}
