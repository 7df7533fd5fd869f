/** Most forks whose ACK is remembered; further ones are to be ended by BYE. */
export const maxForks = 16;

/**
 * Remembers the ACK of every 2xx to one INVITE, so that a repeated 2xx gets it again (RFC 3261 §13.2.2.4).
 *
 * Each fork of the INVITE answers with its own To tag. The memory ends 64*T1 after the first 2xx, when the
 * client transaction stops passing them on (timer M of RFC 6026).
 */
export class Uac2xx {
  readonly #acks = new Map<string, Uint8Array>();
  #until: number;

  /** `now`: when the first 2xx came; `T1` in milliseconds, default 500. */
  constructor(now: number, T1 = 500) {
    this.#until = now + 64 * T1;
  }

  /** Number of answers acknowledged. */
  get size(): number {
    return this.#acks.size;
  }

  /** Keeps the bytes that `TransactionLayer.sendAck` returned; false where there were too many forks. */
  remember(toTag: string, ack: Uint8Array): boolean {
    if (!this.#acks.has(toTag) && this.#acks.size >= maxForks) return false;
    this.#acks.set(toTag, ack);
    return true;
  }

  /** Bytes to send again; undefined for the first 2xx of a fork, or after the end. */
  ackFor(toTag: string): Uint8Array | undefined {
    return this.#acks.get(toTag);
  }

  handleTimeout(now: number): void {
    if (now < this.#until) return;
    this.#until = Number.POSITIVE_INFINITY;
    this.#acks.clear();
  }

  /** When to call `handleTimeout`, Infinity once the memory is empty for good. */
  nextTimeout(): number {
    return this.#until;
  }
}
