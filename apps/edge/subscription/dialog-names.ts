import { createHmac } from 'node:crypto';
import { BoundedMap } from '@ringfence/bytes/bounded-map.ts';

/** Names that can be turned back; each takes about 250 octets. */
const remembered = 20_000;

/**
 * Call-IDs and tags of a PBX's dialogs as its phones are shown them: always the same for the same name, and nothing
 * can be read from them. A phone that picks a call up names it by these (RFC 3891), and they are turned back.
 */
export class DialogNames {
  readonly #key: Uint8Array;
  readonly #names = new BoundedMap<string, string>({ capacity: remembered });

  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** `domain` keeps tenants apart. */
  hide(domain: string, name: string): string {
    const digest = createHmac('sha256', this.#key).update(`${domain}\n${name}`).digest('base64url');
    // An xs:ID begins with a letter.
    const hidden = `d${digest.slice(0, 23)}`;
    this.#names.set(`${domain}\n${hidden}`, name);
    return hidden;
  }

  /** Undefined for what was never hidden in that domain, or so long ago that it is forgotten. */
  reveal(domain: string, hidden: string): string | undefined {
    return this.#names.get(`${domain}\n${hidden}`);
  }
}
