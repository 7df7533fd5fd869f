import { type AnswerInput, answer } from '@ringfence/sip/digest/client.ts';
import type { SipResponse, Uri } from '@ringfence/sip/message/types.ts';
import { serializeUri } from '@ringfence/sip/message/uri.ts';
import type { Trunk } from '../objects/types.ts';

/** A header field that answers a challenge. */
export interface Credentials {
  readonly name: 'Authorization' | 'Proxy-Authorization';
  readonly value: string;
}

/** What a challenge asks for, and where. */
export interface Challenged {
  readonly response: SipResponse;
  readonly method: string;
  readonly uri: Uri;
  readonly cnonce: string;
  /** The request was sent within a call: the one who asks may be the other party. */
  readonly within?: boolean;
}

export const isChallenge = (status: number): boolean => status === 401 || status === 407;

/** Realms remembered for one trunk; a provider has two or three. */
const mostRealms = 8;

/**
 * Answers trunks' challenges with what they were given for us, RFC 3261 §22.2 and §22.3.
 *
 * Whoever is called can answer a BYE or re-INVITE with a challenge of its own, and a provider's proxy may pass that on:
 * an answer could then be guessed at offline (digest leak, CVE-2021-41158). So within a call only realms are answered
 * for which this trunk has asked before, when it was asked for the call or the registration itself; and where the
 * trunk's `realm` is set, no other is answered at all. Phones are never answered: they get no trunk.
 */
export class TrunkRealms {
  /** By domain and name of the trunk; as many as there are trunks with credentials. */
  readonly #known = new Map<string, Set<string>>();

  /** Undefined: there is nothing to say to that. */
  answer(trunk: Trunk | undefined, challenged: Challenged): Credentials | undefined {
    const outbound = trunk?.outbound;
    if (outbound === undefined) return undefined;
    const { response, method, uri, cnonce, within = false } = challenged;
    const proxy = response.status === 407;
    const challenges = response.headers.all(proxy ? 'Proxy-Authenticate' : 'WWW-Authenticate');
    const { username, password, allowMd5 } = outbound;
    const input: AnswerInput = {
      method,
      uri: serializeUri(uri),
      username,
      password,
      cnonce,
      nc: 1,
      allowMd5,
    };
    const key = `${trunk?.domain} ${trunk?.name}`;
    const allowed =
      trunk?.realm !== undefined ? [trunk.realm] : within ? (this.#known.get(key) ?? []) : [undefined];
    for (const realm of allowed) {
      const answered = answer(challenges, realm === undefined ? input : { ...input, realm });
      if (!answered.ok) continue;
      if (!within) this.#learn(key, answered.value.realm);
      return {
        name: proxy ? 'Proxy-Authorization' : 'Authorization',
        value: answered.value.authorization,
      };
    }
    return undefined;
  }

  #learn(key: string, realm: string): void {
    const realms = this.#known.get(key);
    if (realms === undefined) this.#known.set(key, new Set([realm]));
    else if (realms.size < mostRealms) realms.add(realm);
  }
}
