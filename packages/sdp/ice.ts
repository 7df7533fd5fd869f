import { findAttribute, hasAttribute } from './attribute.ts';
import { literalType } from './line.ts';
import type { Attribute, MediaDescription, SessionDescription } from './session.ts';
import { parseDecimal } from './token.ts';

type Section = { readonly attributes: readonly Attribute[] };

const candidateTypes = ['host', 'srflx', 'prflx', 'relay'] as const;
export type CandidateType = (typeof candidateTypes)[number];

/** `a=candidate` over UDP with an address literal, RFC 8839 §5.1. */
export interface CandidateAttribute {
  readonly foundation: string;
  /** 1 is RTP, 2 is RTCP. */
  readonly component: 1 | 2;
  readonly priority: number;
  readonly address: string;
  readonly port: number;
  readonly kind: CandidateType;
}

/** What a stream says of ICE: its own lines, else those of the session (RFC 8839 §4 and §5). */
export interface IceAttributes {
  readonly ufrag: string;
  readonly password: string;
  /** The session says `a=ice-lite`: its writer only answers checks. */
  readonly lite: boolean;
  /** `a=ice-options:trickle` (RFC 8840 §3): more candidates may come, and may be sent. */
  readonly trickle: boolean;
  readonly candidates: readonly CandidateAttribute[];
  /** `a=end-of-candidates`, RFC 8840 §8.2. */
  readonly ended: boolean;
}

/** Candidates of a stream that are looked at; the media process takes no more. */
export const mostCandidates = 32;
const longestText = 255;

/** Undefined: no ICE, or credentials that cannot be (RFC 8839 §5.4). */
export function iceAttributes(
  session: SessionDescription,
  media: MediaDescription,
): IceAttributes | undefined {
  const ufrag = textOf(media, 'ice-ufrag') ?? textOf(session, 'ice-ufrag');
  const password = textOf(media, 'ice-pwd') ?? textOf(session, 'ice-pwd');
  if (ufrag === undefined || !isIceText(ufrag, 4)) return undefined;
  if (password === undefined || !isIceText(password, 22)) return undefined;
  return {
    ufrag,
    password,
    lite: hasAttribute(session, 'ice-lite'),
    trickle: hasOption(media, 'trickle') || hasOption(session, 'trickle'),
    ...candidatesIn(media),
  };
}

/** The candidates of a section, and whether they are all. */
export function candidatesIn(section: Section): {
  readonly candidates: readonly CandidateAttribute[];
  readonly ended: boolean;
} {
  const candidates: CandidateAttribute[] = [];
  let looked = 0;
  for (const { name, value } of section.attributes) {
    if (name !== 'candidate' || value === undefined) continue;
    looked += 1;
    if (looked > mostCandidates) break;
    const candidate = parseCandidate(value);
    if (candidate !== undefined) candidates.push(candidate);
  }
  return { candidates, ended: hasAttribute(section, 'end-of-candidates') };
}

const textOf = (section: Section, name: string): string | undefined =>
  findAttribute(section, name)?.value?.trim();

const hasOption = (section: Section, option: string): boolean =>
  section.attributes.some(
    ({ name, value }) => name === 'ice-options' && value?.trim().split(' ', 16).includes(option) === true,
  );

/** Reads the value of one `a=candidate`; undefined for other transports, and for names in place of addresses. */
export function parseCandidate(value: string): CandidateAttribute | undefined {
  if (value.length > 512) return undefined;
  const [foundation, component, transport, priority, address, port, typ, type] = value.trim().split(' ', 8);
  if (foundation === undefined || foundation.length > 32 || !isIceText(foundation, 1)) return undefined;
  if (component !== '1' && component !== '2') return undefined;
  if (transport?.toLowerCase() !== 'udp' || typ !== 'typ') return undefined;
  const order = decimal(priority, 2 ** 32 - 1);
  const at = decimal(port, 65_535);
  const kind = candidateTypes.find((one) => one === type);
  if (order === undefined || order === 0 || at === undefined || at === 0 || kind === undefined)
    return undefined;
  if (address === undefined || literalType(address) === undefined) return undefined;
  return { foundation, component: component === '1' ? 1 : 2, priority: order, address, port: at, kind };
}

function decimal(text: string | undefined, most: number): number | undefined {
  const value = text === undefined ? undefined : parseDecimal(text, 0, text.length);
  return value !== undefined && value <= most ? value : undefined;
}

/** The value of `a=candidate`. Related addresses are not written: they are nobody's business (RFC 8839 §5.1). */
export const serializeCandidate = (candidate: CandidateAttribute): string => {
  const { foundation, component, priority, address, port, kind } = candidate;
  return `${foundation} ${component} UDP ${priority} ${address} ${port} typ ${kind}`;
};

/** `ice-char`s alone, RFC 8839 §5.4. */
function isIceText(text: string, least: number): boolean {
  if (text.length < least || text.length > longestText) return false;
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    const letter = (c | 0x20) >= 0x61 && (c | 0x20) <= 0x7a;
    if (!letter && !(c >= 0x2f && c <= 0x39) && c !== 0x2b) return false;
  }
  return true;
}

/** A piece of a description that carries candidates alone (RFC 8840 §9). */
export interface IceFragment {
  readonly ufrag: string | undefined;
  readonly mid: string | undefined;
  readonly candidates: readonly CandidateAttribute[];
  readonly ended: boolean;
}

const longestFragment = 8192;

/**
 * Reads `application/trickle-ice-sdpfrag` of a session with one stream: the first `a=mid` section counts.
 *
 * Undefined where it is too long to be one.
 */
export function parseFragment(body: Uint8Array): IceFragment | undefined {
  if (body.length > longestFragment) return undefined;
  const lines = new TextDecoder().decode(body).split('\n', 256);
  const attributes: Attribute[] = [];
  let streams = 0;
  for (const line of lines) {
    if (line.startsWith('m=')) streams += 1;
    if (streams > 1) break;
    if (!line.startsWith('a=')) continue;
    const text = line.slice(2).trimEnd();
    const colon = text.indexOf(':');
    attributes.push(
      colon < 0 ? { name: text } : { name: text.slice(0, colon), value: text.slice(colon + 1) },
    );
  }
  const section = { attributes };
  return {
    ufrag: textOf(section, 'ice-ufrag'),
    mid: textOf(section, 'mid'),
    ...candidatesIn(section),
  };
}
