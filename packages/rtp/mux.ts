/** What may share one port: RFC 5761 §4 and RFC 7983 §7. */
export type MuxedProtocol = 'rtp' | 'rtcp' | 'stun' | 'zrtp' | 'dtls' | 'turn-channel' | 'unknown';

/**
 * Tells by the first two octets what a datagram on a media port is.
 *
 * RTP and RTCP differ by the second octet: 192 to 223 is RTCP, which is why payload types 64 to 95 must not be
 * used where they share a port (RFC 5761 §4). It says nothing about whether the rest is well formed.
 */
export function demultiplex(datagram: Uint8Array): MuxedProtocol {
  if (datagram.length < 2) return 'unknown';
  const first = datagram[0]!;
  if (first >= 128 && first <= 191) {
    const second = datagram[1]!;
    return second >= 192 && second <= 223 ? 'rtcp' : 'rtp';
  }
  if (first <= 3) return 'stun';
  if (first >= 16 && first <= 19) return 'zrtp';
  if (first >= 20 && first <= 63) return 'dtls';
  if (first >= 64 && first <= 79) return 'turn-channel';
  return 'unknown';
}

/** Whether a payload type can be told from RTCP on a shared port, RFC 5761 §4. */
export const isMuxablePayloadType = (payloadType: number): boolean =>
  payloadType >= 0 && payloadType <= 127 && !(payloadType >= 64 && payloadType <= 95);
