/** A step smaller than this is what time servers do every day. */
const jumpMs = 2_000;

/**
 * Notices when the machine's clock is set while the edge runs. The edge counts on with its own, which never jumps, so
 * no call, timer or registration is touched.
 */
export class ClockWatch {
  readonly #wall: () => number;
  readonly #steady: () => number;
  #offset: number;

  /** `steady`: Unix ms that never jump. `wall`: the machine's clock. */
  constructor(steady: () => number, wall: () => number) {
    this.#steady = steady;
    this.#wall = wall;
    this.#offset = wall() - steady();
  }

  /** How far the machine's clock has jumped since the last look, in ms; 0 where it has not. */
  look(): number {
    const offset = this.#wall() - this.#steady();
    const jump = offset - this.#offset;
    if (Math.abs(jump) < jumpMs) return 0;
    this.#offset = offset;
    return jump;
  }

  /** How far the machine's clock is from the one that the edge counts with, in ms. */
  get offset(): number {
    return this.#offset;
  }
}
