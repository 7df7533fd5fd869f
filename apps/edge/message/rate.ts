/** Senders that are remembered; of more than these the one that was quiet for longest is forgotten. */
const mostSenders = 10_000;

/** How many messages each sender may send in a minute; a tenth of them may come at once, and never fewer than five. */
export class MessageRate {
  readonly #senders = new Map<string, { tokens: number; at: number }>();

  /** Takes one; false where the sender has had its share. */
  take(sender: string, perMinute: number, now: number): boolean {
    const burst = Math.max(5, perMinute / 10);
    const known = this.#senders.get(sender);
    const tokens =
      known === undefined ? burst : Math.min(burst, known.tokens + ((now - known.at) * perMinute) / 60_000);
    this.#senders.delete(sender);
    const first = this.#senders.size >= mostSenders ? this.#senders.keys().next() : undefined;
    if (first?.done === false) this.#senders.delete(first.value);
    this.#senders.set(sender, { tokens: tokens < 1 ? tokens : tokens - 1, at: now });
    return tokens >= 1;
  }

  get size(): number {
    return this.#senders.size;
  }
}
