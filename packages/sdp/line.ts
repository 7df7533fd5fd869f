import { addressKind, isIp4, isIp6 } from './address.ts';
import type { Bandwidth, Connection, MediaDescription, Origin } from './session.ts';
import { isDigits, isProtocol, isToken, isVisible, parseDecimal } from './token.ts';

/** Longest token that a description may use for a name, a protocol or a format. */
const longestToken = 64;

/** `o=<username> <sess-id> <sess-version> <nettype> <addrtype> <unicast-address>`, RFC 8866 §5.2. */
export function readOrigin(value: string): Origin | undefined {
  const a = value.indexOf(' ');
  const b = value.indexOf(' ', a + 1);
  const c = value.indexOf(' ', b + 1);
  if (a === -1 || b === -1 || c === -1) return undefined;
  const username = value.slice(0, a);
  const sessionId = value.slice(a + 1, b);
  const version = value.slice(b + 1, c);
  const addressType = value.startsWith('IN IP4 ', c + 1)
    ? 'IP4'
    : value.startsWith('IN IP6 ', c + 1)
      ? 'IP6'
      : '';
  const address = value.slice(c + 8).trimEnd();
  if (username === '' || username.length > 256 || !isDigits(sessionId) || !isDigits(version))
    return undefined;
  if (sessionId.length > 32 || version.length > 32) return undefined;
  if (addressType === '' || !isVisible(address) || address.length > 255) return undefined;
  return { username, sessionId, version, addressType, address };
}

/** `c=<nettype> <addrtype> <connection-address>`, RFC 8866 §5.7. */
export function readConnection(value: string): Connection | undefined {
  const parts = value.trimEnd().split(' ', 4);
  if (parts.length !== 3 || parts[0] !== 'IN') return undefined;
  const addressType = parts[1];
  if (addressType !== 'IP4' && addressType !== 'IP6') return undefined;
  const whole = parts[2]!;
  const slash = whole.indexOf('/');
  const address = slash === -1 ? whole : whole.slice(0, slash);
  if (addressKind(addressType, address) === undefined) return undefined;
  if (slash === -1) return { addressType, address };
  // IPv4: /ttl or /ttl/count. IPv6 has no ttl: /count. A suffix makes sense for multicast alone, but does no harm.
  const second = whole.indexOf('/', slash + 1);
  const first = parseDecimal(whole, slash + 1, second === -1 ? whole.length : second);
  if (first === undefined || first > 65_535) return undefined;
  if (addressType === 'IP6') return second === -1 ? { addressType, address, count: first } : undefined;
  if (first > 255) return undefined;
  if (second === -1) return { addressType, address, ttl: first };
  const count = parseDecimal(whole, second + 1, whole.length);
  if (count === undefined || count === 0 || count > 65_535) return undefined;
  return { addressType, address, ttl: first, count };
}

/** `b=<bwtype>:<bandwidth>`, RFC 8866 §5.8. */
export function readBandwidth(value: string): Bandwidth | undefined {
  const colon = value.indexOf(':');
  if (colon < 1 || colon > longestToken) return undefined;
  const type = value.slice(0, colon);
  const amount = parseDecimal(value, colon + 1, value.trimEnd().length);
  return amount === undefined || !isToken(type) ? undefined : { type, value: amount };
}

/** `t=<start-time> <stop-time>`, RFC 8866 §5.9. */
export function readTiming(value: string): { start: string; stop: string; repeats: string[] } | undefined {
  const parts = value.trimEnd().split(' ', 3);
  if (parts.length !== 2) return undefined;
  const [start, stop] = parts as [string, string];
  if (!isDigits(start) || !isDigits(stop) || start.length > 32 || stop.length > 32) return undefined;
  return { start, stop, repeats: [] };
}

export type MediaLine = Pick<MediaDescription, 'media' | 'port' | 'portCount' | 'protocol'> & {
  readonly formats: string[];
};

/** `m=<media> <port>[/<count>] <proto> <fmt> ...`, RFC 8866 §5.14. */
export function readMediaLine(value: string, mostFormats: number): MediaLine | 'too-many' | undefined {
  const parts = value.trimEnd().split(' ', mostFormats + 4);
  if (parts.length > mostFormats + 3) return 'too-many';
  if (parts.length < 4) return undefined;
  const [media, ports, protocol] = parts as [string, string, string];
  if (media.length > longestToken || !isToken(media)) return undefined;
  if (protocol.length > longestToken || !isProtocol(protocol)) return undefined;
  const slash = ports.indexOf('/');
  const port = parseDecimal(ports, 0, slash === -1 ? ports.length : slash);
  if (port === undefined || port > 65_535) return undefined;
  const portCount = slash === -1 ? 1 : parseDecimal(ports, slash + 1, ports.length);
  if (portCount === undefined || portCount === 0 || portCount > 65_535) return undefined;
  const formats = parts.slice(3);
  for (const format of formats) if (format.length > longestToken || !isToken(format)) return undefined;
  return { media, port, portCount, protocol, formats };
}

/** The address type of a literal that is ours to write; `undefined` for anything else. */
export const literalType = (address: string): 'IP4' | 'IP6' | undefined =>
  isIp4(address) ? 'IP4' : isIp6(address) ? 'IP6' : undefined;
