/** Transports over which we reach somebody who has not come to us (RFC 3261 §18). */
export type DialTransport = 'udp' | 'tcp' | 'tls';

/** How a SIP message travels; `ws` and `wss` (RFC 7118) are always opened by the other side. */
export type Transport = DialTransport | 'ws' | 'wss';

/** True where nobody between the two ends of the flow can read or change what it carries. */
export const isEncrypted = (transport: Transport): boolean => transport === 'tls' || transport === 'wss';

/** An IP address in text form without brackets, and a port. */
export interface SocketAddress {
  readonly address: string;
  readonly port: number;
}

/** What TLS negotiated on a flow; part of a leg's protection record. */
export interface TlsFacts {
  /** e.g. `TLSv1.3` */
  readonly version: string;
  /** e.g. `TLS_AES_256_GCM_SHA384` */
  readonly cipher: string;
  /** Key exchange group, e.g. `X25519MLKEM768`; absent where it could not be learned. */
  readonly group?: string;
  /** Names (DNS and URI SANs) of the peer's certificate, present only if it was verified. */
  readonly peerNames?: readonly string[];
  /** SHA-256 fingerprint of the peer's certificate, colon-separated hexadecimal. */
  readonly peerFingerprint?: string;
  /** The same of the authorities above it, nearest first, present only if it was verified. */
  readonly peerIssuers?: readonly string[];
}

/**
 * A way to a peer: one connection (TCP, TLS, WebSocket), or one local socket and one remote address (UDP).
 *
 * Flows are made by whoever owns the sockets; protocol code only compares them by `id` and reads their facts.
 * RFC 5626 §1.3.
 */
export interface Flow {
  readonly id: number;
  readonly transport: Transport;
  /** False for UDP alone. True: no retransmission by transactions (RFC 3261 §17). */
  readonly reliable: boolean;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  /** `host[:port]` to put into Via sent-by for requests over this flow. */
  readonly sentBy: string;
  /** Name of the listener that the flow belongs to. */
  readonly listener: string;
  readonly tls?: TlsFacts;
}
