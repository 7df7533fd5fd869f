import { MisuseError } from '@ringfence/bytes/misuse.ts';
import type { Attribute, Bandwidth, Connection, MediaDescription, SessionDescription } from './session.ts';

/**
 * Writes a session description in the order of RFC 8866 §5, lines ended by CRLF.
 *
 * Every line is checked as it is written: a value with CR, LF or NUL cannot start a line of its own.
 * @throws MisuseError `sdp-injection` where a value holds one of them.
 */
export function serializeSession(session: SessionDescription): string {
  const { origin } = session;
  let text = 'v=0\r\n';
  text += line(
    `o=${origin.username} ${origin.sessionId} ${origin.version} IN ${origin.addressType} ${origin.address}`,
  );
  text += line(`s=${session.sessionName}`);
  if (session.information !== undefined) text += line(`i=${session.information}`);
  if (session.uri !== undefined) text += line(`u=${session.uri}`);
  if (session.emails !== undefined) for (const email of session.emails) text += line(`e=${email}`);
  if (session.phones !== undefined) for (const phone of session.phones) text += line(`p=${phone}`);
  if (session.connection !== undefined) text += connectionLine(session.connection);
  text += bandwidthLines(session.bandwidths);
  if (session.timing.length === 0) text += 't=0 0\r\n';
  for (const timing of session.timing) {
    text += line(`t=${timing.start} ${timing.stop}`);
    for (const repeat of timing.repeats) text += line(`r=${repeat}`);
  }
  if (session.zones !== undefined) text += line(`z=${session.zones}`);
  text += attributeLines(session.attributes);
  for (const media of session.media) text += mediaLines(media);
  return text;
}

function mediaLines(media: MediaDescription): string {
  const ports = media.portCount === 1 ? `${media.port}` : `${media.port}/${media.portCount}`;
  let text = line(`m=${media.media} ${ports} ${media.protocol} ${media.formats.join(' ')}`);
  if (media.information !== undefined) text += line(`i=${media.information}`);
  if (media.connection !== undefined) text += connectionLine(media.connection);
  if (media.layers !== undefined) for (const layer of media.layers) text += connectionLine(layer);
  return text + bandwidthLines(media.bandwidths) + attributeLines(media.attributes);
}

function connectionLine({ addressType, address, ttl, count }: Connection): string {
  let text = `c=IN ${addressType} ${address}`;
  // The first suffix of an IPv4 group is its ttl, so a count alone needs one written, RFC 8866 §5.7.
  if (ttl !== undefined) text += `/${ttl}`;
  else if (count !== undefined && addressType === 'IP4') text += '/255';
  if (count !== undefined) text += `/${count}`;
  return line(text);
}

function bandwidthLines(bandwidths: readonly Bandwidth[]): string {
  let text = '';
  for (const { type, value } of bandwidths) text += line(`b=${type}:${value}`);
  return text;
}

function attributeLines(attributes: readonly Attribute[]): string {
  let text = '';
  for (const { name, value } of attributes)
    text += line(value === undefined ? `a=${name}` : `a=${name}:${value}`);
  return text;
}

/** What `byte-string` of RFC 8866 §9 leaves out. One character class: no backtracking. */
const lineBreaker = /[\0\r\n]/;

function line(text: string): string {
  if (lineBreaker.test(text))
    throw new MisuseError('sdp-injection', 'CR, LF or NUL in a value of an SDP line');
  return `${text}\r\n`;
}
