/** CRC-32C, reflected polynomial of Castagnoli, as RFC 4960 appendix B uses it. */
const table = new Uint32Array(256);
for (let value = 0; value < 256; value++) {
  let remainder = value;
  for (let bit = 0; bit < 8; bit++)
    remainder = remainder & 1 ? (remainder >>> 1) ^ 0x82f6_3b78 : remainder >>> 1;
  table[value] = remainder;
}

/**
 * Checksum of a ZRTP packet without its last word, RFC 6189 §5.
 *
 * The number as it is read in network byte order: RFC 4960 appendix B puts the octets of the CRC on the wire least
 * significant first.
 */
export function packetChecksum(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const octet of bytes) crc = (crc >>> 8) ^ table[(crc ^ octet) & 0xff]!;
  crc = ~crc;
  return (((crc & 0xff) << 24) | ((crc & 0xff00) << 8) | ((crc >>> 8) & 0xff00) | (crc >>> 24)) >>> 0;
}
