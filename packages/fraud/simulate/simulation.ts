import { Campaign } from './campaign.ts';
import { Random } from './random.ts';
import { Site } from './site.ts';
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
  #told: Campaign | undefined;

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
      const end = start + (date + 1) * day;
      for (const call of today) {
        yield* this.#frauds(Math.min(call.facts.at, end));
        this.#told = undefined;
        yield call;
      }
      yield* this.#frauds(end);
    }
  }

  /** What became of the call that was taken last. */
  tell(outcome: Outcome): void {
    this.#told?.tell(outcome);
  }

  /** What became of a call of that campaign after it had begun. */
  tellLater(fraud: string, outcome: Outcome): void {
    this.#campaigns.find(({ name }) => name === fraud)?.tell(outcome);
  }

  *#frauds(until: number): Generator<LabelledCall> {
    for (;;) {
      let first: Campaign | undefined;
      for (const campaign of this.#campaigns)
        if (campaign.next <= until && (first === undefined || campaign.next < first.next)) first = campaign;
      if (first === undefined) return;
      this.#told = first;
      yield first.take();
    }
  }
}
