/** One `a=` line, RFC 8866 §5.13: a property (`value` absent) or a value. */
export interface Attribute {
  readonly name: string;
  readonly value?: string;
}

/** `b=`, RFC 8866 §5.8. */
export interface Bandwidth {
  /** `CT`, `AS`, `TIAS`, or any other token. */
  readonly type: string;
  /** In the unit of the type: kilobits per second for `CT` and `AS`, bits per second for `TIAS`. */
  readonly value: number;
}

export type AddressType = 'IP4' | 'IP6';

/** `c=`, RFC 8866 §5.7; the network type is always `IN`. */
export interface Connection {
  readonly addressType: AddressType;
  /** A literal that fits `addressType`, or a domain name. */
  readonly address: string;
  /** Time to live of an IPv4 multicast group. */
  readonly ttl?: number;
  /** Number of contiguous multicast groups. */
  readonly count?: number;
}

/** `o=`, RFC 8866 §5.2; ids and versions are digit strings because they may exceed 2^53. */
export interface Origin {
  readonly username: string;
  readonly sessionId: string;
  readonly version: string;
  readonly addressType: AddressType;
  readonly address: string;
}

/** `t=` and its `r=` lines, RFC 8866 §5.9 and §5.10; times are digit strings of NTP seconds. */
export interface Timing {
  readonly start: string;
  readonly stop: string;
  readonly repeats: readonly string[];
}

/** What follows one `m=` line, RFC 8866 §5.14. */
export interface MediaDescription {
  /** `audio`, `video`, `text`, `image`, `application`, `message`, or any other token. */
  readonly media: string;
  /** 0 refuses or removes the stream, RFC 3264 §6 and §8.2. */
  readonly port: number;
  /** Ports in a row (`port/count`); 1 unless said. */
  readonly portCount: number;
  /** `RTP/AVP`, `RTP/SAVP`, `RTP/AVPF`, `RTP/SAVPF`, `udptl`, or any other, as written. */
  readonly protocol: string;
  /** Payload type numbers for RTP profiles, else tokens. At least one. */
  readonly formats: readonly string[];
  readonly information?: string;
  readonly connection?: Connection;
  /** Further `c=` lines, which only layered multicast may have. */
  readonly layers?: readonly Connection[];
  readonly bandwidths: readonly Bandwidth[];
  readonly attributes: readonly Attribute[];
}

/** A session description, RFC 8866 §5. `k=` lines are obsolete (§5.12) and are not kept. */
export interface SessionDescription {
  readonly origin: Origin;
  readonly sessionName: string;
  readonly information?: string;
  readonly uri?: string;
  readonly emails?: readonly string[];
  readonly phones?: readonly string[];
  readonly connection?: Connection;
  readonly bandwidths: readonly Bandwidth[];
  /** Empty is written as the permanent `t=0 0`. */
  readonly timing: readonly Timing[];
  /** The `z=` line, as written. */
  readonly zones?: string;
  readonly attributes: readonly Attribute[];
  readonly media: readonly MediaDescription[];
}

/** The connection that holds for a stream: its own, else the session's, RFC 8866 §5.7. */
export const connectionOf = (
  session: Pick<SessionDescription, 'connection'>,
  media: Pick<MediaDescription, 'connection'>,
): Connection | undefined => media.connection ?? session.connection;

/** `RTP/AVP` and its kin, RFC 3551, 3711, 4585, 5124; the DTLS-SRTP names of RFC 5764 among them. */
export const isRtp = (protocol: string): boolean => /^(?:UDP\/TLS\/)?RTP\/S?AVPF?$/i.test(protocol);

/** A profile that encrypts: `RTP/SAVP`, `RTP/SAVPF` and their DTLS forms. */
export const isSecureRtp = (protocol: string): boolean => /^(?:UDP\/TLS\/)?RTP\/SAVPF?$/i.test(protocol);
