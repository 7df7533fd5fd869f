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
/** Pressure on the way up and down, per sample: all unknown sources are shed in half a second, and let in again in ten. */
const up = 0.2;
const down = 0.01;
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
    const worst = Math.max(sample.delay / delayMilliseconds, sample.busy / busy, sample.queue / queue);
    const { shedding } = this;
    if (worst >= 1) shedding.pressure += up;
    else if (worst < calm) shedding.pressure -= down;
    const overloaded = shedding.pressure > 0;
    if (overloaded === this.#overloaded) return;
    this.#overloaded = overloaded;
    this.#changed(overloaded, sample);
  }
}
