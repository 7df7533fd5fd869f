import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { codecOf, type Direction, effectiveDirection, type RtpMap, rtcpMux } from './attribute.ts';
import { isRtp, type MediaDescription, type SessionDescription } from './session.ts';

export type AnswerErrorCode =
  /** Not one m= line for each that was offered, RFC 3264 §6. */
  | 'media-count'
  /** Another media type in the place of one offered, RFC 3264 §6. */
  | 'media-type'
  /** Another transport protocol than offered, RFC 3264 §6.1. */
  | 'protocol'
  /** An accepted stream without a format of the offer, RFC 3264 §6.1. */
  | 'no-common-format'
  /** `a=rtcp-mux` that was not offered, RFC 5761 §5.1.1. */
  | 'rtcp-mux';

export interface NegotiationError<Code extends string> {
  readonly code: Code;
  /** Index of the m= line, from 0; -1 where it is the whole description. */
  readonly index: number;
}

/** A format of the offer that the answer took; the numbers may differ, RFC 3264 §6.1. */
export interface CommonFormat {
  readonly offered: string;
  readonly answered: string;
  /** Absent where the stream is not RTP. */
  readonly codec?: RtpMap;
}

/** What offer and answer together say of one stream. */
export type NegotiatedMedia =
  | { readonly accepted: false }
  | {
      readonly accepted: true;
      /** In the answerer's order of preference. */
      readonly formats: readonly CommonFormat[];
      /** From the offerer's side; the narrower of the two where the answer allows more than was offered. */
      readonly direction: Direction;
      readonly rtcpMux: boolean;
    };

/** Checks an answer against its offer, RFC 3264 §6, and says what was agreed, stream by stream. */
export function negotiate(
  offer: SessionDescription,
  answer: SessionDescription,
): Result<readonly NegotiatedMedia[], NegotiationError<AnswerErrorCode>> {
  if (offer.media.length !== answer.media.length) return err({ code: 'media-count', index: -1 });
  const streams: NegotiatedMedia[] = [];
  for (let index = 0; index < offer.media.length; index += 1) {
    const offered = offer.media[index]!;
    const answered = answer.media[index]!;
    if (offered.media !== answered.media) return err({ code: 'media-type', index });
    // A stream that was offered with port 0 cannot be accepted, RFC 3264 §6: the answer's port says nothing.
    if (offered.port === 0 || answered.port === 0) {
      streams.push({ accepted: false });
      continue;
    }
    if (offered.protocol.toLowerCase() !== answered.protocol.toLowerCase())
      return err({ code: 'protocol', index });
    const formats = commonFormats(offered, answered);
    if (!hasUsableFormat(offered, formats)) return err({ code: 'no-common-format', index });
    const mux = rtcpMux(answered);
    if (mux && !rtcpMux(offered)) return err({ code: 'rtcp-mux', index });
    const direction = narrow(
      effectiveDirection(offer, offered),
      mirror(effectiveDirection(answer, answered)),
    );
    streams.push({ accepted: true, formats, direction, rtcpMux: mux });
  }
  return ok(streams);
}

/** Something in common, and where a codec was offered, a codec: events and noise alone carry no voice. */
function hasUsableFormat(offered: MediaDescription, common: readonly CommonFormat[]): boolean {
  if (common.some(({ codec }) => codec === undefined || isVoice(codec))) return true;
  return common.length > 0 && !offered.formats.some((format) => isVoice(codecOf(offered, format)));
}

/** Events and comfort noise go with a codec, they are none. */
function isVoice(codec: RtpMap | undefined): boolean {
  const name = codec?.encoding.toLowerCase();
  return name !== undefined && name !== 'telephone-event' && name !== 'cn';
}

