import type { LegProtection } from './protection.ts';

/** What may be the work of somebody in the middle. */
export type TamperKind =
  /** The peer spoke with encryption before, and now does without. */
  | 'encryption-missing'
  /** Encryption was offered, or agreed on, and what came back has none: it was refused. */
  | 'encryption-stripped'
  /** The certificate of the peer's DTLS is not the one that signalling named. */
  | 'dtls-fingerprint'
  /** It is the one that signalling named, but not the one that the peer always had. */
  | 'dtls-certificate-changed'
  /** The certificate that a peer shows in TLS is not the one that it always had. */
  | 'tls-certificate-changed'
  /** The certificate is none of those that configuration has of the party, or there is none. */
  | 'certificate-pinned'
  /** The ZRTP Hello is not the one that signalling named (RFC 6189 §8.1). */
  | 'zrtp-hello'
  /** A value of the ZRTP exchange does not fit what was promised before. */
  | 'zrtp-authentication'
  /** The ZRTP secret of an earlier call is not what it was (RFC 6189 §4.6.1.1). */
  | 'zrtp-continuity'
  /** A phone that is known has another ZRTP identity. */
  | 'zrtp-identity'
  /** A person has compared the short authentication strings, and they differ. */
  | 'zrtp-string';

export interface TamperFinding {
  readonly kind: TamperKind;
  readonly evidence: Readonly<Record<string, string | number>>;
}

interface Known {
  /** Calls in a row with encryption. */
  encrypted: number;
  dtls: Seen | undefined;
  tls: Seen | undefined;
}

/** What is kept of a party over a restart. */
export interface KnownPeer {
  readonly party: string;
  readonly encrypted: number;
  readonly dtls?: Seen;
  readonly tls?: Seen;
}

export interface Seen {
  readonly fingerprint: string;
  /** In so many calls. */
  readonly calls: number;
}

/** So often something must have been the same before a change of it is worth a word. */
export const steadyAfter = 3;

/**
 * What parties have shown of themselves in earlier calls, trusted on first use. A party's name holds its tenant, so
 * tenants never share anything.
 *
 * At most `bound` parties are known, each in about 300 octets; the one not heard of for longest is forgotten first.
 */
export class KnownPeers {
  readonly #known = new Map<string, Known>();
  readonly #bound: number;
  readonly #put: (peer: KnownPeer, forget: readonly string[]) => void;

  /** `put` writes down what has changed of a party, and who was forgotten for it. */
  constructor(
    bound = 10_000,
    kept: readonly KnownPeer[] = [],
    put: (peer: KnownPeer, forget: readonly string[]) => void = () => undefined,
  ) {
    this.#bound = bound;
    this.#put = put;
    for (const { party, encrypted, dtls, tls } of kept.slice(-bound))
      this.#known.set(party, { encrypted, dtls, tls });
  }

  get size(): number {
    return this.#known.size;
  }

  /**
   * What is suspicious about a party's leg in a new call.
   *
   * `learns`: what has changed is trusted from now on, after it was told once. False: it stays suspicious.
   */
  look({ party, signalling, media }: LegProtection, learns: boolean): readonly TamperFinding[] {
    if (party === '' || party === 'unknown' || media.awaiting !== undefined) return [];
    const before = this.#known.get(party);
    const known: Known = before ?? { encrypted: 0, dtls: undefined, tls: undefined };
    const was = worth(known);
    const findings: TamperFinding[] = [];
    if (media.protocol === 'srtp') known.encrypted += 1;
    else if (media.protocol === 'rtp') {
      const steady = known.encrypted >= steadyAfter;
      if (steady)
        findings.push({ kind: 'encryption-missing', evidence: { encryptedCallsBefore: known.encrypted } });
      if (!steady || learns) known.encrypted = 0;
    }
    const change = (kind: TamperKind, seen: Seen | undefined, now: string | undefined): Seen | undefined => {
      if (now === undefined) return seen;
      if (seen === undefined) return { fingerprint: now, calls: 1 };
      if (seen.fingerprint === now) return { fingerprint: now, calls: seen.calls + 1 };
      // Browsers make a new certificate for each call: only what has been steady can be suspicious.
      if (seen.calls < steadyAfter) return { fingerprint: now, calls: 1 };
      findings.push({ kind, evidence: { before: seen.fingerprint, now, calls: seen.calls } });
      return learns ? { fingerprint: now, calls: 1 } : seen;
    };
    known.dtls = change('dtls-certificate-changed', known.dtls, media.dtls?.peerFingerprint);
    known.tls = change('tls-certificate-changed', known.tls, signalling.peerFingerprint);
    // The latest goes to the end.
    this.#known.delete(party);
    this.#known.set(party, known);
    const forget: string[] = [];
    if (this.#known.size > this.#bound) {
      const [oldest] = this.#known.keys();
      if (oldest !== undefined) {
        this.#known.delete(oldest);
        forget.push(oldest);
      }
    }
    if (worth(known) !== was || forget.length > 0) this.#put(kept(party, known), forget);
    return findings;
  }
}

/**
 * Another text where a change is worth writing down: each of the first calls, then the more seldom the more there were.
 * After a crash a count may be half of what it was, which is steady all the same. What was seen once is nothing yet:
 * browsers have a certificate of its own for each call.
 */
const worth = ({ encrypted, dtls, tls }: Known): string =>
  `${step(encrypted)} ${worthOf(dtls)} ${worthOf(tls)}`;

const worthOf = (seen: Seen | undefined): string =>
  seen === undefined || seen.calls < 2 ? '' : `${seen.fingerprint} ${step(seen.calls)}`;

const step = (calls: number): number => (calls <= steadyAfter ? calls : 3 + Math.floor(Math.log2(calls)));

const kept = (party: string, { encrypted, dtls, tls }: Known): KnownPeer => ({
  party,
  encrypted,
  ...(dtls === undefined || dtls.calls < 2 ? {} : { dtls }),
  ...(tls === undefined || tls.calls < 2 ? {} : { tls }),
});
