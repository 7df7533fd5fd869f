import { BoundedMap } from '@ringfence/bytes/bounded-map.ts';
import type { Risk } from './call-facts.ts';
import { Leaky } from './leaky.ts';
import { Usual } from './usual.ts';
import { WorkingHours } from './working-hours.ts';

/** How much is remembered at a time; what was used longest ago makes room. */
export interface Bounds {
  /** About 900 octets each, and 120 for each destination that it has called. */
  readonly accounts: number;
  /** About 900 octets each, and what their destinations and ranges take. */
  readonly domains: number;
  /** Of one tenant; about 450 octets each. */
  readonly destinations: number;
  /** Number ranges of one tenant that were called or that called lately; about 400 octets each. */
  readonly ranges: number;
  /** Destinations that one account is known to call. */
  readonly perAccount: number;
  /** Calls that are judged while they go on; about 300 octets each. */
  readonly calls: number;
}

export const defaultBounds: Bounds = {
  accounts: 20_000,
  domains: 500,
  destinations: 256,
  ranges: 1_024,
  perAccount: 48,
  calls: 20_000,
};

/** How well a destination is known to somebody. */
export class Acquaintance {
  /** Unix ms of the first call there. */
  first = 0;
  /** Days with a call that nothing was found against. */
  days = 0;
  lastDay = 0;
  /** A caller has proven himself there, or an administrator has said that it is well. */
  proven = false;

  /** A call there went as calls go. */
  met(at: number, date: number): void {
    if (this.first === 0) this.first = at;
    if (date === this.lastDay) return;
    this.lastDay = date;
    this.days += 1;
  }

  /**
   * From 0, never heard of, to 1. A handful of days makes no costly destination a friend: slow fraud has patience.
   */
  trust(risk: Risk): number {
    if (this.proven) return 1;
    return Math.min(0.8, this.days / (risk === 'ordinary' || risk === 'home' ? 5 : 12));
  }
}

export class Destination extends Acquaintance {
  readonly day = new Leaky();
  readonly hour = new Leaky();
  readonly week = new Leaky();
  readonly usual = new Usual();
}

/** A range of numbers that a tenant has to do with. */
export class Range {
  /** Short or failed calls there: somebody tries whether it works. */
  readonly probes = new Leaky();
  readonly calls = new Leaky();
  /** Times somebody of that range rang and hung up. */
  readonly missed = new Leaky();
  readonly usual = new Usual();
}

export class Account {
  readonly quarter = new Leaky();
  readonly hour = new Leaky();
  readonly day = new Leaky();
  readonly usual = new Usual();
  readonly calls = new Leaky();
  readonly usualCalls = new Usual();
  readonly novelty = new Leaky();
  readonly fresh = new Leaky();
  readonly short = new Leaky();
  readonly sequence = new Leaky();
  readonly shown = new Leaky();
  readonly usualShown = new Usual();
  /** All its calls, cheap ones too: how busy it is. */
  readonly all = new Leaky();
  /** Times that something of it was stopped lately. */
  readonly found = new Leaky();
  readonly through = new Leaky();
  readonly callers: string[] = [];
  readonly destinations: BoundedMap<string, Acquaintance>;
  lastCalled = '';
  /** Counted among those who spend. */
  spends = false;
  /** Judged calls that go on. */
  live = 0;
  /** As many calls at once as there usually are, fading. */
  readonly most = new Leaky();
  /** Calls from outside that it is in. */
  incoming = 0;
  /** Nobody judges it until then: an administrator has lifted what was found. Unix ms. */
  liftedUntil = 0;

  constructor(destinations: number) {
    this.destinations = new BoundedMap({ capacity: destinations });
  }
}

export class Domain {
  readonly hours = new WorkingHours();
  /** What all accounts together spend, and how many have spent anything. */
  readonly usual = new Usual();
  spenders = 0;
  readonly all = new Leaky();
  readonly found = new Leaky();
  readonly novelty = new Leaky();
  readonly fresh = new Leaky();
  readonly destinations: BoundedMap<string, Destination>;
  readonly ranges: BoundedMap<string, Range>;

  constructor({ destinations, ranges }: Bounds) {
    this.destinations = new BoundedMap({ capacity: destinations });
    this.ranges = new BoundedMap({ capacity: ranges });
  }
}
