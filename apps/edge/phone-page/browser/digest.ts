import { sha256Hex } from './sha256.ts';

/** The parts of a challenge as JsSIP reads them. */
export interface Challenge {
  readonly algorithm?: string;
  readonly realm?: string;
  readonly nonce?: string;
  readonly opaque?: string;
  readonly stale?: boolean | null;
  readonly qop?: readonly string[];
}

interface Asked {
  readonly method: string;
  readonly ruri: unknown;
}

/** What we use of JsSIP's class; the fields are what its `toString` writes. */
interface Digest {
  /** After the first challenge JsSIP forgets the password, and keeps HA1 and the realm that it is for. */
  _credentials: {
    readonly username: string;
    readonly password: string | null;
    readonly ha1?: string | null;
    readonly realm?: string | null;
  };
  _algorithm: string;
  _realm: string;
  _nonce: string;
  _opaque: string | undefined;
  _qop: string | null;
  _uri: unknown;
  _nc: number;
  _ncHex: string;
  _cnonce: string;
  _ha1: string;
  _response: string;
  authenticate(asked: Asked, challenge: Challenge, cnonce?: string | null): boolean;
}
export interface DigestClass {
  readonly prototype: Digest;
}

/** JsSIP's class of responses, as far as its parser uses it for challenges. */
export interface ResponseClass {
  readonly prototype: {
    getHeader(name: string): string | undefined;
    setHeader(name: string, value: string): void;
  };
}

/**
 * Has JsSIP, whose parser keeps the last challenge of a response, keep that of SHA-256 where there is one: servers
 * put the one that they would rather have first (RFC 8760 §2.4), and MD5 last.
 */
export function keepSha256({ prototype }: ResponseClass): void {
  const original = prototype.setHeader;
  prototype.setHeader = function setHeader(name, value) {
    if (!/^(?:www|proxy)-authenticate$/i.test(name) || !isSha256(this.getHeader(name)))
      original.call(this, name, value);
  };
}

const isSha256 = (challenge: string | undefined): boolean =>
  challenge !== undefined && /[\s,]algorithm\s*=\s*"?SHA-256"?\s*(?:,|$)/i.test(challenge);

/**
 * Teaches JsSIP, which knows MD5 alone, to answer challenges of SHA-256 (RFC 8760). Others stay its own: that is MD5
 * behind a PBX that has nothing better, over the TLS connection to the server that the page itself has come from.
 *
 * @param makeToken fresh text that nobody can guess, for `cnonce`.
 */
export function teachSha256(type: DigestClass, makeToken: () => string): void {
  const { prototype } = type;
  const original = prototype.authenticate;
  prototype.authenticate = function authenticate(asked, challenge, cnonce) {
    if (challenge.algorithm !== 'SHA-256') return original.call(this, asked, challenge, cnonce);
    const { realm, nonce, qop } = challenge;
    // Without qop the answer would hold for whoever repeats it (RFC 7616 §5.5).
    if (!realm || !nonce || qop?.includes('auth') !== true) return false;
    const ha1 = ha1For(this._credentials, realm);
    if (ha1 === undefined) return false;
    this._algorithm = 'SHA-256';
    this._realm = realm;
    this._nonce = nonce;
    this._opaque = challenge.opaque;
    this._qop = 'auth';
    this._uri = asked.ruri;
    this._cnonce = cnonce ?? makeToken();
    this._nc += 1;
    this._ncHex = this._nc.toString(16).padStart(8, '0');
    this._ha1 = ha1;
    const ha2 = sha256Hex(`${asked.method}:${asked.ruri}`);
    this._response = sha256Hex(`${this._ha1}:${nonce}:${this._ncHex}:${this._cnonce}:auth:${ha2}`);
    return true;
  };
}

function ha1For({ username, password, ha1, realm: known }: Digest['_credentials'], realm: string) {
  if (password) return sha256Hex(`${username}:${realm}:${password}`);
  // One of MD5 is shorter.
  return known === realm && ha1?.length === 64 ? ha1 : undefined;
}
