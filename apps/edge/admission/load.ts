import type { Shedding } from './shedding.ts';

/** What was measured since the last time. */
export interface LoadSample {
  /** Milliseconds that the event loop was late. */
  readonly delay: number;
  /** Share of the time that the event loop worked, 0 to 1. */
  readonly busy: number;
  /** Fullest receive queue of all UDP sockets, 0 to 1. */
  readonly queue: number;
}

export interface LoadThresholds {
  readonly delayMilliseconds: number;
  /** 0 to 1. */
  readonly busy: number;
  readonly queue: number;
}

/** So often a sample is taken. */
export const sampleMilliseconds = 100;
/** Pressure on the way up and down, per sample: all unknown sources are shed in half a second, and let in again in five. */
const up = 0.2;
const down = 0.02;
/** Who is known is refused only where calls come late for seconds on end. */
const upForKnown = 0.05;
/** Being busy alone sheds strangers (unknown, probation); phones and trunks are refused only where calls come late. */
const strangers = 2;
/** Below this share of each threshold the load is over; in between pressure stays, so that it does not swing. */
const calm = 0.8;

/** Turns measured load into pressure: more while a threshold is passed, slowly less once all are well kept. */
export class LoadControl {
  readonly shedding: Shedding;
  readonly #thresholds: () => LoadThresholds;
  readonly #changed: (overloaded: boolean, sample: LoadSample) => void;
  #overloaded = false;

  /** `changed` is called when shedding begins and when it is over. */
  constructor(
    shedding: Shedding,
    thresholds: () => LoadThresholds,
    changed: (overloaded: boolean, sample: LoadSample) => void,
  ) {
    this.shedding = shedding;
    this.#thresholds = thresholds;
    this.#changed = changed;
  }

  get overloaded(): boolean {
    return this.#overloaded;
  }

  sample(sample: LoadSample): void {
    const { delayMilliseconds, busy, queue } = this.#thresholds();
    const late = Math.max(sample.delay / delayMilliseconds, sample.queue / queue);
    const worked = sample.busy / busy;
    const { shedding } = this;
    if (late >= 1) shedding.pressure += shedding.pressure < strangers ? up : upForKnown;
    else if (worked >= 1)
      shedding.pressure = Math.max(shedding.pressure - down, Math.min(shedding.pressure + up, strangers));
    else if (Math.max(late, worked) < calm) shedding.pressure -= down;
    const overloaded = shedding.pressure > 0;
    if (overloaded === this.#overloaded) return;
    this.#overloaded = overloaded;
    this.#changed(overloaded, sample);
  }
}
