import type { CallFacts } from '../call-facts.ts';
import { high, homeFixed, homeMobile, ordinary, type Place, premium, raised } from './places.ts';
import type { Random } from './random.ts';
import type { LabelledCall, SimulationOptions, SiteKind } from './types.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
/** All sites lie an hour east of UTC. */
export const offset = hour;

interface Person {
  readonly name: string;
  readonly number: string;
  readonly callsPerDay: number;
  /** Share of calls abroad. */
  readonly abroad: number;
  readonly partners: readonly { readonly place: Place; readonly called: string; readonly weight: number }[];
  readonly proves: boolean;
  /** Works at night as well. */
  readonly shifts: boolean;
  /** Sends on to a mobile number what he does not answer. */
  readonly forwards: boolean;
}

/** Something that usual traffic does for some days, and that looks unusual. */
interface Story {
  readonly name: 'campaign' | 'new-branch' | 'traveller' | 'conference';
  readonly from: number;
  readonly until: number;
  readonly place: Place;
  readonly people: readonly Person[];
  readonly perDay: number;
  readonly numbers: readonly string[];
}

const shapes: Readonly<
  Record<
    SiteKind,
    { people: [number, number]; calls: [number, number]; abroad: [number, number]; weekend: number }
  >
> = {
  office: { people: [12, 60], calls: [4, 25], abroad: [0.01, 0.12], weekend: 0.04 },
  'call-centre': { people: [20, 60], calls: [60, 140], abroad: [0, 0.05], weekend: 0.5 },
  carrier: { people: [8, 30], calls: [40, 300], abroad: [0.05, 0.3], weekend: 0.4 },
};

export const dial = (random: Random, place: Place): string => place.prefix + random.digits(place.length);

/** A tenant: who works there, whom they call, and what happens to them in those days. */
export class Site {
  readonly domain: string;
  readonly kind: SiteKind;
  readonly people: readonly Person[];
  readonly #random: Random;
  readonly #stories: Story[] = [];
  readonly #holidays = new Set<number>();
  #calls = 0;

  constructor(kind: SiteKind, index: number, random: Random, options: SimulationOptions) {
    this.kind = kind;
    this.domain = `${kind}-${index}.example`;
    this.#random = random;
    const { people, calls, abroad } = shapes[kind];
    // What the whole company calls: a few countries often, sometimes costly ones.
    const partners = Array.from({ length: random.integer(2, 6) }, () => random.weighted(ordinary));
    const costly = Array.from({ length: random.chance(0.4) ? random.integer(1, 3) : 0 }, () =>
      random.weighted(raised),
    );
    if (random.chance(0.06)) costly.push(random.weighted(high));
    const share = random.between(...abroad) * options.abroad;
    this.people = Array.from({ length: random.integer(...people) }, (_, i): Person => {
      const own = random.chance(0.1) ? [random.weighted(raised)] : [];
      return {
        name: kind === 'carrier' ? `customer-${i}` : `u${100 + i}`,
        number: `4930${1_000_000 + index * 1_000 + i}`,
        callsPerDay: random.between(...calls),
        abroad: Math.min(0.9, share * random.logNormal(1, 0.6)),
        partners: [...partners, ...costly.filter(() => random.chance(0.5)), ...own].flatMap((place) =>
          Array.from({ length: random.integer(1, kind === 'carrier' ? 8 : 3) }, () => ({
            place,
            called: dial(random, place),
            weight: random.logNormal(place.risk === 'ordinary' ? 1 : 0.4, 1),
          })),
        ),
        proves: kind !== 'carrier' && random.chance(options.knowsPin),
        shifts: kind === 'carrier' || random.chance(0.05),
        forwards: random.chance(0.08),
      };
    });
    this.#happen(options);
  }

