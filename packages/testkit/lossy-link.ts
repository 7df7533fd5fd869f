import type { SeededRandom } from './random.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface LinkConditions {
  /** Probability that an item is lost. Default 0. */
  readonly loss?: number;
  /** Probability that an item comes twice. Default 0. */
  readonly duplication?: number;
  /** Milliseconds on the way, drawn for each copy; a range reorders. Default 10 to 10. */
  readonly delay?: readonly [least: number, most: number];
  /** In order, nothing lost or doubled, as a connection: only `delay` counts. Default false. */
  readonly reliable?: boolean;
}

export interface LinkEnd<T> {
  send(item: T): void;
  /** Called with what the other end sent. */
  receive: (item: T, now: number) => void;
}

const nobody = (): never => {
  throw new Error('nobody receives at this end of the link');
};

/** Two ends in virtual time with loss, reordering, duplication and delay, all out of one seed. */
export class LossyLink<T> {
  readonly a: LinkEnd<T>;
  readonly b: LinkEnd<T>;
  /** Items on their way. */
  flying = 0;
  lost = 0;
  doubled = 0;
  delivered = 0;
  readonly #time: VirtualTime;
  readonly #random: SeededRandom;
  /** May be changed while it runs, e.g. to cut the link. */
  conditions: LinkConditions;

  constructor(time: VirtualTime, random: SeededRandom, conditions: LinkConditions = {}) {
    this.#time = time;
    this.#random = random;
    this.conditions = conditions;
    const lastArrival = { a: 0, b: 0 };
    this.a = { send: (item) => this.#send(item, 'b', lastArrival), receive: nobody };
    this.b = { send: (item) => this.#send(item, 'a', lastArrival), receive: nobody };
  }

  #send(item: T, to: 'a' | 'b', lastArrival: { a: number; b: number }): void {
    const { loss = 0, duplication = 0, delay = [10, 10], reliable = false } = this.conditions;
    if (!reliable && this.#random.chance(loss)) {
      this.lost++;
      return;
    }
    const copies = !reliable && this.#random.chance(duplication) ? 2 : 1;
    if (copies === 2) this.doubled++;
    for (let i = 0; i < copies; i++) {
      let arrival = this.#time.now + this.#random.integer(delay[0], delay[1]);
      if (reliable) arrival = lastArrival[to] = Math.max(arrival, lastArrival[to]);
      this.flying++;
      this.#time.at(arrival, (now) => {
        this.flying--;
        this.delivered++;
        this[to].receive(item, now);
      });
    }
  }
}
