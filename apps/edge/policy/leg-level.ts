import { isEncrypted } from '@ringfence/sip/transport/flow.ts';
import type { LegProtection } from './protection.ts';

/** Who could listen on one leg. */
export const levels = {
  /** Whoever is on the way. */
  open: 0,
  /** Not who only listens, but whoever has put himself in the middle. */
  unproven: 1,
  /** Those who hold the keys: the edge's side and the peer. */
  held: 2,
  /** The two ends that ZRTP has passed between. */
  passed: 3,
} as const;
export type LegLevel = (typeof levels)[keyof typeof levels];

export interface JudgedLeg {
  readonly level: LegLevel;
  /** What is wrong with it, as a clause of a sentence; empty where nothing is. */
  readonly flaw: string;
  /** Who holds the keys of this leg on our side of it; undefined: nobody here. */
  readonly holder: string | undefined;
}

export const ourMediaProcess = "the edge's media process";

/** What protects one leg, by itself. */
export function judgeLeg(leg: LegProtection): JudgedLeg {
  const { media, signalling } = leg;
  const name = nameOf(leg.party);
  const holder = media.keysAt ?? ourMediaProcess;
  const open = (flaw: string): JudgedLeg => ({ level: levels.open, flaw, holder });
  const unproven = (flaw: string): JudgedLeg => ({ level: levels.unproven, flaw, holder });
  const secure = isEncrypted(signalling.transport);
  if (media.protocol === 'none')
    return open(
      media.awaiting === undefined
        ? `nothing was agreed on with ${name}`
        : `keys with ${name} are still being agreed on`,
    );
  if (media.protocol === 'udptl') return open(`the fax of ${name} is not encrypted`);
  if (media.zrtp?.helloMatches === false)
    return open(
      `the ZRTP of ${name} is not the one that its signalling named, so somebody may be in the middle`,
    );
  if (media.protocol === 'rtp') return open(`the media of ${name} is not encrypted`);
  if (media.keysExposed === true || (media.keyExchange === 'sdes' && !secure))
    return open(
      secure
        ? `the keys of ${name} go to ${holder} unencrypted over a network`
        : `the keys of ${name} crossed its signalling unencrypted over ${signalling.transport.toUpperCase()}`,
    );
  if (media.keyExchange === 'sdes') return { level: levels.held, flaw: '', holder };
  if (media.keyExchange === 'dtls')
    return secure
      ? { level: levels.held, flaw: '', holder }
      : unproven(
          `the fingerprint of ${name} came by unencrypted signalling, so whoever can change that can listen`,
        );
  const { zrtp } = media;
  if (media.keyExchange !== 'zrtp' || zrtp?.confirmed !== true)
    return open(`no keys were agreed on with ${name}`);
  if (zrtp.continuity === 'mismatch' && zrtp.verified !== true)
    return open(
      `${name} does not know the secret of its earlier calls any more, so somebody may be in the middle`,
    );
  const proven = zrtp.verified === true || (zrtp.helloMatches === true && secure);
  if (!proven)
    return unproven(
      zrtp.helloMatches === true
        ? `the ZRTP hash of ${name} came by unencrypted signalling, and nobody has compared the short authentication string`
        : `${name} has not named its ZRTP in signalling, and nobody has compared the short authentication string`,
    );
  return zrtp.mode === 'pass' && media.keysAt === undefined
    ? { level: levels.passed, flaw: '', holder: undefined }
    : { level: levels.held, flaw: '', holder };
}

/** Parties as one of them is told of them. */
const seen: Readonly<Record<string, string>> = {
  'seen:self': 'your phone',
  'seen:other': 'the other side',
  'seen:line': 'the line to the other side',
  'seen:recorder': 'a recorder',
};

/** The records of a call as the party of one leg may know them: without names, of people as of machines. */
export const asSeenBy = (legs: readonly LegProtection[], index: number): LegProtection[] =>
  legs.map((leg) => ({
    ...leg,
    party: leg.leg === index ? 'seen:self' : leadsOn(leg.party) ? 'seen:line' : 'seen:other',
    media: leg.media.keysAt === undefined ? leg.media : { ...leg.media, keysAt: 'a media server beside it' },
  }));

/** How a party is called in a sentence. `party`: `device:alice@example.test/desk`, as records have it. */
export function nameOf(party: string): string {
  const known = seen[party];
  if (known !== undefined) return known;
  const colon = party.indexOf(':');
  const at = party.lastIndexOf('@');
  if (colon < 0 || at < colon) return 'the caller';
  const name = plain(party.slice(colon + 1, at));
  const kind = party.slice(0, colon);
  if (kind === 'trunk') return `the trunk ${name}`;
  return kind === 'pbx' ? `the PBX ${name}` : name;
}

/** Users of a PBX choose their own names; in a sentence they cannot break it. */
const plain = (text: string): string => text.replace(/[^\p{L}\p{N}._+~-]/gu, '?').slice(0, 64);

/** The peer hands calls on to others over ways that are not ours to see. */
export const leadsOn = (party: string): boolean =>
  party.startsWith('trunk:') || party.startsWith('pbx:') || party === 'seen:line';
