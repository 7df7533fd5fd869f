import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { isMulticast } from './address.ts';
import { readBandwidth, readConnection, readMediaLine, readOrigin, readTiming } from './line.ts';
import type { Attribute, Bandwidth, MediaDescription, SessionDescription, Timing } from './session.ts';
import { isToken } from './token.ts';

/** Bounds on what a peer may send; a description beyond one is refused whole. */
export interface ParseLimits {
  /** Octets. Default 16,384. */
  readonly bytes: number;
  /** `m=` sections. Default 32. */
  readonly media: number;
  /** `a=` lines in one section. Default 256. */
  readonly attributes: number;
  /** Formats on one `m=` line. Default 64. */
  readonly formats: number;
  /** `b=`, `t=`, `r=`, `e=`, `p=` and layered `c=` lines, of each kind in one section. Default 16. */
  readonly repeated: number;
}

export const defaultLimits: ParseLimits = {
  bytes: 16_384,
  media: 32,
  attributes: 256,
  formats: 64,
  repeated: 16,
};

export type ParseErrorCode =
  /** A bound of `ParseLimits`. */
  | 'limit'
  /** Not SDP: a line without letter and `=`, a control character, a blank line inside. */
  | 'malformed-line'
  /** A line whose value breaks its grammar. */
  | 'malformed-value'
  /** A type letter that RFC 8866 does not define, §5. */
  | 'unknown-type'
  /** A line where it may not stand. */
  | 'misplaced'
  /** A second line of a kind that may stand once. */
  | 'duplicate'
  /** `v=` other than 0, RFC 8866 §5.1. */
  | 'version'
  /** `v=`, `o=`, `s=` or the connection of a stream is not there. */
  | 'missing';

export interface ParseError {
  readonly code: ParseErrorCode;
  /** What was wrong, in our words: never text of the peer. */
  readonly detail: string;
  /** Line number from 1; 0 where the error is not in one line. */
  readonly line: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type MutableMedia = Omit<Mutable<MediaDescription>, 'bandwidths' | 'attributes'> & {
  bandwidths: Bandwidth[];
  attributes: Attribute[];
};
type MutableSession = Omit<
  Mutable<SessionDescription>,
  'bandwidths' | 'attributes' | 'timing' | 'media' | 'emails' | 'phones'
> & {
  bandwidths: Bandwidth[];
  attributes: Attribute[];
  timing: (Timing & { repeats: string[] })[];
  media: MutableMedia[];
  emails?: string[];
  phones?: string[];
};

const fail = (code: ParseErrorCode, detail: string, line: number): Result<never, ParseError> =>
  err({ code, detail, line });

/**
 * Reads a session description, RFC 8866 §5 and §9.
 *
 * Lines end in CRLF or LF, and the last may lack its end. `v=`, `o=` and `s=` stand first; the other lines of a
 * section may come in any order, because phones do send them so, but none that may stand once may stand twice.
 * A missing `t=` reads as permanent. Never throws; work and memory are linear in the input.
 */
export function parseSession(
  bytes: Uint8Array,
  limits: ParseLimits = defaultLimits,
): Result<SessionDescription, ParseError> {
  if (bytes.length > limits.bytes) return fail('limit', 'more octets than allowed', 0);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  if (text.includes('\0')) return fail('malformed-line', 'NUL octet', 0);
  const reader = new SectionReader(limits);
  let at = 0;
  let line = 0;
  while (at < text.length) {
    const newline = text.indexOf('\n', at);
    const next = newline === -1 ? text.length : newline + 1;
    let end = newline === -1 ? text.length : newline;
    if (end > at && text.charCodeAt(end - 1) === 0x0d) end -= 1;
    line += 1;
    if (end === at) {
      if (isBlank(text, next)) break;
      return fail('malformed-line', 'blank line inside', line);
    }
    if (text.charCodeAt(at + 1) !== 0x3d || end < at + 2)
      return fail('malformed-line', 'not a letter and an equals sign', line);
    const value = text.slice(at + 2, end);
    if (value.includes('\r')) return fail('malformed-line', 'carriage return inside', line);
    const problem = reader.read(text.charCodeAt(at), value, line);
    if (problem !== undefined) return err(problem);
    at = next;
  }
  return reader.finish(line);
}

/** Nothing but line ends from here on: mailers and proxies add them, and they mean nothing. */
function isBlank(text: string, from: number): boolean {
  for (let i = from; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (c !== 0x0d && c !== 0x0a) return false;
  }
  return true;
}

const problem = (code: ParseErrorCode, detail: string, line: number): ParseError => ({ code, detail, line });

/** Collects the lines of the session section, then of each media section. */
class SectionReader {
  readonly #limits: ParseLimits;
  #session: MutableSession | undefined;
  #media: MutableMedia | undefined;

  constructor(limits: ParseLimits) {
    this.#limits = limits;
  }

