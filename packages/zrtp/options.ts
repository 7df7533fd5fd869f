import type { Algorithms, Choice, SrtpSuite } from './algorithm.ts';
import type { ErrorCode } from './error-code.ts';
import type { Master } from './master.ts';
import type { RetainedSecrets } from './retained-secret.ts';

export interface ZrtpOptions {
  /** 12 octets that name this installation, RFC 6189 §4.9. */
  readonly zid: Uint8Array;
  /** SSRC of the stream that we send. */
  readonly ssrc: number;
  /** Octets that nobody can guess. */
  readonly random: (length: number) => Uint8Array;
  /**
   * 32 such octets that the hash chain begins with. With those of an earlier session the Hello is the same again, for a
   * peer that begins anew while signalling goes on naming it.
   */
  readonly chainNonce?: Uint8Array;
  /** Up to 16 characters that name the software; default `Ringfence`. */
  readonly clientId?: string;
  /** Default `defaultAlgorithms`. What the RFC makes mandatory is always taken as well. */
  readonly algorithms?: Partial<Algorithms>;
  /** Never commits, only answers (P flag). */
  readonly passive?: boolean;
  /** A PBX that relays the SAS of others (M flag), RFC 6189 §7.3. */
  readonly mitm?: boolean;
  /** A PBX that asks to be trusted (E flag), RFC 6189 §7.3.1. */
  readonly offerEnrollment?: boolean;
  /** Asked once for what is kept of a peer. Absent: nothing is ever kept (§4.9.1), and the peer is told so. */
  readonly retained?: (peerZid: Uint8Array) => RetainedSecrets | undefined;
  /** Seconds that new secrets are kept; default for ever (0xffffffff). */
  readonly cacheSeconds?: number;
  /** The peer's `a=zrtp-hash`, 32 octets: no other Hello is taken. */
  readonly helloHash?: Uint8Array;
  /** `master` of the first stream of the same call: this one is Multistream, RFC 6189 §4.4.3. */
  readonly multistream?: Master;
  /** Commits to Preshared mode where a verified secret is there, RFC 6189 §4.4.2. It has no forward secrecy of its own. */
  readonly preshared?: boolean;
  /** Keys may be told to others (D flag), RFC 6189 §11. */
  readonly disclosure?: boolean;
  /** GoClear is taken (A flag): the peer may end the encryption, RFC 6189 §4.7.2. */
  readonly dangerouslyAllowClear?: boolean;
  /** 8 octets for PingACK; default the beginning of the ZID. */
  readonly endpointHash?: Uint8Array;
}

/** Why a key agreement came to nothing. */
export type FailureReason =
  | 'hello-hash'
  | 'no-common-suite'
  | 'timeout'
  | 'protocol'
  /** A key, hash or commitment does not fit: somebody is in the middle. */
  | 'authentication';

/** What does not fit and was dropped without effect: told at most `mostSuspicions` times. */
export type Suspicion =
  /** A Hello that is not the one of `a=zrtp-hash`. */
  | 'hello-hash'
  /** A second Hello, of somebody else or of a peer that began anew. */
  | 'other-hello'
  /** A message that does not belong to the hash chain of the Hello. */
  | 'hash-image'
  | 'confirm-mac'
  | 'clear-mac'
  | 'relay-mac'
  | 'malformed'
  /** Our own packet, come back. */
  | 'reflected';

export interface SrtpKeys {
  readonly suite: SrtpSuite;
  /** Master key, then master salt; whoever takes them overwrites them. */
  readonly send: Uint8Array;
  readonly receive: Uint8Array;
}

/** Flags of the peer's Confirm. */
export interface PeerFlags {
  /** The peer's side had compared the SAS before. */
  readonly verified: boolean;
  readonly allowClear: boolean;
  readonly disclosure: boolean;
  /** The peer is a PBX that asks to be trusted: see `enroll`. */
  readonly enrollment: boolean;
}

export interface ZrtpSecuredOutput {
  readonly kind: 'secured';
  readonly role: 'initiator' | 'responder';
  /** `1.10`. */
  readonly version: string;
  readonly choice: Choice;
  /** `X25519`, `P-256`, `P-384`, `DH3k`, `DH2k`, `preshared`, `multistream`. */
  readonly group: string;
  readonly keys: SrtpKeys;
  readonly peerZid: Uint8Array;
  readonly peerClientId: string;
  /** As people read it to each other; absent with Multistream: that of the first stream counts. */
  readonly sas?: string;
  readonly sasHash?: Uint8Array;
  /**
   * `new`: nothing was known of this peer. `continued`: both ends held the same secret. `mismatch`: the peer was known and
   * its secret is not what it was, RFC 6189 §4.3.2: somebody may be in the middle.
   */
  readonly continuity: 'new' | 'continued' | 'mismatch';
  /** Both sides have compared the SAS in an earlier call, and the secret has continued since. */
  readonly verified: boolean;
  /** Whether auxsecret was the same; undefined where we have none. */
  readonly auxMatched: boolean | undefined;
  /** One has enrolled at the other, RFC 6189 §7.3. */
  readonly enrolled: boolean;
  readonly peer: PeerFlags;
  /** What is to be kept of the peer from now on; absent where what is kept must stay as it is (§4.6.1.1). */
  readonly retained?: RetainedSecrets;
  /** For how long it may be kept, in seconds; 0xffffffff is for ever. With 0 what was kept before may go too. */
  readonly cacheSeconds: number;
}

export type ZrtpOutput =
  | { readonly kind: 'send'; readonly bytes: Uint8Array }
  /** The peer's Hello is there. */
  | {
      readonly kind: 'discovered';
      readonly zid: Uint8Array;
      readonly clientId: string;
      readonly mitm: boolean;
    }
  /** Nobody has answered our Hellos; one who comes later is still answered. */
  | { readonly kind: 'no-peer' }
  /**
   * As initiator: the peer has confirmed, and these are the keys; `secured` follows once it has our Confirm. Valid SRTP of
   * the peer may come before, and is to be told with `mediaAuthenticated`.
   */
  | { readonly kind: 'receivable'; readonly keys: SrtpKeys }
  | ZrtpSecuredOutput
  /** Keep this in place of what was kept. */
  | { readonly kind: 'retain'; readonly peerZid: Uint8Array; readonly retained: RetainedSecrets }
  /** People found that the SAS differ: nothing of this peer is to be kept. */
  | { readonly kind: 'forget'; readonly peerZid: Uint8Array }
  | {
      readonly kind: 'failed';
      readonly code: number;
      readonly reason: FailureReason;
      readonly byPeer: boolean;
    }
  | { readonly kind: 'suspicious'; readonly what: Suspicion }
  /** Encryption has ended at the wish of one end: no media may go out before a person agrees, RFC 6189 §4.7.2. */
  | { readonly kind: 'cleared' }
  | { readonly kind: 'clear-refused' }
  /** A PBX tells the SAS of whoever is behind it; without `sas` it is not trusted and only its rendering counts. */
  | {
      readonly kind: 'sas-relayed';
      readonly sasType: string;
      readonly sas?: string;
      readonly verified: boolean;
      readonly disclosure: boolean;
    }
  | { readonly kind: 'sas-relay-done'; readonly delivered: boolean };

/** Failure of a peer's or our own code, as the reasons sort it. */
export function reasonOf(code: ErrorCode | number): FailureReason {
  if (code >= 0x51 && code <= 0x56) return 'no-common-suite';
  if (code === 0x61 || code === 0x62 || code === 0x70 || code === 0x40) return 'authentication';
  return code === 0xb0 ? 'timeout' : 'protocol';
}
