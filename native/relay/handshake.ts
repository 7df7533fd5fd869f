import type { Suite } from '@ringfence/srtp/suite.ts';

/**
 * What the media process does by itself on the path of media, beside relaying it: ICE, DTLS and ZRTP. Their keys are
 * made there and stay there; the edge says what it wants and is told what came of it.
 */

/** An `a=fingerprint` (RFC 8122): SHA-1 and MD5 are never taken. */
export interface Fingerprint {
  readonly hash: 'sha-256' | 'sha-384' | 'sha-512';
  readonly value: Uint8Array;
}

/** Suites of `use_srtp` (RFC 5764 §4.1.2, RFC 7714 §14.2), strongest first. */
export const dtlsSuites = [
  'AEAD_AES_256_GCM',
  'AEAD_AES_128_GCM',
  'AES_CM_128_HMAC_SHA1_80',
] as const satisfies readonly Suite[];
export type DtlsSuite = (typeof dtlsSuites)[number];

/** `a=ice-ufrag` and `a=ice-pwd`, RFC 8839 §5.4. */
export interface IceCredentials {
  readonly ufrag: string;
  readonly password: string;
}

/** A peer's candidate over UDP (RFC 8839 §5.1); others are of no use to us. */
export interface IceCandidate {
  readonly foundation: string;
  /** 1 is RTP, 2 is RTCP where the two do not share a port. */
  readonly component: 1 | 2;
  readonly priority: number;
  readonly address: string;
  readonly port: number;
  readonly kind: 'host' | 'srflx' | 'prflx' | 'relay';
}

export interface IceConfig extends IceCredentials {
  /** The peer only answers (`a=ice-lite`): checks are ours to make, whatever we offered. */
  readonly lite: boolean;
  readonly controlling: boolean;
  readonly candidates: readonly IceCandidate[];
  /**
   * Our own from now on, where the peer has begun anew (RFC 8445 §9): what was chosen under those before serves until
   * there is a pair under these. Absent: they stay as they are.
   */
  readonly ours?: IceCredentials;
}

export interface DtlsConfig {
  readonly role: 'client' | 'server';
  /** The certificate has to fit one of these before a packet of media passes in either direction. */
  readonly fingerprints: readonly Fingerprint[];
  /** What may be agreed to. */
  readonly suites: readonly DtlsSuite[];
}

export interface ZrtpConfig {
  /**
   * `pass`: ZRTP goes from end to end and is watched. `end`: it ends at the media process, which makes the keys of
   * this leg with the peer.
   */
  readonly mode: 'pass' | 'end';
  /** Without keys by ZRTP no media passes. */
  readonly demanded: boolean;
  /** The peer's `a=zrtp-hash` (RFC 6189 §8.1): 32 octets; a Hello that is not of it is told as tampering. */
  readonly helloHash?: Uint8Array;
  /** What is known of this peer from earlier calls (§4.9); `end` alone. */
  readonly retained?: ZrtpRetained;
  /** The peer is offered to trust us as its PBX (§7.3.1), unless it does already; `end` alone. */
  readonly enrol?: true;
}

export interface ZrtpRetained {
  readonly zid: Uint8Array;
  /** 32 octets; none where nothing is to be kept of this peer. */
  readonly rs1: Uint8Array;
  readonly rs2?: Uint8Array;
  /** pbxsecret of an enrolment that was offered (§7.3.1), 32 octets; whether the peer took it shows in its next call. */
  readonly pbx?: Uint8Array;
  /** A person has compared the short authentication string in an earlier call. */
  readonly verified: boolean;
}

/** Key exchange of a leg, as the handshake has shown it. */
export interface Secured {
  readonly kind: 'secured';
  readonly endpoint: number;
  readonly by: 'dtls' | 'zrtp';
  /** `DTLSv1.2`; `ZRTP 1.10`. */
  readonly version: string;
  readonly suite: Suite;
  /** Name of the group of the key exchange: `X25519`, `P-256`, `DH3k`, `EC38` … */
  readonly group: string;
  /** DTLS cipher suite; with ZRTP hash, cipher and tag: `S256 AES1 HS80`. */
  readonly cipher: string;
  /** Of the peer's certificate: SHA-256. */
  readonly fingerprint?: Uint8Array;
  readonly zrtp?: ZrtpSecured;
}

export interface ZrtpSecured {
  readonly peerZid: Uint8Array;
  /** The short authentication string as both ends show it, and its rendering: `B32 ` or `B256`. */
  readonly sas: string;
  readonly sasType: string;
  /** Retained secrets: `new` peer, `continued`, or `mismatch`: the peer was known and its secret is not what it was (§4.6.1.1). */
  readonly continuity: 'new' | 'continued' | 'mismatch';
  readonly verified: boolean;
  /** The peer has enrolled with us, and that secret went into the keys (§7.3). */
  readonly enrolled?: true;
  /** What the peer was relayed last, and has acknowledged to show in place of `sas`; the acknowledgement proves nothing. */
  readonly relayed?: string;
  /** To be kept under a key by whoever keeps secrets; the receiver wipes it then. */
  readonly retained: ZrtpRetained;
}

/** A handshake that came to nothing: no media passes on that stream. */
export interface Unsecured {
  readonly kind: 'unsecured';
  readonly endpoint: number;
  readonly by: 'dtls' | 'zrtp';
  readonly reason: /** The certificate is not the one that signalling named: somebody is in the middle. */
    | 'fingerprint'
    /** The Hello is not the one that signalling named. */
    | 'hello-hash'
    | 'no-common-suite'
    | 'timeout'
    | 'alert'
    | 'protocol'
    /** A key, hash or commitment does not fit: somebody is in the middle (§4.3, §4.4.1.1). */
    | 'authentication';
  readonly detail: string;
}

/** What the two ends of a `pass` agreed on, as far as the wire shows it; the keys are theirs. */
export interface ZrtpPassed {
  readonly kind: 'zrtp-passed';
  readonly endpoint: number;
  /** ZID of this side's Hello, and whether the Hello fits its `a=zrtp-hash`; undefined where none was signalled. */
  readonly zid: Uint8Array;
  readonly helloMatches: boolean | undefined;
  /** Both sides have sent Confirm: what follows is SRTP that we cannot read. */
  readonly confirmed: boolean;
}

export interface IceEvent {
  readonly kind: 'ice';
  readonly endpoint: number;
  /** `lost`: the peer has not consented for 30 s (RFC 7675 §5.1), and nothing is sent any more. */
  readonly state: 'connected' | 'failed' | 'lost';
  readonly remote?: { readonly address: string; readonly port: number };
}

export type HandshakeEvent = Secured | Unsecured | ZrtpPassed | IceEvent;
