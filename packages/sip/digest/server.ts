import { timingSafeEqual } from 'node:crypto';
import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { parseAuthParams, serializeAuthParams } from '../message/auth-params.ts';
import { parseUri, uriEquals } from '../message/uri.ts';
import { type DigestAlgorithm, digestAlgorithm, digestLength } from './algorithm.ts';
import { NonceMint } from './nonce.ts';
import { ReplayMemory } from './replay.ts';
import { digestResponse } from './response.ts';

export interface DigestServerOptions {
  /** Key of the nonces, at least 16 random octets; the same key lets nonces live through a restart. */
  readonly key: Uint8Array;
  /** Milliseconds for which a nonce is good. */
  readonly nonceLifetimeMs: number;
  /** Nonces whose use is remembered at a time, about 150 octets each. */
  readonly maxNonces: number;
  /** Accepts credentials without `qop` (RFC 2069): each nonce then serves once. Default false. */
  readonly allowNoQop?: boolean;
}

export interface ChallengeInput {
  readonly realm: string;
  /** Most preferred first; each once. */
  readonly algorithms: readonly DigestAlgorithm[];
  /** Where the request came from; the nonce is good from there alone. */
  readonly source: string;
  /** The credentials were right, only their nonce was too old (RFC 7616 §3.3). */
  readonly stale?: boolean;
  readonly now: number;
}

export interface VerifyInput {
  /** Values of Authorization or Proxy-Authorization; undefined where there is none. */
  readonly authorization: string | readonly string[] | undefined;
  readonly method: string;
  /** Request-URI as text. */
  readonly uri: string;
  readonly source: string;
  readonly now: number;
  /** Realms that may answer for this request. */
  readonly realms: readonly string[] | ReadonlySet<string>;
  /** HA1 of a user, undefined where there is no such user or the algorithm is not allowed to it. */
  readonly lookup: (username: string, realm: string, algorithm: DigestAlgorithm) => Uint8Array | undefined;
  /** Needed for `auth-int`. */
  readonly body: Uint8Array;
}

export interface DigestIdentity {
  readonly username: string;
  readonly realm: string;
  readonly algorithm: DigestAlgorithm;
}

export type DigestRefusal =
  /** No credentials for one of the realms. */
  | 'missing'
  /** The credentials are right; a new challenge with `stale` is due, and this is no failed attempt. */
  | 'stale'
  /** A nonce that we did not give to this source for this realm. */
  | 'bad-nonce'
  | 'replay'
  | 'bad-uri'
  | 'bad-algorithm'
  | 'bad-credentials'
  | 'malformed';

const refuse = (reason: DigestRefusal) => err({ reason });

/** HA1 that no password has, for users that do not exist. */
const dummies: Readonly<Record<DigestAlgorithm, Uint8Array>> = {
  'SHA-512-256': new Uint8Array(digestLength['SHA-512-256']),
  'SHA-256': new Uint8Array(digestLength['SHA-256']),
  MD5: new Uint8Array(digestLength.MD5),
};

interface Credentials extends DigestIdentity {
  readonly nonce: string;
  readonly uri: string;
  readonly response: string;
  readonly qop:
    | { readonly name: 'auth' | 'auth-int'; readonly nc: string; readonly cnonce: string }
    | undefined;
}

const isHex = (text: string, length: number): boolean => {
  if (text.length !== length) return false;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i) | 0x20;
    if (!((code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66))) return false;
  }
  return true;
};

/**
 * Challenges and verifies by Digest, RFC 7616 and RFC 8760, without state for those who were only challenged.
 *
 * A nonce is good for one realm, one source and a set time, each of its counts once. Unknown users cost the work
 * of known ones and get the same answer; comparisons take the same time wherever they fail. The `uri` of the
 * credentials has to be the Request-URI, so that credentials for one call pay for no other.
 */
export class DigestServer {
  readonly #mint: NonceMint;
  readonly #lifetime: number;
  readonly #allowNoQop: boolean;
  readonly #replay: ReplayMemory;
  #counter = 0;

  constructor(options: DigestServerOptions) {
    if (options.key.length < 16) throw new MisuseError('short-key', 'a nonce key has at least 16 octets');
    if (!(options.nonceLifetimeMs > 0 && options.maxNonces > 0)) {
      throw new MisuseError('bad-limit', 'nonce lifetime and number of nonces are positive');
    }
    this.#mint = new NonceMint(options.key);
    this.#lifetime = options.nonceLifetimeMs;
    this.#allowNoQop = options.allowNoQop ?? false;
    this.#replay = new ReplayMemory(options.maxNonces, options.nonceLifetimeMs);
  }

  /** Nonces remembered now. */
  get remembered(): number {
    return this.#replay.size;
  }