/** The formats that both have: by number for static types, by name, clock rate and channels for all others. */
export function commonFormats(offered: MediaDescription, answered: MediaDescription): CommonFormat[] {
  const common: CommonFormat[] = [];
  if (!isRtp(offered.protocol)) {
    for (const format of answered.formats)
      if (offered.formats.some((other) => other.toLowerCase() === format.toLowerCase()))
        common.push({ offered: format, answered: format });
    return common;
  }
  const theirs: { format: string; codec: RtpMap }[] = [];
  for (const format of offered.formats) {
    const codec = codecOf(offered, format);
    if (codec !== undefined) theirs.push({ format, codec });
  }
  for (const format of answered.formats) {
    const codec = codecOf(answered, format);
    if (codec === undefined) continue;
    // The same number first: of two equal codecs with other parameters it is the one that was meant.
    const match =
      theirs.find((other) => other.format === format && isSameCodec(other.codec, codec)) ??
      theirs.find((other) => isSameCodec(other.codec, codec));
    if (match !== undefined) common.push({ offered: match.format, answered: format, codec });
  }
  return common;
}

/** Encoding names know no case, RFC 4855 §3; audio has one channel unless said. */
export const isSameCodec = (a: RtpMap, b: RtpMap): boolean =>
  a.clockRate === b.clockRate &&
  a.encoding.toLowerCase() === b.encoding.toLowerCase() &&
  (a.parameters ?? '1') === (b.parameters ?? '1');

const sends = (direction: Direction): boolean => direction === 'sendrecv' || direction === 'sendonly';
const receives = (direction: Direction): boolean => direction === 'sendrecv' || direction === 'recvonly';

const from = (send: boolean, receive: boolean): Direction =>
  send ? (receive ? 'sendrecv' : 'sendonly') : receive ? 'recvonly' : 'inactive';

/** The same flow of media, as the other end says it. */
export const mirror = (direction: Direction): Direction => from(receives(direction), sends(direction));

/** What both allow. */
export const narrow = (a: Direction, b: Direction): Direction =>
  from(sends(a) && sends(b), receives(a) && receives(b));

/** The direction to answer with, RFC 3264 §6.1: what we want, within what was offered. */
export const answerDirection = (offered: Direction, wanted: Direction): Direction =>
  narrow(mirror(offered), wanted);

export type ReofferErrorCode =
  /** A line of `o=` other than the version is not what it was, RFC 3264 §8. */
  | 'origin'
  /** The version went back, or stayed although something changed, RFC 3264 §8. */
  | 'version'
  /** Fewer m= lines than before, RFC 3264 §8. */
  | 'media-count'
  /** Another media type in a place that is in use, RFC 3264 §8.3. */
  | 'media-type';

/**
 * Checks the next description of one side against its last, RFC 3264 §8.
 *
 * Gives `unchanged` where the version is the same. A version that rises by more than one is let pass: it does no
 * harm, and phones that lost an answer do it.
 * @param isSame whether two descriptions with one version say the same; the serialized text is what to compare.
 */
export function checkReoffer(
  last: SessionDescription,
  next: SessionDescription,
  isSame: (a: SessionDescription, b: SessionDescription) => boolean,
): Result<'unchanged' | 'changed', NegotiationError<ReofferErrorCode>> {
  const a = last.origin;
  const b = next.origin;
  if (a.username !== b.username || a.sessionId !== b.sessionId || a.address !== b.address)
    return err({ code: 'origin', index: -1 });
  const step = compareDigits(b.version, a.version);
  if (step < 0) return err({ code: 'version', index: -1 });
  if (step === 0) return isSame(last, next) ? ok('unchanged') : err({ code: 'version', index: -1 });
  if (next.media.length < last.media.length) return err({ code: 'media-count', index: -1 });
  for (let index = 0; index < last.media.length; index += 1) {
    const before = last.media[index]!;
    if (before.port !== 0 && before.media !== next.media[index]!.media)
      return err({ code: 'media-type', index });
  }
  return ok('changed');
}

/** Compares two numbers written in digits, of any length; leading zeros count for nothing. */
export function compareDigits(a: string, b: string): number {
  const left = a.replace(/^0+/, '');
  const right = b.replace(/^0+/, '');
  if (left.length !== right.length) return left.length - right.length;
  return left < right ? -1 : left > right ? 1 : 0;
}
