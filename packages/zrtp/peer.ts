import { equal } from './hash.ts';
import { image, sealFits } from './hash-chain.ts';
import type { HelloMessage } from './message/hello.ts';
import { helloHashOf } from './zrtp-hash.ts';

/** Which of the peer's messages a shown image keys the MAC of, RFC 6189 §9. */
type Sealed = 'hello' | 'commit' | 'dhPart';
const sealedBy: readonly (Sealed | undefined)[] = ['dhPart', 'commit', 'hello', undefined];

/** The peer of one stream: its Hello, and its hash chain as far as it has shown it. */
export class Peer {
  readonly hello: HelloMessage;
  readonly helloBytes: Uint8Array;
  readonly #images: Uint8Array[] = [];
  #lowest = 3;
  readonly #messages: Partial<Record<Sealed, Uint8Array>> = {};

  constructor(hello: HelloMessage, bytes: Uint8Array) {
    this.hello = hello;
    this.helloBytes = bytes;
    this.#images[3] = hello.h3;
    this.#messages.hello = bytes;
  }

  get zid(): Uint8Array {
    return this.hello.zid;
  }

  get h3(): Uint8Array {
    return this.hello.h3;
  }

  /** Whether this is the Hello of an `a=zrtp-hash`. */
  static fits(bytes: Uint8Array, helloHash: Uint8Array): boolean {
    return equal(helloHashOf(bytes), helloHash);
  }

  /** Whether a preimage belongs to the chain: images that were skipped are made on the way, RFC 6189 §9. */
  belongs(level: 0 | 1 | 2, preimage: Uint8Array): boolean {
    return this.#chain(level, preimage) !== undefined;
  }

  /**
   * Takes a preimage and checks the MAC of every message that it or a skipped one keys.
   *
   * `image`: it is of another chain, and nothing has changed. Otherwise the message whose MAC does not fit: somebody has
   * changed it on its way.
   */
  show(level: 0 | 1 | 2, preimage: Uint8Array): 'ok' | 'image' | Sealed {
    const images = this.#chain(level, preimage);
    if (images === undefined) return 'image';
    for (let at = this.#lowest - 1; at >= level; at--) {
      this.#images[at] = images[at]!;
      const sealed = sealedBy[at];
      const message = sealed && this.#messages[sealed];
      if (sealed && message && !sealFits(message, images[at]!)) return sealed;
    }
    this.#lowest = Math.min(this.#lowest, level);
    return 'ok';
  }

  /** A message whose MAC can be checked once the next image is shown. */
  await(sealed: Sealed, message: Uint8Array): void {
    this.#messages[sealed] = message;
  }

  #chain(level: number, preimage: Uint8Array): Uint8Array[] | undefined {
    if (level >= this.#lowest) return equal(this.#images[level]!, preimage) ? [] : undefined;
    const images: Uint8Array[] = [];
    images[level] = Uint8Array.from(preimage);
    for (let at = level + 1; at <= this.#lowest; at++) images[at] = image(images[at - 1]!);
    return equal(images[this.#lowest]!, this.#images[this.#lowest]!) ? images : undefined;
  }
}
