import { high, ordinary, type Place, premium, raised } from './places.ts';
import type { Random } from './random.ts';
import { dial, type Site } from './site.ts';
import type { FraudKind, LabelledCall, Outcome } from './types.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** How a kind of fraud goes about it. */
interface Manner {
  /** Calls at once that it aims at. */
  readonly atOnce: readonly [number, number];
  /** Length of a call in seconds. */
  readonly seconds: readonly [number, number];
  /** Between two calls of one line, ms. */
  readonly pause: readonly [number, number];
  readonly accounts: readonly [number, number];
  readonly destinations: readonly [number, number];
  readonly places: readonly Place[];
  readonly tests: readonly [number, number];
  readonly lasts: number;
  /** Hour of the day, local; undefined: nights and weekends. */
  readonly hours?: readonly [number, number];
}

const costly = [
  ...high,
  ...high,
  ...premium.filter(({ country }) => country === ''),
  ...raised.filter(({ rate }) => rate >= 0.25),
];
const usual: Manner = {
  atOnce: [4, 30],
  seconds: [120, 2_400],
  pause: [1_000, 60_000],
  accounts: [1, 1],
  destinations: [1, 4],
  places: costly,
  tests: [0, 8],
  lasts: 10 * hour,
};
const manners: Readonly<Record<FraudKind, Manner>> = {
  irsf: usual,
  wangiri: {
    ...usual,
    atOnce: [1, 3],
    seconds: [30, 240],
    pause: [2 * minute, 40 * minute],
    destinations: [1, 1],
    places: [...high, ...premium.filter(({ country }) => country === '')],
    tests: [0, 0],
    lasts: 12 * hour,
    hours: [8, 19],
  },
  rotation: { ...usual, atOnce: [3, 20] },
  'slow-drip': {
    ...usual,
    atOnce: [1, 1],
    seconds: [60, 600],
    pause: [20 * minute, 3 * hour],
    destinations: [1, 3],
    tests: [0, 3],
    lasts: 6 * day,
    hours: [8, 19],
  },
  'business-hours': {
    ...usual,
    atOnce: [2, 6],
    seconds: [60, 900],
    tests: [0, 5],
    lasts: 9 * hour,
    hours: [9, 17],
  },
  mixed: {
    ...usual,
    atOnce: [3, 15],
    destinations: [6, 14],
    places: [...costly, ...raised, ...ordinary.filter(({ rate }) => rate >= 0.03)],
  },
  'many-accounts': { ...usual, atOnce: [4, 20], accounts: [5, 15], destinations: [2, 6] },
  forward: { ...usual, atOnce: [2, 20], destinations: [1, 1], tests: [0, 2] },
  'call-through': { ...usual, atOnce: [1, 6], destinations: [1, 3], tests: [0, 3] },
  adaptive: {
    ...usual,
    atOnce: [2, 8],
    accounts: [2, 6],
    destinations: [4, 10],
    seconds: [60, 1_200],
    lasts: 24 * hour,
  },
};

/** Attempts after which the fraudster looks for somebody else. */
const patience = 400;

/** One fraud from its first test call on: tells its next call, and may learn what became of the last. */
export class Campaign {
  readonly name: string;
  readonly kind: FraudKind;
  readonly site: Site;
  /** Unix ms of its next call; infinite when it is over. */
  next: number;
  readonly #random: Random;
  readonly #manner: Manner;
  readonly #accounts: readonly string[];
  readonly #victims: readonly string[];
  readonly #ranges: { place: Place; head: string }[];
  readonly #end: number;
  /** When each of its lines is free again. */
  readonly #lines: number[];
  #tests: number;
  #made = 0;
  #refused = 0;
  #slow = 1;
  #range = 0;
  #account = 0;
  #pending: LabelledCall[] = [];

