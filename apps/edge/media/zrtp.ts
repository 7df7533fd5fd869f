import type { EndpointConfig, EndpointOpened } from '@ringfence/relay/contract.ts';
import type { ZrtpConfig, ZrtpRetained } from '@ringfence/relay/handshake.ts';
import type { Attribute } from '@ringfence/sdp/session.ts';
import { serializeZrtpHash, type ZrtpHash } from '@ringfence/sdp/zrtp.ts';
import type { ZrtpPolicy } from '../config/zrtp.ts';
import type { OfferedProtection } from './keying.ts';
import type { LegSide } from './leg.ts';
import type { ReadSession } from './read-offer.ts';
import type { Shown } from './shown.ts';

/** What ZRTP on a side depends on. */
export interface ZrtpSide {
  /** Absent: `off`. */
  readonly zrtpPolicy?: ZrtpPolicy;
  /** What its device or trunk says itself: then it is known to speak ZRTP, and is offered plain RTP for it. */
  readonly zrtp?: ZrtpPolicy;
  /** It may enrol with us as a trusted PBX; without it no enrolment of earlier calls counts either. */
  readonly zrtpEnrol?: boolean;
  /** Whose retained secrets these would be. */
  readonly party?: string;
}

/** `none`: it cannot be on this stream. */
export type ZrtpMode = ZrtpConfig['mode'] | 'none';

/** One stream of a leg as far as ZRTP goes. */
export interface ZrtpStream {
  readonly endpoint: EndpointOpened;
  readonly media: 'rtp' | 'srtp' | 'opaque';
  /** What its peer has said of its Hello. */
  hello?: ZrtpHash | undefined;
  /** What we say to it: of the far end's Hello, or of our own. */
  says?: ZrtpHash | 'own' | undefined;
  /** How it goes where it may end here; undefined: that is not agreed yet. */
  zrtpMode?: ZrtpMode | undefined;
}

/** Our own Hello is made for it: ZRTP may have to end here. */
export const endsHere = ({ zrtpPolicy }: ZrtpSide): boolean =>
  zrtpPolicy === 'end' || zrtpPolicy === 'demand';

const may = ({ zrtpPolicy }: ZrtpSide): boolean => zrtpPolicy !== undefined && zrtpPolicy !== 'off';

/**
 * What was read without the hashes of Hellos that cannot come: those of a side without ZRTP, and of streams that are
 * SRTP already. What is left is true of whoever it is told to.
 */
export function withoutIdleZrtp(read: ReadSession, side: ZrtpSide): ReadSession {
  const { session } = read;
  const named = session.attributes.some(isHash);
  if (!named && !session.media.some(({ attributes }) => attributes.some(isHash))) return read;
  const streams: ReadSession['streams'] = may(side)
    ? read.streams
    : read.streams.map((stream) => {
        if (stream === undefined) return undefined;
        const { zrtp: _idle, ...rest } = stream;
        return rest;
      });
  return {
    ...read,
    streams,
    session: {
      ...session,
      attributes: session.attributes.filter((attribute) => !isHash(attribute)),
      media: session.media.map((one, index) => {
        const hash = streams[index]?.zrtp;
        const others = one.attributes.filter((attribute) => !isHash(attribute));
        return {
          ...one,
          attributes: hash === undefined ? others : [...others, { name, value: serializeZrtpHash(hash) }],
        };
      }),
    },
  };
}

/**
 * Ways to offer a stream, with plain RTP, of which ZRTP makes SRTP, before the others: where it is demanded of the side
 * nothing else, and where its device speaks it and there is somebody to speak it with. Never where encryption is
 * required and ZRTP is not demanded: it might not come.
 */
export function offersWithZrtp(
  side: LegSide,
  offers: readonly OfferedProtection[],
  { streams }: Pick<ReadSession, 'streams'>,
): readonly OfferedProtection[] {
  if (side.zrtpPolicy === 'demand') return ['plain'];
  if (side.zrtp === undefined || side.demanded === 'required' || !may(side)) return offers;
  if (!endsHere(side) && !streams.some((stream) => stream?.zrtp !== undefined)) return offers;
  return ['plain', ...offers.filter((offered) => offered !== 'plain')];
}

const name = 'zrtp-hash';
const isHash = (attribute: Attribute): boolean => attribute.name === name;

