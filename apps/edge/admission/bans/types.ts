import type { Reason } from '../../policy/types.ts';

/** Somebody asks for a ban: a rule of detection, a feed, the administrator. */
export interface BanProposal {
  /** An address, a block, or a socket as events name it: `192.0.2.1`, `192.0.2.0/24`, `192.0.2.1:5060`. */
  readonly source: string;
  /** One word for lists: `scan`, `brute-force`, `flood`, `administrator`. */
  readonly cause: string;
  /** Stable name of the rule that asks. */
  readonly rule: string;
  readonly evidence: Readonly<Record<string, string | number | boolean>>;
  /** Of the first ban; repeaters get more. Default `bans.seconds`. */
  readonly seconds?: number;
  /** The evidence came in datagrams whose sender nobody has proven: whoever forged them could mean somebody else. */
  readonly spoofable: boolean;
  /** Who asks: `detection`, `administrator`, `feed:NAME`. */
  readonly by: string;
}

export interface Ban {
  readonly banned: true;
  /** `192.0.2.1`, `2001:db8:0:1::/64`, `192.0.2.0/24`; with a port for `socket`. Names the ban. */
  readonly source: string;
  readonly scope: 'source' | 'network' | 'socket';
  readonly cause: string;
  readonly rule: string;
  readonly evidence: Readonly<Record<string, string | number | boolean>>;
  readonly by: string;
  /** Unix ms. */
  readonly since: number;
  readonly until: number;
  /** How many times this source has been banned, with this one. */
  readonly times: number;
  /** Registered phones are behind this address: they go on, and the kernel is not told. */
  readonly known: boolean;
}

/** No ban, and why. */
export interface BanRefused extends Reason {
  readonly banned: false;
}

/** What changed, for those who keep or enforce bans. */
export type BanChange =
  | { readonly kind: 'added'; readonly ban: Ban }
  | { readonly kind: 'lifted' | 'expired'; readonly ban: Ban }
  /** Not enforced for a while: an emergency call is placed from there. */
  | { readonly kind: 'exempt'; readonly ban: Ban; readonly address: string; readonly until: number };