  constructor(kind: FraudKind, index: number, site: Site, from: number, random: Random) {
    this.name = `${kind}#${index}`;
    this.kind = kind;
    this.site = site;
    this.#random = random;
    const manner = manners[kind];
    this.#manner = manner;
    const pick = (): string => random.pick(site.people).name;
    this.#accounts = Array.from({ length: random.integer(...manner.accounts) }, pick);
    this.#victims = Array.from({ length: random.integer(5, 25) }, pick);
    this.#ranges = Array.from({ length: random.integer(...manner.destinations) }, () => {
      const place = random.weighted(manner.places.map((of) => ({ of, weight: 1 }))).of;
      return { place, head: dial(random, place).slice(0, -2) };
    });
    this.next = this.#open(from);
    this.#end = this.next + manner.lasts;
    this.#lines = Array.from({ length: random.integer(...manner.atOnce) }, () => this.next);
    this.#tests = random.integer(...manner.tests);
  }

  /** Its next call, which begins at `next`. */
  take(): LabelledCall {
    const waiting = this.#pending.shift();
    if (waiting !== undefined) {
      this.#schedule();
      return waiting;
    }
    const random = this.#random;
    const at = Math.round(this.next);
    const testing = this.#tests > 0;
    if (testing) {
      this.#tests -= 1;
      this.#range += 1;
    } else if (random.chance(0.25)) this.#range += 1;
    const { place, head } = this.#ranges[this.#range % this.#ranges.length]!;
    const wangiri = this.kind === 'wangiri';
    const account = wangiri
      ? this.#victims[this.#made % this.#victims.length]!
      : this.#accounts[
          (this.#account + (this.#accounts.length > 1 ? this.#made : 0)) % this.#accounts.length
        ]!;
    const called = head + (random.chance(0.3) ? String(this.#made % 100).padStart(2, '0') : random.digits(2));
    const caller = this.kind === 'rotation' ? `4930${random.digits(7)}` : this.#numberOf(account);
    const seconds = testing ? random.between(2, 12) : random.between(...this.#manner.seconds);
    const call: LabelledCall = {
      facts: this.site.facts(account, caller, at, place, called, this.kind === 'forward'),
      incoming: false,
      setupSeconds: random.between(1, 8),
      seconds: random.chance(testing ? 0.5 : 0.9) ? seconds : 0,
      fraud: this.name,
      story: testing ? 'test call' : '',
      site: this.site.kind,
      proves: false,
    };
    this.#made += 1;
    const line = this.#lines.indexOf(Math.min(...this.#lines));
    this.#lines[line] =
      at +
      (call.setupSeconds + call.seconds) * 1_000 +
      random.between(...this.#manner.pause) * this.#slow * (testing ? 3 : 1);
    // What rings and hangs up, or is connected, before the call that is paid for.
    if (wangiri || this.kind === 'call-through') {
      const before = { ...call, incoming: true, seconds: wangiri ? 0 : call.seconds + 30 };
      const facts = {
        ...call.facts,
        id: `${call.facts.id}/in`,
        caller: wangiri ? called : `4989${random.digits(7)}`,
      };
      this.#pending.push({ ...call, facts: { ...call.facts, at: at + 20_000 } });
      this.next = at + 20_000;
      return { ...before, facts };
    }
    this.#schedule();
    return call;
  }

  #schedule(): void {
    const earliest = Math.min(...this.#lines);
    const gap = this.#tests > 0 ? this.#random.between(20_000, 120_000) : 500;
    this.next = this.#open(Math.max(this.next + gap, earliest));
    if (this.next > this.#end || this.#made >= patience || this.#refused > 60)
      this.next = Number.POSITIVE_INFINITY;
  }

  /** Who is refused gives up at last; who adapts goes on with another account, elsewhere, and slower. */
  tell(outcome: Outcome): void {
    if (outcome === 'passed') return;
    this.#refused += 1;
    if (this.kind !== 'adaptive') return;
    this.#range += 1;
    this.#account += 1;
    this.#slow = Math.min(200, this.#slow * 1.5);
  }

  #numberOf(account: string): string {
    return this.site.people.find(({ name }) => name === account)?.number ?? '';
  }

  /** The next moment at which this kind is at work. */
  #open(from: number): number {
    const { hours } = this.#manner;
    if (hours === undefined) return from;
    const local = from + hour;
    const midnight = Math.floor(local / day) * day;
    const [open, close] = hours;
    for (let date = 0; date < 8; date += 1) {
      const weekday = (Math.floor(midnight / day) + date + 4) % 7;
      if (weekday === 0 || weekday === 6) continue;
      const opens = midnight + date * day + open * hour;
      if (local < opens) return opens - hour + this.#random.between(0, hour);
      if (date === 0 && local < midnight + close * hour) return from;
    }
    return from;
  }
}
