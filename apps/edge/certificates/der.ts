/** DER writer, ITU-T X.690 §10 and §11: just what a certificate needs. */
export type Der = Uint8Array;

function tlv(tag: number, ...parts: readonly Uint8Array[]): Der {
  const length = parts.reduce((n, part) => n + part.length, 0);
  const head =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  if (length > 0xffff) throw new RangeError('DER value of more than 65535 bytes');
  return Buffer.concat([Uint8Array.from([tag, ...head]), ...parts]);
}

export const sequence = (...parts: readonly Der[]): Der => tlv(0x30, ...parts);
export const set = (...parts: readonly Der[]): Der => tlv(0x31, ...parts);
export const octetString = (bytes: Uint8Array): Der => tlv(0x04, bytes);
export const utf8String = (text: string): Der => tlv(0x0c, Buffer.from(text, 'utf8'));
export const boolean = (value: boolean): Der => tlv(0x01, Uint8Array.of(value ? 0xff : 0));
/** Constructed, context-specific. */
export const explicit = (number: number, ...parts: readonly Der[]): Der => tlv(0xa0 | number, ...parts);
/** Primitive, context-specific. */
export const implicit = (number: number, bytes: Uint8Array): Der => tlv(0x80 | number, bytes);

/** A non-negative integer from big-endian bytes. */
export function integer(bytes: Uint8Array): Der {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1;
  const short = bytes.subarray(start);
  return (short[0] ?? 0) >= 0x80
    ? tlv(0x02, Uint8Array.of(0), short)
    : tlv(0x02, short.length === 0 ? Uint8Array.of(0) : short);
}

export function objectIdentifier(dotted: string): Der {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const out = [first * 40 + second];
  for (const arc of rest) {
    const septets = [arc & 0x7f];
    for (let n = Math.floor(arc / 128); n > 0; n = Math.floor(n / 128)) septets.unshift((n & 0x7f) | 0x80);
    out.push(...septets);
  }
  return tlv(0x06, Uint8Array.from(out));
}

/** `unused`: bits of the last byte that do not count. */
export const bitString = (bytes: Uint8Array, unused = 0): Der => tlv(0x03, Uint8Array.of(unused), bytes);

/** RFC 5280 §4.1.2.5: UTCTime through 2049, GeneralizedTime after; to the second, in UTC. */
export function time(at: number): Der {
  const text = new Date(at).toISOString();
  const [, year = '', rest = ''] = /^(\d{4})-(.*)\.\d{3}Z$/.exec(text) ?? [];
  const digits = `${rest.replaceAll(/[-T:]/g, '')}Z`;
  return Number(year) < 2050
    ? tlv(0x17, Buffer.from(year.slice(2) + digits))
    : tlv(0x18, Buffer.from(year + digits));
}
