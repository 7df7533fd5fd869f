/** Bounds on one message; each counts towards what a peer can make us hold or scan. */
export interface MessageLimits {
  /** Octets of the whole message. Default 81924: header and body as a stream may bring them; no datagram is larger. */
  readonly totalSize: number;
  /** Octets from the start line to the empty line. Default 16384. */
  readonly headerSize: number;
  /** Header fields. Default 256. */
  readonly headerCount: number;
  /** Characters of one header field after unfolding, and of the start line. Default 8192. */
  readonly lineLength: number;
  /** Via values. Default 70, since Max-Forwards starts at 70 (RFC 3261 §8.1.1.6). */
  readonly viaCount: number;
  /** Parameters of one header value or one URI. Default 32. */
  readonly paramCount: number;
}

export const defaultLimits: MessageLimits = {
  totalSize: 81_924,
  headerSize: 16_384,
  headerCount: 256,
  lineLength: 8_192,
  viaCount: 70,
  paramCount: 32,
};
