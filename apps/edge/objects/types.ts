import type { Secret } from '@ringfence/bytes/secret.ts';
import type { DestinationPolicy, SpendCaps } from '../config/fraud.ts';
import type { Hygiene } from '../config/hygiene.ts';
import type { Encryption, IceUse, Keying } from '../config/schema.ts';
import type { ZrtpPolicy } from '../config/zrtp.ts';
import type { Pins } from '../policy/pins.ts';
import type { Remote } from './account-settings.ts';
import type { CallLimits, DomainObject } from './limit-settings.ts';
import type { Rewrite } from './rewrite-settings.ts';
import type { Screening } from './screening-settings.ts';
import type { TrunkSettings } from './trunk-settings.ts';

/** Digest algorithms, RFC 8760 §2.2, by their names on the wire. */
export type DigestAlgorithm = 'SHA-512-256' | 'SHA-256' | 'MD5';

/** HA1 per algorithm, decrypted; MD5 is there only where `allowMd5` is set. */
export type Ha1Set = ReadonlyMap<DigestAlgorithm, Secret>;

export interface Device extends Hygiene {
  /** Codecs that pass, in lower case, most wanted first; absent: all. */
  readonly codecs?: readonly string[];
  readonly keying?: Keying;
  readonly ice?: IceUse;
  readonly zrtp?: ZrtpPolicy;
  /** It is offered to trust the edge as its PBX (RFC 6189 §7.3), and then relayed the strings of others. */
  readonly zrtpEnrol?: boolean;
  readonly pinned?: Pins;
  /** What becomes of it at a place that it was not confirmed for. */
  readonly remote?: Remote;
  readonly name: string;
  readonly encryption: Encryption;
  readonly ha1: Ha1Set;
}

export interface User {
  readonly domain: string;
  readonly name: string;
  readonly displayName?: string;
  readonly number?: string;
  /** Where the user is told of the account. */
  readonly email?: string;
  /** Of the calls that this user makes, in place of those of the domain for every user. */
  readonly limits?: CallLimits;
  /** In place of the caps of every user. */
  readonly spend?: SpendCaps;
  readonly destinations?: DestinationPolicy;
  /** Whose calls it does not want. */
  readonly screening?: Screening;
  readonly devices: readonly Device[];
}

/** What holds for a tenant as a whole. */
export interface Domain extends Readonly<DomainObject> {
  readonly domain: string;
}

export interface Trunk extends Readonly<TrunkSettings> {
  readonly domain: string;
  readonly name: string;
  /** The first of its targets. */
  readonly target: string;
  readonly addresses: readonly string[];
  readonly certificateNames: readonly string[];
  readonly inbound?: { readonly username: string; readonly ha1: Ha1Set };
  readonly outbound?: { readonly username: string; readonly password: Secret; readonly allowMd5: boolean };
  readonly encryption: Encryption;
}

export interface Route {
  readonly domain: string;
  readonly name: string;
  readonly priority: number;
  readonly match: string;
  readonly from: 'users' | 'trunks' | 'any';
  /** Of calls that go out by it, before the rules of their trunk. */
  readonly rewrite?: Rewrite;
  readonly to:
    | { readonly trunk: string }
    /** Tried in this order. */
    | { readonly trunks: readonly string[] }
    | { readonly user: string }
    | { readonly block: string };
}

/** One machine of a PBX. */
export interface PbxNode {
  readonly name: string;
  readonly target: string;
  readonly priority: number;
  readonly weight: number;
  /** Beside the target's own, where that is an address. */
  readonly addresses: readonly string[];
  readonly certificateNames: readonly string[];
}

/** The PBX that registers and serves the phones of a domain; `methods` and `headers` are of its phones. */
export interface Pbx extends Hygiene {
  readonly domain: string;
  readonly name: string;
  readonly nodes: readonly PbxNode[];
  /** Towards the nodes. */
  readonly encryption: Encryption;
  /** Towards the phones. */
  readonly phones: Encryption;
  /** Seconds asked of the PBX. */
  readonly expires: number;
  /** Seconds granted to phones at a time. */
  readonly phoneExpires: number;
  readonly strangersPerSecond: number;
  /** What an administrator says that it is. */
  readonly product?: string;
  readonly allowedHeaders: readonly string[];
}

/** Everything that decisions are made from; replaced as a whole when something changes. */
export interface Objects {
  readonly users: readonly User[];
  readonly trunks: readonly Trunk[];
  readonly routes: readonly Route[];
  /** At most one of a domain. */
  readonly pbx?: readonly Pbx[];
  readonly domains?: readonly Domain[];
}