/** What an offer to a side says of ZRTP: the far end's Hello where it has one, so that it may pass, else our own. */
export function offeredHash(side: ZrtpSide, far: ZrtpHash | undefined): ZrtpStream['says'] {
  if (!may(side)) return undefined;
  return far ?? (endsHere(side) ? 'own' : undefined);
}

/**
 * The same for an answer. `near`: what the side itself has offered; only who has a Hello of its own on both ends passes
 * where ZRTP could end here.
 */
export function answeredHash(
  side: ZrtpSide,
  near: ZrtpHash | undefined,
  far: ZrtpHash | undefined,
): ZrtpStream['says'] {
  if (!may(side)) return undefined;
  if (!endsHere(side)) return far;
  return near !== undefined && far !== undefined ? far : 'own';
}

/** The lines of one stream. */
export function zrtpLines({ endpoint, media, says }: ZrtpStream): readonly Attribute[] | undefined {
  if (media !== 'rtp' || says === undefined) return undefined;
  if (says !== 'own') return [{ name, value: serializeZrtpHash(says) }];
  const { zrtp } = endpoint;
  return zrtp === undefined
    ? undefined
    : [{ name, value: serializeZrtpHash({ version: zrtp.version, value: zrtp.helloHash }) }];
}

/**
 * How ZRTP goes on a stream of a side where it may end: it passes where both streams are plain RTP and both ends have
 * named their Hello; else it ends here.
 */
export function modeOf(stream: ZrtpStream, far: ZrtpSide, other: ZrtpStream | undefined): ZrtpMode {
  if (stream.media !== 'rtp') return 'none';
  const passes =
    other?.media === 'rtp' && may(far) && other.hello !== undefined && stream.hello !== undefined;
  return passes ? 'pass' : 'end';
}

/** What the configuration of a stream has of ZRTP, where that was agreed on. */
export function zrtpConfig(
  side: ZrtpSide,
  { media, zrtpMode, hello }: ZrtpStream,
  retained: ZrtpRetained | undefined,
): Pick<EndpointConfig, 'zrtp' | 'accept' | 'emit'> {
  const demanded = side.zrtpPolicy === 'demand';
  if (media !== 'rtp' || zrtpMode === undefined || zrtpMode === 'none')
    return demanded ? { accept: false, emit: false } : {};
  return {
    zrtp: {
      mode: zrtpMode,
      demanded,
      ...(hello === undefined ? {} : { helloHash: hello.value }),
      ...(retained === undefined || zrtpMode === 'pass' ? {} : { retained: trusted(side, retained) }),
      ...(side.zrtpEnrol === true && zrtpMode === 'end' ? { enrol: true } : {}),
    },
  };
}

function trusted({ zrtpEnrol }: ZrtpSide, retained: ZrtpRetained): ZrtpRetained {
  if (zrtpEnrol === true) return retained;
  const { pbx: _untrusted, ...rest } = retained;
  return rest;
}

/** The same where ZRTP never ends here: it passes if the other side lets it. */
export function passingZrtp(
  side: ZrtpSide,
  { media, zrtp }: { readonly media: ZrtpStream['media']; readonly zrtp?: ZrtpHash },
): Pick<EndpointConfig, 'zrtp'> {
  if (side.zrtpPolicy !== 'pass' || media !== 'rtp') return {};
  return {
    zrtp: { mode: 'pass', demanded: false, ...(zrtp === undefined ? {} : { helloHash: zrtp.value }) },
  };
}

/** Keys are to come: it ends here, or is demanded. Once they are there nobody waits any more. */
export function awaitingZrtp(side: ZrtpSide, { media, zrtpMode }: ZrtpStream, shown: Shown = {}): Shown {
  const waits =
    media === 'rtp' && (zrtpMode === 'end' || (zrtpMode === 'pass' && side.zrtpPolicy === 'demand'));
  return waits && shown.zrtp?.confirmed !== true ? { ...shown, awaiting: 'zrtp' } : shown;
}

/** Of a party that talks with somebody else from now on: keys that it had with another end say nothing any more. */
export function withoutPassed(shown: Shown): Shown {
  if (shown.zrtp?.mode !== 'pass') return shown;
  const { zrtp: _passed, ...rest } = shown;
  return rest;
}
