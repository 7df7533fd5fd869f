import { MisuseError } from '@ringfence/bytes/misuse.ts';

/** RFC 3550 A.1. */
const maxDropout = 3000;
const maxMisorder = 100;
const sequences = 65_536;
/** Packets behind the highest among which a repetition is told from a late one. */
const memory = 128;

export interface StatisticsOptions {
  /** Hertz. */
  readonly clockRate: number;
  /**
   * Packets in sequence before a source counts, RFC 3550 A.1. Default 0: a packet comes here after its tag or the
   * address that was signalled has vouched for it.
   */
  readonly probation?: number;
}

export interface Statistics {
  /** Packets that counted, repetitions among them, RFC 3550 A.3. */
  readonly received: number;
  /** Packets that the sequence numbers span, RFC 3550 A.3. */
  readonly expected: number;
  /** `expected - received`; below 0 where packets came twice. */
  readonly lost: number;
  /** Extended highest sequence number, RFC 3550 §6.4.1. */
  readonly highest: number;
  /** Came after one with a higher number. */
  readonly reordered: number;
  readonly duplicates: number;
  /** The sequence began anew, RFC 3550 A.1. */
  readonly restarts: number;
  /** In units of the codec's clock, as a report carries it, RFC 3550 A.8. */
  readonly jitter: number;
  readonly jitterMs: number;
}

/**
 * What a receiver knows of one source: RFC 3550 A.1 (sequence), A.3 (loss), A.8 (jitter).
 *
 * The reference for the native counters, so all of it is integer arithmetic that C++ repeats exactly.
 */
export class ReceiverStatistics {
  readonly #clockRate: number;
  readonly #minSequential: number;
  /** Packets in sequence still to come before the source counts. */
  #probation: number;
  #started = false;
  #base = 0;
  #highest = 0;
  /** Turns of the sequence number, times 65,536. */
  #cycles = 0;
  #badSequence = sequences + 1;
  #received = 0;
  /** Of the sequences before the last restart. */
  #receivedBefore = 0;
  #expectedBefore = 0;
  #receivedPrior = 0;
  #expectedPrior = 0;
  #reordered = 0;
  #duplicates = 0;
  #restarts = 0;
  #transit = 0;
  #hasTransit = false;
  /** Times 16, RFC 3550 A.8. */
  #jitter = 0;
  /** Sequence number of the packet last seen in each place, -1 for none. */
  readonly #seen = new Int32Array(memory).fill(-1);

  /** @throws MisuseError `rtp-clock` unless the clock rate is an integer above 0. */
  constructor({ clockRate, probation = 0 }: StatisticsOptions) {
    if (!Number.isInteger(clockRate) || clockRate < 1)
      throw new MisuseError('rtp-clock', 'a clock rate is an integer above 0');
    this.#clockRate = clockRate;
    this.#minSequential = probation;
    this.#probation = probation;
  }

  /**
   * Counts a packet. `arrival` is a steady time in microseconds, an integer.
   *
   * Gives whether the packet counts: not one on probation, nor one far off the sequence.
   */
  receive(sequence: number, timestamp: number, arrival: number): boolean {
    if (!this.#started) {
      this.#started = true;
      this.#start(sequence);
      if (this.#probation > 0) this.#highest = (sequence - 1) & 0xffff;
    }
    if (!this.#updateSequence(sequence)) return false;
    this.#updateJitter(timestamp, arrival);
    return true;
  }

  /** RFC 3550 A.3: of the packets expected since the last call, the part that was lost, of 256. */
  fractionLost(): number {
    const expected = this.#expected();
    const received = this.#receivedBefore + this.#received;
    const expectedInterval = expected - this.#expectedPrior;
    const lostInterval = expectedInterval - (received - this.#receivedPrior);
    this.#expectedPrior = expected;
    this.#receivedPrior = received;
    if (expectedInterval === 0 || lostInterval <= 0) return 0;
    return Math.min(255, Math.floor((lostInterval * 256) / expectedInterval));
  }

  snapshot(): Statistics {
    const expected = this.#expected();
    const received = this.#receivedBefore + this.#received;
    const jitter = this.#jitter >>> 4;
    return {
      received,
      expected,
      lost: expected - received,
      highest: this.#cycles + this.#highest,
      reordered: this.#reordered,
      duplicates: this.#duplicates,
      restarts: this.#restarts,
      jitter,
      jitterMs: (jitter * 1000) / this.#clockRate,
    };
  }

  #expected(): number {
    if (this.#received === 0) return this.#expectedBefore;
    return this.#expectedBefore + this.#cycles + this.#highest - this.#base + 1;
  }

  /** `init_seq` of RFC 3550 A.1. */
  #start(sequence: number): void {
    this.#base = sequence;
    this.#highest = sequence;
    this.#badSequence = sequences + 1;
    this.#cycles = 0;
    this.#received = 0;
    this.#seen.fill(-1);
  }

  /** `update_seq` of RFC 3550 A.1. */
  #updateSequence(sequence: number): boolean {
    const ahead = (sequence - this.#highest) & 0xffff;
    if (this.#probation > 0) {
      this.#probation = ahead === 1 ? this.#probation - 1 : this.#minSequential - 1;
      this.#highest = sequence;
      if (this.#probation > 0) return false;
      this.#start(sequence);
    } else if (ahead < maxDropout) {
      if (ahead === 0 && this.#received > 0) this.#duplicates += 1;
      else if (sequence < this.#highest) this.#cycles += sequences;
      this.#highest = sequence;
    } else if (ahead <= sequences - maxMisorder) {
      // Two packets in a row from far away: the source began anew. One alone is not counted.
      if (sequence !== this.#badSequence) {
        this.#badSequence = (sequence + 1) & 0xffff;
        return false;
      }
      this.#expectedBefore = this.#expected();
      this.#receivedBefore += this.#received;
      this.#restarts += 1;
      this.#hasTransit = false;
      this.#start(sequence);
    } else if (this.#seen[sequence % memory] === sequence) this.#duplicates += 1;
    else this.#reordered += 1;
    this.#seen[sequence % memory] = sequence;
    this.#received += 1;
    return true;
  }

  /** RFC 3550 A.8, in integers. */
  #updateJitter(timestamp: number, arrival: number): void {
    const units = Math.floor((arrival * this.#clockRate) / 1_000_000);
    const transit = (units - timestamp) | 0;
    if (this.#hasTransit) {
      const difference = Math.abs((transit - this.#transit) | 0);
      this.#jitter += difference - ((this.#jitter + 8) >>> 4);
    }
    this.#transit = transit;
    this.#hasTransit = true;
  }
}
