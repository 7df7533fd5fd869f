import type { Pair } from './checklist.ts';
import { idOf } from './transactions.ts';

/** How long the peer may be silent before nothing is sent to it any more, RFC 7675 §5.1. */
export const consentLasts = 30_000;
/** Between consent checks 5 s, from 0.8 to 1.2 times that, RFC 7675 §5.1: ms. */
const leastPause = 4_000;
const pauseSpread = 2_000;
/** Checks that may be answered still: those of 30 s. */
const mostAsked = 8;

/** Asks the peer of one pair whether it goes on receiving, RFC 7675. */
export class Consent {
  readonly pair: Pair;
  /** When the peer last consented. */
  givenAt: number;
  #nextAt: number;
  readonly #asked: string[] = [];
  readonly #random: (octets: number) => Uint8Array;

  constructor(pair: Pair, now: number, random: (octets: number) => Uint8Array) {
    this.pair = pair;
    this.givenAt = now;
    this.#random = random;
    this.#nextAt = now + this.#pause();
  }

  get until(): number {
    return this.givenAt + consentLasts;
  }

  get nextAt(): number {
    return this.#nextAt;
  }

  /** A check of its own id each time, never sent again, §5.1. */
  tick(now: number, ask: (pair: Pair) => Uint8Array): void {
    if (now < this.#nextAt) return;
    this.#nextAt = now + this.#pause();
    if (this.#asked.length >= mostAsked) this.#asked.shift();
    this.#asked.push(idOf(ask(this.pair)));
  }

  hasAsked(id: string): boolean {
    return this.#asked.includes(id);
  }

  /** One answer for one check. */
  given(id: string, now: number): void {
    this.#asked.splice(this.#asked.indexOf(id), 1);
    this.givenAt = now;
  }

  #pause(): number {
    const [high, low] = this.#random(2) as unknown as [number, number];
    return leastPause + Math.round((pauseSpread * (high * 256 + low)) / 65_535);
  }
}