  #happen({ days }: SimulationOptions): void {
    const random = this.#random;
    const some = (count: number): Person[] => Array.from({ length: count }, () => random.pick(this.people));
    const numbers = (place: Place, count: number): string[] =>
      Array.from({ length: count }, () => dial(random, place));
    for (let date = 0; date < days; date += 1) if (random.chance(0.03)) this.#holidays.add(date);
    const add = (
      name: Story['name'],
      from: number,
      lasts: number,
      place: Place,
      people: number,
      perDay: number,
      count: number,
    ): void => {
      this.#stories.push({
        name,
        from,
        until: from + lasts,
        place,
        people: some(people),
        perDay,
        numbers: numbers(place, count),
      });
    };
    const anyDay = (): number => random.integer(0, Math.max(0, days - 1));
    if (random.chance(days / 60))
      add(
        'new-branch',
        anyDay(),
        days,
        random.chance(0.5) ? random.weighted(ordinary) : random.weighted(raised),
        random.integer(2, 8),
        random.integer(3, 15),
        6,
      );
    for (let i = random.poisson(days / 20); i > 0; i -= 1)
      add(
        'traveller',
        anyDay(),
        random.integer(2, 7),
        random.chance(0.15) ? random.weighted(high) : random.weighted(raised),
        random.integer(1, 3),
        random.integer(1, 4),
        2,
      );
    if (this.kind === 'call-centre' && random.chance(days / 20))
      add(
        'campaign',
        anyDay(),
        random.integer(1, 4),
        random.chance(0.8) ? random.weighted(ordinary) : random.weighted(raised),
        15,
        300,
        200,
      );
    if (random.chance(0.5))
      add(
        'conference',
        0,
        days,
        random.pick(ordinary.filter(({ rate }) => rate <= 0.03)),
        random.integer(3, 10),
        0,
        1,
      );
  }

  /** All of one day, in no order. */
  *day(date: number, start: number): Generator<LabelledCall> {
    const midnight = start + date * day - offset;
    const weekday = (Math.floor((midnight + offset) / day) + 4) % 7;
    const free = weekday === 0 || weekday === 6 || this.#holidays.has(date);
    const busy = free ? shapes[this.kind].weekend : weekday === 1 ? 1.3 : 1;
    const random = this.#random;
    for (const person of this.people) {
      const count = random.poisson(person.callsPerDay * (person.shifts ? Math.max(busy, 0.5) : busy));
      for (let i = 0; i < count; i += 1) yield* this.#everyday(person, midnight + this.#timeOfDay(person));
    }
    for (const story of this.#stories)
      if (date >= story.from && date < story.until && (!free || story.name === 'traveller'))
        yield* this.#tell(story, midnight, weekday);
  }

  /** Two humps, before and after noon; those in shifts at any time. */
  #timeOfDay({ shifts }: Person): number {
    const random = this.#random;
    if (shifts && random.chance(0.3)) return random.next() * day;
    if (random.chance(0.02)) return random.next() * day;
    const at = random.chance(0.5) ? 10.3 : 14.7;
    return Math.max(0, Math.min(day - 1, (at + random.normal() * 1.5) * hour));
  }

  *#everyday(person: Person, at: number): Generator<LabelledCall> {
    const random = this.#random;
    if (!random.chance(person.abroad)) {
      const place = random.chance(0.35) ? homeMobile : homeFixed;
      yield this.#call(person, at, place, dial(random, place), person.forwards && random.chance(0.2), '');
      return;
    }
    if (random.chance(0.02)) {
      // Somebody new; a wrong number now and then, and a hotline.
      const place = random.weighted([...ordinary, ...raised, ...high, ...premium]);
      yield this.#call(person, at, place, dial(random, place), false, 'somebody new');
      return;
    }
    const { place, called } = random.weighted(person.partners);
    if (random.chance(0.04)) {
      // They called first, and nobody was there.
      const missed = at - random.between(2, 90) * minute;
      // Yesterday's calls are told already.
      if (Math.floor((missed + offset) / day) !== Math.floor((at + offset) / day)) return;
      yield { ...this.#call(person, missed, place, called, false, 'call-back'), incoming: true, seconds: 0 };
      yield this.#call(person, at, place, called, false, 'call-back');
      return;
    }
    yield this.#call(person, at, place, called, false, '');
  }

  *#tell(story: Story, midnight: number, weekday: number): Generator<LabelledCall> {
    const random = this.#random;
    if (story.name === 'conference') {
      if (weekday !== 2) return;
      for (const person of story.people) {
        const at = midnight + 10 * hour + random.between(-3, 6) * minute;
        yield {
          ...this.#call(person, at, story.place, story.numbers[0]!, false, story.name),
          seconds: random.between(25, 70) * 60,
        };
      }
      return;
    }
    const travels = story.name === 'traveller';
    for (let i = random.poisson(story.perDay); i > 0; i -= 1) {
      const person = random.pick(story.people);
      const at = midnight + (travels ? random.between(7, 22) * hour : this.#timeOfDay(person));
      yield this.#call(person, at, story.place, random.pick(story.numbers), false, story.name);
    }
  }

  #call(
    person: Person,
    at: number,
    place: Place,
    called: string,
    forwarded: boolean,
    story: string,
  ): LabelledCall {
    const random = this.#random;
    const answered = random.chance(0.68);
    const abroad = place.risk !== 'home';
    const caller = this.kind === 'carrier' ? `4940${random.digits(5)}` : person.number;
    return {
      facts: this.facts(person.name, caller, Math.round(at), place, called, forwarded),
      incoming: false,
      setupSeconds: random.between(4, 25),
      seconds: answered ? Math.min(7_200, random.logNormal(abroad ? 160 : 110, 1.1)) : 0,
      fraud: '',
      story,
      site: this.kind,
      proves: person.proves,
    };
  }

  facts(
    account: string,
    caller: string,
    at: number,
    place: Place,
    called: string,
    forwarded: boolean,
  ): CallFacts {
    this.#calls += 1;
    const { country, prefix, risk, rate } = place;
    return {
      id: `${this.domain}/${this.#calls}`,
      at,
      domain: this.domain,
      account,
      caller,
      called,
      country,
      prefix,
      risk,
      rate,
      forwarded,
    };
  }
}
