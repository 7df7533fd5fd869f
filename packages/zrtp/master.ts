import type { Choice } from './algorithm.ts';
import { enrollmentSecret, renewedSession, type Zids } from './key-derivation.ts';

/** Streams of one call; each has used a nonce, and a nonce is never used twice, RFC 6189 §4.4.3.1. */
export const mostNonces = 64;

/** ZRTPSess of a call: what more streams of it get their keys from, RFC 6189 §4.5.2. */
export class Master {
  readonly choice: Choice;
  readonly peerZid: Uint8Array;
  readonly #zids: Zids;
  #key: Uint8Array;
  readonly #nonces = new Set<string>();

  constructor(choice: Choice, key: Uint8Array, zids: Zids, peerZid: Uint8Array) {
    this.choice = choice;
    this.peerZid = peerZid;
    this.#key = key;
    this.#zids = zids;
  }

  get key(): Uint8Array {
    return this.#key;
  }

  /** False where it was used before, or where there have been too many. */
  useNonce(nonce: Uint8Array): boolean {
    const text = Buffer.from(nonce).toString('hex');
    if (this.#nonces.has(text) || this.#nonces.size >= mostNonces) return false;
    this.#nonces.add(text);
    return true;
  }

  /** pbxsecret, RFC 6189 §7.3.1. */
  enrollmentSecret(): Uint8Array {
    return enrollmentSecret(this.choice.hash, this.#key, this.#zids);
  }

  /** After GoClear, RFC 6189 §4.7.2.1: the old key cannot be had from the new one. */
  renew(): void {
    const next = renewedSession(this.choice.hash, this.#key, this.#zids);
    this.#key.fill(0);
    this.#key = next;
  }

  wipe(): void {
    this.#key.fill(0);
  }
}