  read(letter: number, value: string, line: number): ParseError | undefined {
    const session = this.#session;
    if (session === undefined || line <= 3) return this.#opening(letter, value, line);
    const section = this.#media ?? session;
    switch (letter) {
      case 0x61: // a
        return this.#attribute(section, value, line);
      case 0x6d: // m
        return this.#startMedia(session, value, line);
      case 0x63: // c
        return this.#connection(section, value, line);
      case 0x62: {
        // b
        const bandwidth = readBandwidth(value);
        if (bandwidth === undefined) return problem('malformed-value', 'b= is not type:number', line);
        if (section.bandwidths.length === this.#limits.repeated) return problem('limit', 'too many b=', line);
        section.bandwidths.push(bandwidth);
        return undefined;
      }
      case 0x69: // i
        if (section.information !== undefined) return problem('duplicate', 'second i=', line);
        section.information = value;
        return undefined;
      case 0x6b: // k: obsolete, read and dropped, RFC 8866 §5.12
        return undefined;
      case 0x76: // v
      case 0x6f: // o
      case 0x73: // s
        return problem('duplicate', 'second v=, o= or s=', line);
    }
    if (this.#media !== undefined && 'tuepzr'.includes(String.fromCharCode(letter)))
      return problem('misplaced', 'session line inside a media section', line);
    return this.#sessionLine(session, letter, value, line);
  }

  /** `v=`, `o=`, `s=` in that order, RFC 8866 §5. */
  #opening(letter: number, value: string, line: number): ParseError | undefined {
    if (line === 1) {
      if (letter !== 0x76) return problem('missing', 'does not begin with v=', line);
      if (value.trimEnd() !== '0') return problem('version', 'v= is not 0', line);
      this.#session = {
        origin: nowhere,
        sessionName: '-',
        bandwidths: [],
        timing: [],
        attributes: [],
        media: [],
      };
      return undefined;
    }
    if (line === 2) {
      if (letter !== 0x6f) return problem('missing', 'o= does not follow v=', line);
      const origin = readOrigin(value);
      if (origin === undefined) return problem('malformed-value', 'o= breaks its grammar', line);
      this.#session!.origin = origin;
      return undefined;
    }
    if (letter !== 0x73) return problem('missing', 's= does not follow o=', line);
    this.#session!.sessionName = value;
    return undefined;
  }

  #attribute(section: MutableSession | MutableMedia, value: string, line: number): ParseError | undefined {
    if (section.attributes.length === this.#limits.attributes) return problem('limit', 'too many a=', line);
    const colon = value.indexOf(':');
    const name = colon === -1 ? value.trimEnd() : value.slice(0, colon);
    if (name.length > 256 || !isToken(name)) return problem('malformed-value', 'a= has no name', line);
    section.attributes.push(colon === -1 ? { name } : { name, value: value.slice(colon + 1) });
    return undefined;
  }

  #startMedia(session: MutableSession, value: string, line: number): ParseError | undefined {
    if (session.media.length === this.#limits.media) return problem('limit', 'too many m=', line);
    const read = readMediaLine(value, this.#limits.formats);
    if (read === undefined) return problem('malformed-value', 'm= breaks its grammar', line);
    if (read === 'too-many') return problem('limit', 'too many formats', line);
    this.#media = {
      media: read.media,
      port: read.port,
      portCount: read.portCount,
      protocol: read.protocol,
      formats: read.formats,
      bandwidths: [],
      attributes: [],
    };
    session.media.push(this.#media);
    return undefined;
  }

  #connection(section: MutableSession | MutableMedia, value: string, line: number): ParseError | undefined {
    const connection = readConnection(value);
    if (connection === undefined) return problem('malformed-value', 'c= breaks its grammar', line);
    if (section.connection === undefined) {
      section.connection = connection;
      return undefined;
    }
    // Several c= lines stand only for the layers of a multicast session, RFC 8866 §5.7.
    if (!('formats' in section) || !isMulticast(connection.addressType, connection.address))
      return problem('duplicate', 'second c=', line);
    const layers = section.layers ?? [];
    if (layers.length === this.#limits.repeated) return problem('limit', 'too many c=', line);
    section.layers = [...layers, connection];
    return undefined;
  }

  #sessionLine(session: MutableSession, letter: number, value: string, line: number): ParseError | undefined {
    switch (letter) {
      case 0x74: {
        // t
        const timing = readTiming(value);
        if (timing === undefined) return problem('malformed-value', 't= is not two numbers', line);
        if (session.timing.length === this.#limits.repeated) return problem('limit', 'too many t=', line);
        session.timing.push(timing);
        return undefined;
      }
      case 0x72: {
        // r
        const repeats = session.timing.at(-1)?.repeats;
        if (repeats === undefined) return problem('misplaced', 'r= before any t=', line);
        if (repeats.length === this.#limits.repeated) return problem('limit', 'too many r=', line);
        repeats.push(value);
        return undefined;
      }
      case 0x75: // u
        if (session.uri !== undefined) return problem('duplicate', 'second u=', line);
        session.uri = value;
        return undefined;
      case 0x7a: // z
        if (session.zones !== undefined) return problem('duplicate', 'second z=', line);
        session.zones = value;
        return undefined;
      case 0x65: // e
      case 0x70: {
        // p
        const key = letter === 0x65 ? 'emails' : 'phones';
        session[key] ??= [];
        const list = session[key];
        if (list.length === this.#limits.repeated) return problem('limit', 'too many e= or p=', line);
        list.push(value);
        return undefined;
      }
    }
    return problem('unknown-type', 'type letter that RFC 8866 does not define', line);
  }

  finish(line: number): Result<SessionDescription, ParseError> {
    const session = this.#session;
    if (session === undefined || line < 3) return fail('missing', 'ends before s=', line);
    if (session.connection === undefined)
      for (const media of session.media)
        if (media.port !== 0 && media.connection === undefined)
          return fail('missing', 'stream without a connection', 0);
    if (session.timing.length === 0) session.timing.push({ start: '0', stop: '0', repeats: [] });
    return ok(session);
  }
}

const nowhere = {
  username: '-',
  sessionId: '0',
  version: '0',
  addressType: 'IP4',
  address: '0.0.0.0',
} as const;
