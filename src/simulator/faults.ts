/**
 * What can be made to go wrong, as data. `Strike`s hit single requests by chance or by count; the rest are
 * habits of the server that hold until the faults are set anew. All chance comes from the simulator's seed.
 */
import type { Random } from './random.ts';

/** Kinds of request: lists, one client read, anything that changes a client. */
export type RequestKind = 'list' | 'get' | 'write' | 'other';

/** Which requests are hit. With neither `probability` nor `times` every one is. */
interface Strike {
  /** Chance of each request, 0 to 1. */
  readonly probability?: number;
  /** At most this many requests. */
  readonly times?: number;
  /** Lets this many pass first. */
  readonly after?: number;
  /** Only requests of these kinds. */
  readonly on?: readonly RequestKind[];
}

export interface Faults {
  // Before anything is done
  /** Waits before each answer, `jitterMs` at the most on top. */
  readonly latency?: Strike & { readonly ms: number; readonly jitterMs?: number };
  /** 429; `retryAfter` tells how the wait of `seconds` (1) is told. */
  readonly throttle?: Strike & {
    readonly retryAfter?: 'seconds' | 'date' | 'none';
    readonly seconds?: number;
  };
  /** 500, or another status; with `seconds` it carries Retry-After. */
  readonly serverError?: Strike & { readonly status?: number; readonly seconds?: number };
  /** The connection is cut and nothing is done. */
  readonly resetBefore?: Strike;
  readonly unauthorized?: Strike;
  /** 403 or 404 on lists. */
  readonly denyLists?: Strike & { readonly status?: 403 | 404 };
  /** 403 on these clients, read or written. */
  readonly denyClients?: readonly string[];
  /** 307 to the same path at another origin. */
  readonly redirect?: Strike & { readonly to: string };

  // After it is done
  /** The request is carried out (a write is applied), then the connection is cut without an answer. */
  readonly lostAnswer?: Strike;
  /** The answer is sent whole, then the connection is cut although it promised to stay. */
  readonly resetAfter?: Strike;
  /** A complete HTTP message whose JSON ends in the middle. */
  readonly tornJson?: Strike;
  /** The connection is cut in the middle of the body. */
  readonly cutShort?: Strike;
  /** A page of HTML with status 200. */
  readonly html?: Strike;
  /** The right body under this content type. */
  readonly wrongType?: Strike & { readonly contentType?: string };
  /** The second half of the body comes after `ms`. */
  readonly slowBody?: Strike & { readonly ms: number };
  /** The body is padded (inside the JSON) to this many bytes, 60 MB. */
  readonly hugeBody?: Strike & { readonly bytes?: number };

  // The table
  /** Changes become visible up to `maxMs` after their stamp. Concerns `source` and drift, not requests. */
  readonly lateCommits?: { readonly maxMs: number; readonly probability?: number };
  /** The answer comes from the table as it was up to `maxMs` ago. */
  readonly stale?: Strike & { readonly maxMs: number };
  /** Before each request this many changes (1) are made; the weights of each kind. */
  readonly drift?: Strike & {
    readonly changes?: number;
    readonly inserts?: number;
    readonly updates?: number;
    readonly removes?: number;
  };

  // Habits
  readonly ignoreFilter?: boolean;
  readonly ignoreOrderby?: boolean;
  readonly ignoreSelect?: boolean;
  readonly ignoreSkip?: boolean;
  /** 400 on any `$select`, or on one that names one of these fields. */
  readonly refuseSelect?: boolean | readonly string[];
  /** What becomes of a written field. `keep`: the old value stays, and the answer says nothing. */
  readonly normalise?: Readonly<Record<string, 'trim' | 'lower' | 'round' | 'keep'>>;
  /** These fields in a PATCH or PUT are refused with this status. */
  readonly refuseFields?: Readonly<Record<string, 400 | 422>>;
  /** Sends an ETag with a client and honours If-Match. */
  readonly etag?: boolean;
  /** Every error quotes the request, its headers and its body, as a developer's error page does. */
  readonly echo?: boolean;
  /** A field more in every row, with the same value in each. */
  readonly extraField?: { readonly name: string; readonly value: unknown };
}

export interface FaultSwitch {
  readonly faults: Faults;
  /** How often each has struck, whatever was set in between. */
  readonly struck: ReadonlyMap<string, number>;
  set(faults: Faults): void;
  /** The fault's settings if it hits this request, else null. Each call is one throw of the dice. */
  strikes<K extends keyof Faults>(name: K, kind: RequestKind): NonNullable<Faults[K]> | null;
}

export function createFaultSwitch(initial: Faults, random: Random): FaultSwitch {
  let faults = initial;
  let counts = new Map<string, { passed: number; hit: number }>();
  const struck = new Map<string, number>();
  return {
    get faults() {
      return faults;
    },
    struck,
    set(next) {
      faults = next;
      counts = new Map();
    },
    strikes(name, kind) {
      const fault = faults[name];
      if (fault === undefined || typeof fault !== 'object') return null;
      const { probability = 1, times = Number.POSITIVE_INFINITY, after = 0, on } = fault as Strike;
      if (on !== undefined && !on.includes(kind)) return null;
      const count = counts.get(name) ?? { passed: 0, hit: 0 };
      counts.set(name, count);
      if (count.passed < after) {
        count.passed += 1;
        return null;
      }
      if (count.hit >= times || (probability < 1 && random.next() >= probability)) return null;
      count.hit += 1;
      struck.set(name, (struck.get(name) ?? 0) + 1);
      return fault as NonNullable<Faults[typeof name]>;
    },
  };
}
