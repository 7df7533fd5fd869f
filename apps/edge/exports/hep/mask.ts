const masked = 'masked';
/** Bodies that are shown, line by line masked; of others only the length. */
const shownBodies = ['sdp', 'multipart', 'sipfrag', 'dialog-info', 'simple-message-summary'];

/**
 * A SIP message without what must not leave the edge: credentials, keys of SRTP and ICE, keys that were pressed, and
 * what people write to each other. Content-Length says how long the rest is.
 *
 * Made for hostile bytes too: it goes by lines and never fails.
 */
export function maskMessage(bytes: Uint8Array): Uint8Array {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  const { head, end, body } = splitMessage(text);
  let contentType = '';
  let hiding = false;
  const lines: string[] = [];
  for (const line of head.split('\n')) {
    const isFolded = line.startsWith(' ') || line.startsWith('\t');
    if (isFolded) {
      if (!hiding) lines.push(hidesSecret(line) ? ` ${masked}` : maskAddresses(line));
      continue;
    }
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).trim().toLowerCase();
    hiding = name.includes('authorization') || name.includes('authentication-info') || hidesSecret(line);
    if (hiding) {
      const scheme =
        line
          .slice(colon + 1)
          .trim()
          .split(' ', 1)[0] ?? '';
      const known = scheme === 'Digest' || scheme === 'Bearer' || scheme === 'Basic' ? `${scheme} ` : '';
      lines.push(`${line.slice(0, colon + 1)} ${known}${masked}${line.endsWith('\r') ? '\r' : ''}`);
      continue;
    }
    if (name === 'content-type' || name === 'c') contentType = line.slice(colon + 1).toLowerCase();
    lines.push(maskAddresses(line));
  }
  if (body === '') return Buffer.from(lines.join('\n') + end, 'latin1');
  const shown = maskBody(contentType, body);
  return Buffer.from(withLength(lines, shown.length).join('\n') + end + shown, 'latin1');
}

/** Wherever it stands: a digest is what a password can be guessed from. */
const hidesSecret = (line: string): boolean => /response[ \t]*=/i.test(line);

/** Tokens of push services (RFC 8599 §14: they let their bearer wake a phone), and passwords in URIs (RFC 3261 §19.1.1). */
function maskAddresses(line: string): string {
  const lower = line.toLowerCase();
  if (lower.includes('pn-prid') || lower.includes('pn-param'))
    return line
      .split(';')
      .map((part) => {
        const name = part.trimStart().toLowerCase();
        if (!name.startsWith('pn-prid') && !name.startsWith('pn-param')) return part;
        const end = part.search(/[>,\r\s]/);
        return `${part.slice(0, part.indexOf('=') + 1)}${masked}${end < 0 ? '' : part.slice(end)}`;
      })
      .join(';');
  return lower.includes('@') ? maskPasswords(line, lower) : line;
}

/** User parts are shorter. */
const mostUser = 512;

function maskPasswords(line: string, lower: string): string {
  let out = '';
  let done = 0;
  let at = -1;
  for (let scheme = lower.indexOf('sip'); scheme >= 0; scheme = lower.indexOf('sip', scheme + 3)) {
    const begin = scheme + (lower.startsWith('sips:', scheme) ? 5 : 4);
    if (lower[begin - 1] !== ':' || begin < done) continue;
    if (at < begin) at = line.indexOf('@', begin);
    if (at < 0) break;
    if (at - begin > mostUser) continue;
    const user = line.slice(begin, at);
    const colon = user.indexOf(':');
    if (colon < 0 || /[\s<>;,"]/.test(user)) continue;
    out += `${line.slice(done, begin + colon + 1)}${masked}`;
    done = at;
  }
  return done === 0 ? line : out + line.slice(done);
}

function splitMessage(text: string): { readonly head: string; readonly end: string; readonly body: string } {
  const crlf = text.indexOf('\r\n\r\n');
  const lf = text.indexOf('\n\n');
  const isCrlf = crlf >= 0 && (lf < 0 || crlf < lf);
  const at = isCrlf ? crlf : lf;
  if (at < 0) return { head: text, end: '', body: '' };
  const end = isCrlf ? '\r\n\r\n' : '\n\n';
  return { head: text.slice(0, at), end, body: text.slice(at + end.length) };
}

function maskBody(contentType: string, body: string): string {
  if (!shownBodies.some((type) => contentType.includes(type))) return `[${body.length} octets]`;
  return body.split('\n').map(maskLine).join('\n');
}

/** RFC 4568, RFC 4566 §5.12, RFC 4567, RFC 8839 §5.4, and keys pressed in INFO within multipart. */
function maskLine(line: string): string {
  const end = line.endsWith('\r') ? '\r' : '';
  const lower = line.trimStart().toLowerCase();
  if (lower.startsWith('a=crypto:')) {
    const [tag = '', suite = '', keys = ''] = line.trim().slice('a=crypto:'.length).trim().split(' ', 3);
    // As long as it was: readers of SDP take a shorter one for damaged.
    const length = Math.max(0, (keys.split('|', 1)[0] ?? '').length - 'inline:'.length);
    return `a=crypto:${tag} ${suite} inline:${masked.repeat(Math.ceil(length / masked.length)).slice(0, length)}${end}`;
  }
  for (const start of ['a=ice-pwd:', 'a=key-mgmt:', 'k=', 'signal='])
    if (lower.startsWith(start)) return `${start}${masked}${end}`;
  return line.toLowerCase().includes('inline:') ? `${masked}${end}` : line;
}

function withLength(lines: readonly string[], length: number): string[] {
  return lines.map((line) => {
    const name = line
      .slice(0, Math.max(0, line.indexOf(':')))
      .trim()
      .toLowerCase();
    if (name !== 'content-length' && name !== 'l') return line;
    return `${line.slice(0, line.indexOf(':') + 1)} ${length}${line.endsWith('\r') ? '\r' : ''}`;
  });
}

/** Call-ID of whatever comes; empty where there is none. */
export function callIdOf(bytes: Uint8Array): string {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 8192)).toString(
    'latin1',
  );
  for (const line of head.split('\n')) {
    if (line === '' || line === '\r') return '';
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).trim().toLowerCase();
    if (name === 'call-id' || name === 'i') return line.slice(colon + 1).trim();
  }
  return '';
}
