import type { Transport } from '@ringfence/sip/transport/flow.ts';
import type { Suite } from '@ringfence/srtp/suite.ts';
import type { Encryption } from '../config/schema.ts';

/** What protected one leg of one call. Sealed into the CDR when the call ends; the padlock's only source. */
export interface LegProtection {
  readonly leg: number;
  readonly party: string;
  readonly demanded: Encryption;
  readonly signalling: SignallingProtection;
  readonly media: MediaProtection;
}

export interface SignallingProtection {
  readonly transport: Transport;
  readonly version?: string;
  readonly cipher?: string;
  readonly group?: string;
  readonly peerNames?: readonly string[];
  readonly peerFingerprint?: string;
  /** Fingerprints of the authorities above it, nearest first. */
  readonly peerIssuers?: readonly string[];
}

export interface MediaProtection {
  /** `srtp` with DTLS and ZRTP from the moment on in which there are keys; `none`: no stream at all. */
  readonly protocol: 'srtp' | 'rtp' | 'udptl' | 'none';
  /** A handshake for keys is under way. With DTLS, and with ZRTP that is demanded, nothing passes meanwhile. */
  readonly awaiting?: 'dtls' | 'zrtp';
  /** Absent where it is not ours to know: ZRTP that passes. */
  readonly suite?: Suite;
  readonly keyExchange?: 'sdes' | 'dtls' | 'zrtp';
  /** True where SRTP keys crossed signalling, or the way to a media engine, unencrypted: then SRTP protects nothing. */
  readonly keysExposed?: boolean;
  /** The media engine that holds the keys and sees the voice, where it is not our own media process. */
  readonly keysAt?: string;
  /** With `keyExchange` dtls. */
  readonly dtls?: DtlsProtection;
  /** Whatever is known of ZRTP on this leg, also while it has no keys yet. */
  readonly zrtp?: ZrtpProtection;
  /** The peer takes part in ICE: whether its address has shown that it is the peer's. */
  readonly ice?: 'validated' | 'unvalidated';
}

/** One DTLS association (RFC 5763), as the handshake has shown it. */
export interface DtlsProtection {
  /** `DTLSv1.2` */
  readonly version: string;
  readonly cipher: string;
  /** Of the key exchange: `X25519`, `P-256`. */
  readonly group: string;
  /** SHA-256 of the peer's certificate, as `a=fingerprint` writes it: `AB:CD:…`. It is the one that signalling named. */
  readonly peerFingerprint: string;
}

/** ZRTP (RFC 6189) on one leg. */
export interface ZrtpProtection {
  /** `pass`: from end to end through the edge, which has no keys. `end`: its keys are made here, with this peer. */
  readonly mode: 'pass' | 'end';
  /** Both ends have sent Confirm (§5.7): what follows is SRTP under these keys. */
  readonly confirmed: boolean;
  /** Whether the peer's Hello fits its `a=zrtp-hash` (§8.1); absent where none was signalled. */
  readonly helloMatches?: boolean;
  /** `ZRTP 1.10`, `S256 AES1 HS80` and the key agreement, `DH3k`; what the wire has shown. */
  readonly version?: string;
  readonly cipher?: string;
  readonly group?: string;
  /** Hexadecimal ZID of the peer. */
  readonly peerZid?: string;
  /** With mode `end` alone: both ends of a pass have their own, which is none of ours. */
  readonly sas?: string;
  readonly sasType?: string;
  /** A person has compared the short authentication string. */
  readonly verified?: boolean;
  /** Its phone has enrolled here (§7.3): it trusts the edge, which holds the keys, as its PBX. */
  readonly enrolled?: true;
  /** The string that its phone was relayed, and shows in place of `sas`: with mode `end` alone, so never end to end. */
  readonly relayed?: string;
  /** Retained secrets (§4.6.1.1); `mismatch`: the peer was known, and its secret is not what it was. */
  readonly continuity?: 'new' | 'continued' | 'mismatch';
}
