import { MisuseError } from '@ringfence/bytes/misuse.ts';
import type { Attribute, Bandwidth, Connection, MediaDescription, SessionDescription } from './session.ts';

/**
 * Writes a session description in the order of RFC 8866 §5, lines ended by CRLF.
 *
 * No value can begin a line of its own: the text is checked to have as many line ends as lines were meant.
 * @throws MisuseError `sdp-injection` where a value holds CR, LF or NUL.
 */
export function serializeSession(session: SessionDescription): string {
  const { origin } = session;
  const lines = [
    'v=0',
    `o=${origin.username} ${origin.sessionId} ${origin.version} IN ${origin.addressType} ${origin.address}`,
    `s=${session.sessionName}`,
  ];
  if (session.information !== undefined) lines.push(`i=${session.information}`);
  if (session.uri !== undefined) lines.push(`u=${session.uri}`);
  if (session.emails !== undefined) for (const email of session.emails) lines.push(`e=${email}`);
  if (session.phones !== undefined) for (const phone of session.phones) lines.push(`p=${phone}`);
  if (session.connection !== undefined) lines.push(connectionLine(session.connection));
  addBandwidths(session.bandwidths, lines);
  if (session.timing.length === 0) lines.push('t=0 0');
  for (const timing of session.timing) {
    lines.push(`t=${timing.start} ${timing.stop}`);
    for (const repeat of timing.repeats) lines.push(`r=${repeat}`);
  }
  if (session.zones !== undefined) lines.push(`z=${session.zones}`);
  addAttributes(session.attributes, lines);
  for (const media of session.media) addMedia(media, lines);
  const text = `${lines.join('\r\n')}\r\n`;
  if (!hasLines(text, lines.length))
    throw new MisuseError('sdp-injection', 'CR, LF or NUL in a value of an SDP line');
  return text;
}

/** Whether the text has that many CRs and LFs, and no NUL: what `byte-string` of RFC 8866 §9 leaves out. */
function hasLines(text: string, expected: number): boolean {
  let returns = 0;
  let feeds = 0;
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (c > 0x0d) continue;
    if (c === 0x0d) returns += 1;
    else if (c === 0x0a) feeds += 1;
    else if (c === 0) return false;
  }
  return returns === expected && feeds === expected;
}

function addMedia(media: MediaDescription, lines: string[]): void {
  const ports = media.portCount === 1 ? media.port : `${media.port}/${media.portCount}`;
  lines.push(`m=${media.media} ${ports} ${media.protocol} ${media.formats.join(' ')}`);
  if (media.information !== undefined) lines.push(`i=${media.information}`);
  if (media.connection !== undefined) lines.push(connectionLine(media.connection));
  if (media.layers !== undefined) for (const layer of media.layers) lines.push(connectionLine(layer));
  addBandwidths(media.bandwidths, lines);
  addAttributes(media.attributes, lines);
}

function connectionLine({ addressType, address, ttl, count }: Connection): string {
  let text = `c=IN ${addressType} ${address}`;
  // The first suffix of an IPv4 group is its ttl, so a count alone needs one written, RFC 8866 §5.7.
  if (ttl !== undefined) text += `/${ttl}`;
  else if (count !== undefined && addressType === 'IP4') text += '/255';
  return count === undefined ? text : `${text}/${count}`;
}

function addBandwidths(bandwidths: readonly Bandwidth[], lines: string[]): void {
  for (const { type, value } of bandwidths) lines.push(`b=${type}:${value}`);
}

function addAttributes(attributes: readonly Attribute[], lines: string[]): void {
  for (const { name, value } of attributes)
    lines.push(value === undefined ? `a=${name}` : `a=${name}:${value}`);
}