  /** One WWW-Authenticate (or Proxy-Authenticate) value per algorithm, in the order given (RFC 8760 §2.4). */
  challenge(input: ChallengeInput): string[] {
    this.#counter = (this.#counter + 1) >>> 0;
    const nonce = this.#mint.make(input.realm, input.source, input.now, this.#counter);
    const values: string[] = [];
    for (const algorithm of input.algorithms) {
      const params: [string, string][] = [
        ['realm', input.realm],
        ['nonce', nonce],
        ['algorithm', algorithm],
        ['qop', 'auth'],
      ];
      if (input.stale === true) params.push(['stale', 'true']);
      values.push(serializeAuthParams('Digest', params));
    }
    return values;
  }

  verify(input: VerifyInput): Result<DigestIdentity, { readonly reason: DigestRefusal }> {
    const credentials = this.#read(input);
    if (typeof credentials === 'string') return refuse(credentials);
    const { username, realm, algorithm, nonce, qop } = credentials;
    const opened = this.#mint.open(realm, input.source, nonce);
    if (opened === undefined) return refuse('bad-nonce');
    if (!sameUri(credentials.uri, input.uri)) return refuse('bad-uri');

    const known = input.lookup(username, realm, algorithm);
    if (known !== undefined && known.length !== digestLength[algorithm]) {
      throw new MisuseError('bad-ha1', `an HA1 of ${algorithm} has ${digestLength[algorithm]} octets`);
    }
    const expected = digestResponse({
      algorithm,
      ha1: known ?? dummies[algorithm],
      nonce,
      method: input.method,
      uri: credentials.uri,
      ...(qop === undefined ? {} : { qop: { ...qop, body: input.body } }),
    });
    const equal = timingSafeEqual(
      Buffer.from(expected, 'latin1'),
      Buffer.from(credentials.response.toLowerCase(), 'latin1'),
    );
    if (!equal || known === undefined) return refuse('bad-credentials');

    // Only now, with the password proven, may anything be remembered.
    if (opened.at + this.#lifetime < input.now) return refuse('stale');
    const count = qop === undefined ? 1 : Number.parseInt(qop.nc, 16);
    const verdict = this.#replay.use(nonce, opened.at, count, input.now);
    if (verdict === 'forgotten') return refuse('stale');
    if (verdict === 'replay') return refuse('replay');
    return ok({ username, realm, algorithm });
  }

  /** The first credentials for one of our realms. */
  #read(input: VerifyInput): Credentials | DigestRefusal {
    const { authorization } = input;
    if (authorization === undefined) return 'missing';
    const realms = new Set(input.realms);
    let malformed = false;
    for (const value of typeof authorization === 'string' ? [authorization] : authorization) {
      const parsed = parseAuthParams(value);
      if (!parsed.ok) {
        malformed ||= value.trimStart().slice(0, 6).toLowerCase() === 'digest';
        continue;
      }
      const { scheme, params } = parsed.value;
      const realm = params.get('realm');
      if (scheme === 'digest' && realm !== undefined && realms.has(realm)) return this.#fields(params, realm);
    }
    return malformed ? 'malformed' : 'missing';
  }

  #fields(params: ReadonlyMap<string, string>, realm: string): Credentials | DigestRefusal {
    const username = params.get('username');
    const nonce = params.get('nonce');
    const uri = params.get('uri');
    const response = params.get('response');
    if (username === undefined || nonce === undefined || uri === undefined || response === undefined) {
      return 'malformed';
    }
    // We never offer a hashed user name (RFC 7616 §3.4.4).
    if (params.get('userhash')?.toLowerCase() === 'true') return 'malformed';
    const algorithm = digestAlgorithm(params.get('algorithm'));
    if (algorithm === undefined) return 'bad-algorithm';
    if (!isHex(response, 2 * digestLength[algorithm])) return 'malformed';
    const name = params.get('qop')?.toLowerCase();
    if (name === undefined) {
      if (!this.#allowNoQop) return 'malformed';
      return { username, realm, algorithm, nonce, uri, response, qop: undefined };
    }
    const nc = params.get('nc') ?? '';
    const cnonce = params.get('cnonce') ?? '';
    if (name !== 'auth' && name !== 'auth-int') return 'malformed';
    if (!isHex(nc, 8) || nc === '00000000' || cnonce === '') return 'malformed';
    return { username, realm, algorithm, nonce, uri, response, qop: { name, nc, cnonce } };
  }
}

/** RFC 7616 §3.4.6 by way of RFC 3261 §22.4: equal as text, or equal as URIs. */
function sameUri(claimed: string, actual: string): boolean {
  if (claimed === actual) return true;
  const a = parseUri(claimed);
  const b = parseUri(actual);
  return a.ok && b.ok && uriEquals(a.value, b.value);
}
