import { Campaign } from './campaign.ts';
import { Random } from './random.ts';
import { offset, Site } from './site.ts';
import { type LabelledCall, type Outcome, type SimulationOptions, siteKinds } from './types.ts';

const day = 86_400_000;

/**
 * Labelled traffic in the order of time, the same for the same seed and the same answers of `tell`.
 *
 * Memory holds one day of calls. Usual calls do not depend on what becomes of others; fraud that adapts does.
 */
export class Simulation {
  readonly options: SimulationOptions;
  readonly sites: readonly Site[];
  readonly #campaigns: Campaign[] = [];
  readonly #byName: ReadonlyMap<string, Campaign>;
  /** People who were refused or cut off and try once more. */
  #again: LabelledCall[] = [];

  constructor(options: SimulationOptions) {
    this.options = options;
    const { seed, sites, days, start, fraudsPerSiteDay, kinds } = options;
    let stream = 1;
    this.sites = siteKinds.flatMap((kind) =>
      Array.from({ length: sites[kind] }, (_, i) => {
        stream += 1;
        return new Site(kind, i, new Random(seed, stream), options);
      }),
    );
    const random = new Random(seed, 0);
    let index = 0;
    if (kinds.length > 0)
      for (const site of this.sites)
        for (let i = random.poisson(fraudsPerSiteDay * days); i > 0; i -= 1) {
          stream += 1;
          index += 1;
          const kind = kinds[index % kinds.length]!;
          // One in five comes within the first hours, when nothing has been learned.
          const from = start + (random.chance(0.2) ? random.next() * day * 0.25 : random.next() * days * day);
          this.#campaigns.push(new Campaign(kind, index, site, from, new Random(seed, stream)));
        }
    this.#byName = new Map(this.#campaigns.map((campaign) => [campaign.name, campaign]));
  }

  /** Names of all campaigns; some may find no time for a call. */
  get campaigns(): readonly string[] {
    return this.#campaigns.map(({ name }) => name);
  }

  *calls(): Generator<LabelledCall> {
    const { days, start } = this.options;
    for (let date = 0; date < days; date += 1) {
      const today: LabelledCall[] = [];
      for (const site of this.sites) for (const call of site.day(date, start)) today.push(call);
      today.sort((a, b) => a.facts.at - b.facts.at);
      const end = start + (date + 1) * day - offset;
      for (const call of today) {
        yield* this.#frauds(call.facts.at);
        yield call;
      }
      yield* this.#frauds(end);
    }
  }

  /** What became of a call, at once or after it had begun. */
  tell(call: LabelledCall, outcome: Outcome, at: number): void {
    if (outcome === 'passed') return;
    if (call.fraud !== '') this.#byName.get(call.fraud)?.tell(outcome);
    else if (this.#again.length < mostAgain && !call.facts.id.endsWith('+'))
      this.#again.push(dialledAgain(call, at));
  }

  *#frauds(until: number): Generator<LabelledCall> {
    if (this.#again.some(({ facts }) => facts.at <= until)) {
      const due = this.#again.filter(({ facts }) => facts.at <= until);
      this.#again = this.#again.filter(({ facts }) => facts.at > until);
      yield* due;
    }
    for (;;) {
      let first: Campaign | undefined;
      for (const campaign of this.#campaigns)
        if (campaign.next <= until && (first === undefined || campaign.next < first.next)) first = campaign;
      if (first === undefined) return;
      yield first.take();
    }
  }
}

/** Nobody tries for ever; more than this many at a time are not followed. */
const mostAgain = 1_000;

function dialledAgain(call: LabelledCall, at: number): LabelledCall {
  const { facts, seconds } = call;
  const talked = Math.max(0, (at - facts.at) / 1_000 - call.setupSeconds);
  return {
    ...call,
    facts: { ...facts, id: `${facts.id}+`, at: at + 90_000 },
    seconds: Math.max(30, seconds - talked),
  };
}
