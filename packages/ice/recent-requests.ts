import { readU32 } from '@ringfence/bytes/reader.ts';
import type { Pair } from './checklist.ts';

const places = 256;

/**
 * Remembers where the last 256 requests of the peer came from, in 3 kB at most.
 *
 * The integrity of a check does not cover its source. An agent that only answers makes no check of its own, so a
 * recorded request that is sent again from elsewhere would make elsewhere a place where media goes. A transaction
 * belongs to the address that it first came from, unless it comes from where signalling says that the peer is.
 */
export class RecentRequests {
  /** 32 random bits of each transaction id are enough to tell a few hundred apart. */
  #ids: Uint32Array | undefined;
  readonly #pairs: Pair[] = [];
  #next = 0;

  /** Where this transaction came from first. */
  find(transactionId: Uint8Array): Pair | undefined {
    return this.#pairs[this.#find(transactionId)];
  }

  remember(transactionId: Uint8Array, pair: Pair): void {
    const known = this.#find(transactionId);
    if (known !== -1) {
      this.#pairs[known] = pair;
      return;
    }
    this.#ids ??= new Uint32Array(places);
    this.#ids[this.#next] = readU32(transactionId, 8);
    this.#pairs[this.#next] = pair;
    this.#next = (this.#next + 1) % places;
  }

  #find(transactionId: Uint8Array): number {
    if (this.#ids === undefined) return -1;
    const id = readU32(transactionId, 8);
    for (let at = 0; at < this.#pairs.length; at += 1) if (this.#ids[at] === id) return at;
    return -1;
  }
}
